import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// What a change of the rules leaves of what was: buckets, counters and bans. The program on the interface is run on
/// packets, so that nothing but these comes to it in the meantime.
@Suite(.serialized, .requires(.root)) struct ChangeTests {
    /// 198.51.100.7 and .8.
    private static let (first, second): (UInt32, UInt32) = (0xc633_6407, 0xc633_6408)

    /// Packets of this limit are few, and twenty of a source at a time ban it for ten minutes.
    private static func banning(_ name: String = "bans", service: String? = nil) throws -> FilterLimit {
        FilterLimit(
            name: name, scope: .source, service: try service.map { try FilterService($0) },
            packets: PacketRate(perSecond: 0.01), packetBurst: 1, ban: .init(over: 2, for: .seconds(600)))
    }

    private static func rules(_ limits: FilterLimit...) -> FilterRules {
        var rules = FilterRules()
        (rules.limits, rules.sourceCapacity) = (limits, 1024)
        return rules
    }

    /// A filter on an interface with these rules, and the program there.
    private func with(
        _ rules: FilterRules, _ body: (RateLimitFilter, BPFProgram) throws -> Void
    ) throws {
        let net = try Pair("change")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(rules, on: "vb", mode: .native)
            try body(filter, BPFProgram(opening: filter.store.path("entry")))
            try filter.unload()
        }
    }

    /// How many of some packets of a source pass.
    private func passed(
        _ program: BPFProgram, _ count: Int, from source: UInt32, port: UInt16 = 5004
    ) throws -> Int {
        let frame = frame(from: source, port: port)
        var passed = 0
        for _ in 0..<count where try program.run(on: frame).verdict == FilterTrial.pass { passed += 1 }
        return passed
    }

    private func banned(_ filter: RateLimitFilter) throws -> [String] {
        try filter.status().bans.map { "\($0.source) \($0.limit ?? "-")" }.sorted()
    }

    @Test func explanationsKnowWhoIsBannedAndBanNobody() throws {
        try with(Self.rules(Self.banning())) { filter, program in
            #expect(try passed(program, 20, from: Self.first) == 1)
            #expect(try banned(filter) == ["198.51.100.7 bans"])
            var explanation = try filter.explanation()
            #expect(try explanation.judge(frame(from: Self.first)).verdict == .reason(.banned))
            let verdicts = try (0..<20).map { _ in try explanation.judge(frame(from: Self.second)).verdict }
            #expect(verdicts[0] == .reason(.within) && verdicts[1] == .limit(0))
            #expect(verdicts[19] == .reason(.banned))
            // Ten minutes later it is over, in the trial.
            let later = try explanation.judge(frame(from: Self.first), at: 601_000_000_000)
            #expect(later.verdict == .reason(.within))
            #expect(try banned(filter) == ["198.51.100.7 bans"])
            #expect(try passed(program, 1, from: Self.second) == 1)
        }
    }

    @Test func explanationsKnowAllBans() throws {
        var rules = try Self.rules(Self.banning())
        rules.banCapacity = 2000
        try with(rules) { filter, program in
            for source in 0..<1000 as Range<UInt32> {
                _ = try passed(program, 20, from: 0x0a00_0000 + source)
            }
            let bans = try filter.status().bans.map(\.source)
            #expect(bans.count == 1000)
            var explanation = try filter.explanation()
            let known = try (0..<1000 as Range<UInt32>).count { source in
                try explanation.judge(frame(from: 0x0a00_0000 + source)).verdict == .reason(.banned)
            }
            #expect(known == 1000)
        }
    }

    @Test func whoWasBannedInADryRunIsNotBannedInEarnest() throws {
        var rules = try Self.rules(Self.banning())
        rules.isDryRun = true
        try with(rules) { filter, program in
            #expect(try passed(program, 20, from: Self.first) == 20)
            let dropped = try filter.status().limits[0].dropped.packets
            #expect(try banned(filter) == ["198.51.100.7 bans"])
            // What stays a dry run keeps them, as what would be in force is counted.
            try filter.add(FilterEntry(.port(PortRange(.udp, 53)), .deny))
            #expect(try banned(filter) == ["198.51.100.7 bans"])
            rules.isDryRun = false
            try filter.replace(rules)
            #expect(try banned(filter).isEmpty)
            // Its bucket is as it was, so it is dropped and banned now.
            #expect(try passed(program, 1, from: Self.first) == 0)
            #expect(try filter.status().limits[0].dropped.packets == dropped + 1)
            #expect(try passed(program, 20, from: Self.first) == 0)
            #expect(try banned(filter) == ["198.51.100.7 bans"])
            try filter.replace(rules)
            #expect(try banned(filter) == ["198.51.100.7 bans"])
        }
    }

    @Test func bansGoWithTheLimitThatMadeThem() throws {
        let (voice, names) = (
            try Self.banning("voice", service: "udp/5004"), try Self.banning("names", service: "udp/53")
        )
        try with(Self.rules(voice, names)) { filter, program in
            _ = try passed(program, 20, from: Self.first, port: 5004)
            _ = try passed(program, 20, from: Self.second, port: 53)
            #expect(try banned(filter) == ["198.51.100.7 voice", "198.51.100.8 names"])
            // Another rate is no other limit.
            var faster = voice
            faster.packets = PacketRate(perSecond: 100)
            try filter.set(faster)
            #expect(try banned(filter) == ["198.51.100.7 voice", "198.51.100.8 names"])
            #expect(try passed(program, 1, from: Self.first) == 0)
            // But one that no longer bans is, as is one that is gone.
            faster.ban = nil
            try filter.set(faster)
            #expect(try banned(filter) == ["198.51.100.8 names"])
            #expect(try passed(program, 1, from: Self.first) == 1)
            try filter.removeLimit(named: "names")
            #expect(try banned(filter).isEmpty)
            // They do not come back with the next limit that bans.
            try filter.set(try Self.banning("others", service: "tcp/80"))
            #expect(try banned(filter).isEmpty)
            #expect(try passed(program, 1, from: Self.second) == 1)
        }
    }

    @Test(arguments: [FilterLimit.Scope.all, .source, .prefix, .sourcePort])
    func aLimitWithAnotherRateBeginsAnew(_ scope: FilterLimit.Scope) throws {
        var limit = FilterLimit(
            name: "limit", scope: scope, service: try FilterService("udp/5004"),
            packets: PacketRate(perSecond: 1), packetBurst: 10_000)
        let other = FilterLimit(
            name: "other", scope: scope, service: try FilterService("udp/53"),
            packets: PacketRate(perSecond: 0.001), packetBurst: 5)
        try with(Self.rules(limit, other)) { filter, program in
            #expect(try passed(program, 7, from: Self.first, port: 53) == 5)
            let came = try passed(program, 11_000, from: Self.first)
            // As many as fit, and what comes in the seconds that this takes.
            #expect((10_000...10_060).contains(came))
            limit.packets = PacketRate(perSecond: 1e6)
            try filter.set(limit)
            #expect(try passed(program, 1000, from: Self.first) == 1000)
            // Its counter goes on, and what was not changed keeps its bucket.
            let dropped = try filter.status().limits.map(\.dropped.packets)
            #expect(dropped == [UInt64(11_000 - came), 2])
            #expect(try passed(program, 3, from: Self.first, port: 53) == 0)
            // The same in other words is no change: its burst is used up.
            limit.packets = PacketRate(perSecond: 0.01)
            limit.packetBurst = nil
            try filter.set(limit)
            #expect(try passed(program, 20, from: Self.first) == 10)
            limit.packetBurst = 10
            try filter.set(limit)
            #expect(try passed(program, 20, from: Self.first) == 0)
            limit.packetBurst = 20
            try filter.set(limit)
            #expect(try passed(program, 30, from: Self.first) == 20)
            let sources = try filter.sources()
            _ = try passed(program, 4, from: Self.first)
            let heaviest = try filter.sources().heaviest(1, by: .dropped, since: sources)
            #expect(heaviest.map(\.dropped) == (scope == .all ? [] : [4]))
            #expect(heaviest.allSatisfy { $0.limit == "limit" })
        }
    }

    /// Until the slot is written the program in force charges a bucket by its own numbers.
    @Test func aBucketThatIsFurtherAheadThanItsLimitBeginsAnew() throws {
        let map = try BPFMap<UInt32, apus_bucket>(
            creating: .array, name: "buckets", maxEntries: Int(APUS_FILTER_LIMITS))
        let (now, number): (UInt64, UInt32) = (5_000_000_000_000, 32 + 3)
        func bucket(aheadBy seconds: Double, octets: Bool) throws -> apus_bucket? {
            var bucket = apus_bucket()
            let time = now << UInt64(APUS_FILTER_TIME_SHIFT) + UInt64(seconds * RulesEncoding.second)
            if octets { bucket.octet_time = time } else { bucket.packet_time = time }
            try map.update(3, bucket)
            try FilterBuckets(map).reset(
                number,
                ifBeyond: FilterLimit(
                    scope: .all, packets: PacketRate(perSecond: 1000), bits: BitRate(perSecond: 8e6),
                    packetBurst: 500, octetBurst: 1_000_000), now: now)
            return try map.value(of: 3)
        }
        for octets in [false, true] {
            // Of packets half a second's worth fits, of octets a second's.
            let (kept, emptied) = (
                try bucket(aheadBy: octets ? 1 : 0.5, octets: octets),
                try bucket(aheadBy: 60, octets: octets)
            )
            #expect(
                kept.map { max($0.packet_time, $0.octet_time) } ?? 0 > now << UInt64(APUS_FILTER_TIME_SHIFT))
            let full = now << UInt64(APUS_FILTER_TIME_SHIFT)
            #expect(emptied.map { max($0.packet_time, $0.octet_time) } == full)
        }
    }

    @Test func theOldestBansGiveWay() throws {
        var rules = try Self.rules(Self.banning())
        rules.banCapacity = 64
        try with(rules) { filter, program in
            for source in 0..<1000 as Range<UInt32> {
                _ = try passed(program, 20, from: 0x0a00_0000 + source)
            }
            let status = try filter.status()
            print(
                "\(status.bans.count) of \(status.totalBans) bans are in force, \(status.banCapacity) can be")
            #expect(status.totalBans == 1000 && status.banCapacity == 64)
            #expect(status.bans.count <= 64 && status.bans.count >= 16)
            // Those are the last.
            let last = Set(status.bans.map { "\($0.source)" })
            #expect(last.contains("10.0.3.231"))
            #expect(!last.contains("10.0.0.0") && !last.contains("10.0.1.0"))
        }
    }

    /// As at a million, of which to make rules anew takes a minute here.
    @Test func entriesBeyondTheMostAreCounted() throws {
        func entry(_ text: String) throws -> FilterEntry { FilterEntry(try FilterSubject(text), .deny) }
        var rules = Self.rules()
        rules.entries = try ["192.0.2.1", "192.0.2.2", "198.51.100.0/24"].map(entry)
        try with(rules) { filter, _ in
            func mayTake(_ texts: String..., without others: [String] = [], of most: Int) throws -> Bool {
                let changes = try texts.map { FilterChange.put(try entry($0)) }
                return try filter.current().mayTake(
                    changes + others.map { .remove(try entry($0).subject) }, now: monotonicTime, most: most)
            }
            for new in ["192.0.2.3", "2001:db8::1", "203.0.113.0/24", "198.51.100.0/25"] {
                #expect(try !mayTake(new, of: 3))
                #expect(try mayTake(new, of: 4))
            }
            // What is there is changed.
            for old in ["192.0.2.1", "192.0.2.2", "198.51.100.0/24"] { #expect(try mayTake(old, of: 3)) }
            // A line with several, each of which counts once, and what has no part in it.
            #expect(try mayTake("192.0.2.3", "192.0.2.4", "192.0.2.1", "192.0.2.3", "gre", "udp/7", of: 5))
            #expect(try !mayTake("192.0.2.3", "192.0.2.4", "192.0.2.5", of: 5))
            #expect(try mayTake("192.0.2.3", without: ["192.0.2.1", "192.0.2.9"], of: 3))
            #expect(try !mayTake("192.0.2.3", "192.0.2.1", without: ["192.0.2.1"], of: 3))
            try filter.remove(entry("192.0.2.1").subject)
            #expect(try mayTake("192.0.2.3", of: 3))
            // What is over is none.
            var brief = try entry("192.0.2.7")
            brief.lifetime = FilterDuration(nanoseconds: 50_000_000)
            try filter.add(brief)
            #expect(try !mayTake("192.0.2.3", of: 3))
            usleep(60_000)
            #expect(try mayTake("192.0.2.3", of: 3))
        }
    }
}
