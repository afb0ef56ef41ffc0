import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusFilter

/// Two CPUs that charge the same buckets at the same time. The limits fill so slowly that of each source as many packets
/// pass as its burst has, whoever ran them: no more and no less.
@Suite(.serialized, .requires(.root)) struct RaceTests {
    private static func limit(
        _ scope: FilterLimit.Scope = .source, name: String = "limit", rate: Double = 0.001, burst: UInt64
    ) -> FilterLimit {
        FilterLimit(name: name, scope: scope, packets: PacketRate(perSecond: rate), packetBurst: burst)
    }

    @Test(arguments: [2_000, 100_000])
    func eachSourcePassesItsBurst(sources: Int) throws {
        var rules = FilterRules()
        rules.limits = [Self.limit(burst: 3)]
        // Eight times as many, so that fifteen meet in a set of fourteen once in ten thousand runs.
        rules.sourceCapacity = sources * 8
        let program = try RulesProgram.running(rules)
        let passed = try passed(program.program, sources: sources, rounds: 3)
        #expect(passed.allSatisfy { $0 == 3 }, "\(passed.count { $0 != 3 }) sources passed another number")
        let counters = try program.counters()
        #expect(counters[APUS_TABLE_ADDED] == UInt64(sources))
        #expect(counters[APUS_TABLE_EVICTED] + counters[APUS_TABLE_FORGOTTEN] == 0)
    }

    @Test(arguments: [FilterLimit.Scope.all, .source, .prefix, .sourcePort])
    func oneBucketPassesItsBurst(_ scope: FilterLimit.Scope) throws {
        var rules = FilterRules()
        // No bucket fills for more than a year, so a little faster.
        rules.limits = [Self.limit(scope, rate: 0.02, burst: 300_000)]
        let program = try RulesProgram.running(rules)
        let frame = frame(from: 0xc633_6407)
        _ = try onBothCPUs { [program = program.program] _ in _ = try program.run(on: frame, times: 1 << 18) }
        #expect(try program.counters()[.within].packets == 300_000)
    }

    @Test func whatALaterLimitRefusesIsChargedNowhere() throws {
        var rules = FilterRules()
        rules.limits = [
            Self.limit(name: "source", burst: 1 << 30), Self.limit(.prefix, name: "prefix", burst: 1 << 30),
            Self.limit(.all, name: "all", burst: 1 << 30), Self.limit(.sourcePort, name: "port", burst: 1000),
        ]
        let program = try RulesProgram.running(rules)
        let numbers = LimitNumbers().replaced(by: rules.limits).inForce
        func table() throws -> SourceTable {
            try SourceTable(
                program.maps.sources, limits: Dictionary(uniqueKeysWithValues: zip(numbers, rules.limits)))
        }
        let before = try table()
        let frame = frame(from: 0xc633_6407)
        _ = try onBothCPUs { [program = program.program] _ in _ = try program.run(on: frame, times: 1 << 17) }
        #expect(try program.counters()[.within].packets == 1000)
        let sources = try table().heaviest(10, by: .packets, since: before)
        #expect(sources.map(\.passed) == [1000, 1000, 1000])
        #expect(sources.map(\.dropped) == [UInt64](repeating: 1 << 18 - 1000, count: 3))
        // Each of the thousand moved the time on by a thousand seconds.
        let all = try #require(try program.maps.buckets.value(of: LimitNumbers.place(of: numbers[2])))
        let ahead = Double(all.packet_time) - Double(monotonicTime << UInt64(APUS_FILTER_TIME_SHIFT))
        #expect(abs(ahead / RulesEncoding.second - 1_000_000) < 60)
    }

    @Test func reloadsMeanwhileGiveNobodyMore() throws {
        let net = try Pair("reloads")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            rules.limits = [Self.limit(burst: 5)]
            rules.sourceCapacity = 160_000
            let filter = try RateLimitFilter.load(rules, on: "vb", mode: .native)
            let entry = try BPFProgram(opening: filter.store.path("entry"))
            var reloads = 0
            let passed = try passed(entry, sources: 20_000, rounds: 20) {
                // Each time other rules, of which the one limit stays.
                reloads += 1
                rules.limits = [Self.limit(burst: 5)]
                if reloads % 2 == 0 {
                    // For other packets than those that are run.
                    var other = Self.limit(.all, name: "other \(reloads)", burst: 80)
                    other.service = try FilterService("udp/53")
                    rules.limits.insert(other, at: 0)
                }
                let place = UInt8(reloads % 200)
                rules.entries = [FilterEntry(.source(AddressPrefix("203.0.113.\(place)/32")!), .deny)]
                rules.fragments = reloads % 3 == 0 ? .deny : .limit
                try filter.replace(rules)
            }
            #expect(
                passed.allSatisfy { $0 == 5 }, "\(passed.count { $0 != 5 }) sources passed another number")
            #expect(reloads >= 5)
            // The hosts' own words may be among them.
            #expect(try (20_000...20_010).contains(filter.sources().count))
            #expect(try filter.status().sources.forgotten == 0)
            print("\(reloads) reloads")
            try filter.unload()
        }
    }

    /// Runs a program on both CPUs, `rounds` times on a packet of each source, in the same order and in opposite ones,
    /// and tells how many packets passed of each. Until both have ended it does what is to happen meanwhile, over and over.
    private func passed(
        _ program: BPFProgram, sources: Int, rounds: Int, meanwhile: () throws -> Void = {}
    ) throws -> [Int] {
        let ended = Ended()
        let threads = try (0..<2).map { cpu in
            try PinnedThread(to: cpu) {
                defer { ended.count.add(1, ordering: .releasing) }
                var passed = [UInt8](repeating: 0, count: sources)
                var packet = frame(from: 0)
                for round in 0..<rounds {
                    for place in 0..<sources {
                        let source = round % 2 == 1 && cpu == 1 ? sources - 1 - place : place
                        // Any numbers that are no IPv4 multicast.
                        let address = 0x0a00_0000 + UInt32(source)
                        for i in 0..<4 {
                            packet[26 + i] = UInt8(truncatingIfNeeded: address >> UInt32(24 - 8 * i))
                        }
                        if try program.run(on: packet).verdict == FilterTrial.pass { passed[source] += 1 }
                    }
                }
                return passed
            }
        }
        var outcome = Result<Void, any Error>.success(())
        repeat {
            outcome = Result(catching: meanwhile)
            usleep(2000)
        } while ended.count.load(ordering: .acquiring) < 2 && (try? outcome.get()) != nil
        let both = try threads.map { try $0.join() }
        try outcome.get()
        return zip(both[0], both[1]).map { Int($0) + Int($1) }
    }

}

/// How many have ended, for those who go on until then.
final class Ended: Sendable { let count = Atomic<Int>(0) }
