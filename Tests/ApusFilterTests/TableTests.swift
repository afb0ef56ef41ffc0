import ApusConfig
import ApusXDP
import CFilter
import NetworkLab
import Seeds
import Testing

@testable import ApusFilter

/// The table of sources: full, overrun, and as large as it says.
@Suite(.serialized, .requires(.root)) struct TableTests {
    private static func rules(sources: Int, perSecond rate: Double, burst: UInt64) -> FilterRules {
        var rules = FilterRules()
        rules.sourceCapacity = sources
        rules.limits = [
            FilterLimit(scope: .source, packets: PacketRate(perSecond: rate), packetBurst: burst)
        ]
        return rules
    }

    private static func known(_ counters: FilterCounters) -> UInt64 {
        counters[APUS_TABLE_ADDED] - counters[APUS_TABLE_EVICTED] - counters[APUS_TABLE_FORGOTTEN]
    }

    /// With a secret of which the hash is nearly the address, these meet in the upper half of it, which says their set.
    @Test func sourcesWithOneHalfOfTheHashAreApart() throws {
        let program = try RulesProgram.running(
            Self.rules(sources: 1000, perSecond: 0.001, burst: 3), secret: [0, 0, 0, 0, 1, 0, 0, 0])
        for _ in 0..<4 {
            for source: UInt32 in [0x0a00_0000, 0xa2e1_f731, 0x3ac3_ef63] {
                _ = try program.program.run(on: frame(from: source))
            }
        }
        let counters = try program.counters()
        #expect(counters[APUS_TABLE_ADDED] == 3)
        #expect(counters[.within].packets == 9)
    }

    /// With a secret of nothing all meet, set and tag. They take turns, and no more of the table goes for it.
    @Test func sourcesThatMeetTakeTurns() throws {
        let program = try RulesProgram.running(
            Self.rules(sources: 1000, perSecond: 0.001, burst: 3), secret: [UInt64](repeating: 0, count: 8))
        for _ in 0..<4 {
            for source in UInt32(0x0a00_0000)..<0x0a00_0003 {
                _ = try program.program.run(on: frame(from: source))
            }
        }
        #expect(try program.counters()[APUS_TABLE_FORGOTTEN] == 11)
        #expect(try SourceTable(program.maps.sources, limits: [:]).count == 1)
    }

    @Test func aSenderAtItsLimitIsNotForgottenWhileAMillionComeBy() throws {
        let (rate, burst) = (1000.0, 500.0)
        let rules = Self.rules(sources: 1024, perSecond: rate, burst: UInt64(burst))
        let program = try RulesProgram.running(rules)
        // Half a million by each CPU, each once, and between them one who sends as much as he can.
        let began = earliestTime(ofTicks: program.tick)
        let passed = try onBothCPUs { [program = program.program] cpu in
            var random = Seeded(UInt64(cpu))
            let heavy = frame(from: 0xc633_6407)
            var packet = frame(from: 0)
            var passed = (heavy: 0, others: 0)
            for number in 0..<500_000 {
                let source = UInt32.random(in: 0...(.max), using: &random)
                for i in 0..<4 { packet[26 + i] = UInt8(truncatingIfNeeded: source >> UInt32(24 - 8 * i)) }
                if try program.run(on: packet).verdict == FilterTrial.pass { passed.others += 1 }
                guard number % 16 == 0 else { continue }
                if try program.run(on: heavy).verdict == FilterTrial.pass { passed.heavy += 1 }
            }
            return passed
        }
        let seconds = Double(monotonicTime - began) / 1e9
        let heavy = Double(passed.reduce(0) { $0 + $1.heavy })
        print("\(heavy) of the sender's packets passed in \(seconds) s")
        #expect(heavy <= burst + rate * seconds + 1)
        #expect(heavy >= (burst + rate * seconds) * 0.95)
        // Nobody else loses anything: what is forgotten begins with a full burst.
        #expect(passed.reduce(0) { $0 + $1.others } == 1_000_000)

        let counters = try program.counters()
        let places = program.maps.sources.info.maxEntries * Int(APUS_FILTER_WAYS)
        #expect((2048..<2048 + 2 * Int(APUS_FILTER_WAYS)).contains(places))
        #expect(Self.known(counters) == UInt64(places))
        let known = try SourceTable(program.maps.sources, limits: [:]).count
        #expect(known == places)
        // 2^32 addresses, so few came twice.
        #expect((990_000...1_000_001).contains(counters[APUS_TABLE_ADDED]))
    }

    @Test func aTableHoldsTheSourcesItIsMadeFor() throws {
        let rules = Self.rules(sources: 131_072, perSecond: 0.001, burst: 2)
        let program = try RulesProgram.running(rules)
        var random = Seeded(7)
        var sources = Set<UInt32>()
        while sources.count < 100_000 { sources.insert(.random(in: 0...(.max), using: &random)) }
        var packet = frame(from: 0)
        for source in sources {
            for i in 0..<4 { packet[26 + i] = UInt8(truncatingIfNeeded: source >> UInt32(24 - 8 * i)) }
            #expect(try program.program.run(on: packet).verdict == FilterTrial.pass)
        }
        let counters = try program.counters()
        #expect(counters[APUS_TABLE_ADDED] == 100_000 && counters[APUS_TABLE_EVICTED] == 0)
        // Where more than fourteen of a hundred thousand meet in one of 18,725 sets: ten on average.
        let forgotten = counters[APUS_TABLE_FORGOTTEN]
        #expect(forgotten < 40)
        #expect(Self.known(counters) == 100_000 - forgotten)
        #expect(try SourceTable(program.maps.sources, limits: [:]).count == 100_000 - Int(forgotten))
        print("\(forgotten) of 100,000 sources are forgotten in a table for 131,072")
        // As documented: 146 octets a source.
        let octets = program.maps.sources.info.maxEntries * program.maps.sources.info.valueSize
        #expect(Double(octets) / 131_072 < 146.5 && Double(octets) / 131_072 > 145)
    }

    @Test func randomSourcesOfASlowLimitPushNobodyOutOfAFastOne() throws {
        var rules = Self.rules(sources: 1024, perSecond: 1000, burst: 100)
        rules.limits[0].service = try FilterService("udp/5004")
        rules.limits[0].name = "fast"
        rules.limits.append(
            FilterLimit(
                name: "slow", scope: .source, service: try FilterService("udp/53"),
                packets: PacketRate(perSecond: 0.1)))
        try rules.validate()
        let program = try ModelTests.program(rules, start: 1_000_000_000)
        var random = Seeded(3)
        var passed = 0
        // Two seconds of a sender at ten times its limit, and of twice as many others who come once each.
        for number in 0..<60_000 as Range<UInt64> {
            let now = 1_000_000_000 + number * 33_333
            if number % 3 == 0 {
                passed += try program.judge(frame(from: 0xc633_6407), at: now).passed ? 1 : 0
            } else {
                let source = UInt32.random(in: 0...(.max), using: &random)
                _ = try program.judge(frame(from: source, port: 53), at: now)
            }
        }
        #expect((2080...2120).contains(passed))
        #expect(try program.counters()[APUS_TABLE_FORGOTTEN] > 10_000)
    }

    /// What a source did before it was forgotten is not taken from what it does now.
    @Test func whoComesBackIsCountedAnew() throws {
        var rules = Self.rules(sources: 1024, perSecond: 1_000_000, burst: 100)
        let program = try RulesProgram.running(rules)
        rules.limits[0].name = "limit"
        func table() throws -> SourceTable {
            try SourceTable(
                program.maps.sources,
                limits: Dictionary(
                    uniqueKeysWithValues: zip(
                        LimitNumbers().replaced(by: rules.limits).inForce, rules.limits)))
        }
        func round(_ times: Int) throws {
            for source in 0x0a00_0000..<0x0a00_1800 as Range<UInt32> {
                for _ in 0..<times { _ = try program.program.run(on: frame(from: source)) }
            }
        }
        try round(3)
        let before = try table()
        try round(2)
        let heaviest = try table().heaviest(6000, by: .packets, since: before)
        #expect(heaviest.count > 1000)
        #expect(heaviest.allSatisfy { $0.passed == 2 && $0.octets == 128 && $0.dropped == 0 })
    }

    @Test(arguments: [2, 10]) func whoseBucketIsFullGivesWayBeforeOthers(burst: Int) throws {
        // Of a bucket that fills in milliseconds nothing is lost when it goes; those of the others take more than half an
        // hour, and in the second case longer than the time that a tag can say.
        var rules = Self.rules(sources: 1024, perSecond: 0.001, burst: UInt64(burst))
        rules.limits[0].service = try FilterService("udp/5004")
        rules.limits[0].name = "slow"
        rules.limits.append(
            FilterLimit(
                name: "fast", scope: .source, service: try FilterService("udp/53"),
                packets: PacketRate(perSecond: 1000), packetBurst: 2))
        let program = try RulesProgram.running(rules)
        func passes(_ source: UInt32, port: UInt16) throws -> Bool {
            try program.program.run(on: frame(from: source, port: port)).verdict == FilterTrial.pass
        }
        for source in 0..<700 as Range<UInt32> {
            for _ in 0..<burst { #expect(try passes(source, port: 5004)) }
        }
        for source in 0..<50_000 as Range<UInt32> { #expect(try passes(source, port: 53)) }
        #expect(try Self.known(program.counters()) == UInt64(program.maps.sources.info.maxEntries * 14))
        let again = try (0..<700 as Range<UInt32>).filter { try passes($0, port: 5004) }
        #expect(again.isEmpty, "\(again.count) sources were forgotten")
    }
}
