import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// Times of all sizes: of the machine, of buckets, of entries and bans.
@Suite(.serialized, .requires(.root)) struct TimeTests {
    private static let second: UInt64 = 1_000_000_000
    private static let year = 31_557_600 * second

    private static func limit(_ scope: FilterLimit.Scope, _ service: String) throws -> FilterLimit {
        FilterLimit(
            name: service, scope: scope, service: try FilterService(service),
            packets: PacketRate(perSecond: 1), packetBurst: 3)
    }

    /// The times of buckets have a sign at 4.57 years, and begin anew at 9.13.
    @Test(arguments: [0.0, 2, 4.5, 4.57, 4.6, 6.8, 8, 9.13, 9.2, 13.7, 20])
    func bucketsFillHoweverLongTheMachineIsUp(years: Double) throws {
        var rules = FilterRules()
        rules.limits = [try Self.limit(.source, "udp/5004"), try Self.limit(.all, "udp/53")]
        var now = UInt64(years * Double(Self.year)) + Self.second
        let program = try ModelTests.program(rules, start: now)
        func passes(_ source: UInt32, port: UInt16) throws -> Int {
            var passed = 0
            for _ in 0..<5 {
                passed += try program.judge(frame(from: source, port: port), at: now).passed ? 1 : 0
            }
            return passed
        }
        for (source, port) in [(0x0a00_0001, 5004), (0x0a00_0001, 53)] as [(UInt32, UInt16)] {
            #expect(try passes(source, port: port) == 3)
            now += Self.second
            #expect(try passes(source, port: port) == 1)
            // Nobody sends for long, and then again.
            now += 5 * Self.year
            #expect(try passes(source, port: port) == 3)
            #expect(try passes(source + 1, port: port) == (port == 53 ? 0 : 3))
        }
    }

    /// An address within a prefix within others, and a port within ranges: what is over gives way to what is around it.
    @Test func whatIsOverGivesWayToWhatIsAroundIt() throws {
        var rules = FilterRules()
        func entry(_ subject: FilterSubject, _ verdict: FilterPolicy, _ seconds: UInt64? = nil) -> FilterEntry
        {
            FilterEntry(
                subject, verdict, lifetime: seconds.map { FilterDuration(nanoseconds: $0 * Self.second) })
        }
        rules.entries = [
            entry(.source(AddressPrefix("10.0.0.0/8")!), .deny),
            entry(.source(AddressPrefix("10.1.0.0/16")!), .allow, 40),
            entry(.source(AddressPrefix("10.1.2.0/24")!), .deny, 30),
            entry(.source(AddressPrefix("10.1.2.128/25")!), .allow, 20),
            entry(.source(AddressPrefix("10.1.2.129/32")!), .deny, 10),
            entry(.port(PortRange(.udp, 1, through: 6000)), .deny),
            entry(.port(PortRange(.udp, 5000, through: 5010)), .allow, 40),
            entry(.port(PortRange(.udp, 5004, through: 5004)), .deny, 20),
        ]
        try rules.validate()
        let start = 100 * Self.second
        let program = try ModelTests.program(rules, start: start)
        let (address, other) = (UInt32(0x0a01_0281), UInt32(0xc633_6407))
        for (seconds, source, port) in [
            (5, FilterReason.deniedSource, FilterReason.deniedPort), (15, .allowedSource, .deniedPort),
            (25, .deniedSource, .within), (35, .allowedSource, .within), (45, .deniedSource, .deniedPort),
        ] as [(UInt64, FilterReason, FilterReason)] {
            let now = start + seconds * Self.second
            #expect(try program.judge(frame(from: address, port: 9), at: now).verdict == .reason(source))
            #expect(try program.judge(frame(from: other), at: now).verdict == .reason(port))
        }
    }

    /// The same for an entry that came later, by itself.
    @Test func whatWasAddedAndIsOverGivesWayToWhatIsAroundIt() throws {
        let net = try Pair("lapse")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            rules.entries = [FilterEntry(.source(AddressPrefix("10.0.0.0/8")!), .deny)]
            let filter = try RateLimitFilter.load(rules, on: "vb", mode: .native)
            let entry = try BPFProgram(opening: filter.store.path("entry"))
            func passes() throws -> Bool {
                try entry.run(on: frame(from: 0x0a01_0203)).verdict == FilterTrial.pass
            }
            #expect(try !passes())
            let added = monotonicTime
            try filter.add(
                FilterEntry(
                    .source(AddressPrefix("10.1.0.0/16")!), .allow,
                    lifetime: FilterDuration(nanoseconds: 2 * Self.second)))
            // Unless all that stood still until it was over.
            #expect(try passes() || monotonicTime - added > 2 * Self.second)
            let left = try filter.rules().entries.first { $0.verdict == .allow }?.lifetime?.nanoseconds ?? 0
            #expect(left <= 2 * Self.second && (left > 0 || monotonicTime - added > 2 * Self.second))
            try eventually("it is over") { try !passes() }
            #expect(monotonicTime - added > 2 * Self.second - 4_000_000)
            try filter.unload()
        }
    }

    /// 66 times the bits of a limit, and hardly its packets.
    @Test(arguments: [[true, true], [false, true], [true, false]])
    func whoOverrunsOneOfTwoRatesIsBanned(kinds: [Bool]) throws {
        var rules = FilterRules()
        var limit = FilterLimit(name: "player", scope: .source)
        if kinds[0] { limit.packets = PacketRate(perSecond: kinds[1] ? 3000 : 10) }
        if kinds[1] { limit.bits = BitRate(perSecond: 512_000) }
        limit.ban = .init(over: 20, for: FilterDuration(nanoseconds: 60 * Self.second))
        rules.limits = [limit]
        try rules.validate()
        let program = try ModelTests.program(rules, start: Self.second)
        for number in 0..<28_000 as Range<UInt64> {
            _ = try program.judge(
                frame(from: 0x0a00_0001, octets: 1514), at: Self.second + number * Self.second / 2800)
        }
        let counters = try program.counters()
        #expect(counters[APUS_TABLE_BANNED] == 1 && counters[.banned].packets > 15_000)
    }

    /// A tenth more than a rate of 30 a minute is no overrun by a factor of two.
    @Test func oneDropIsNoOverrun() throws {
        var rules = FilterRules()
        var limit = FilterLimit(
            name: "few", scope: .source, packets: PacketRate(perSecond: 0.5), packetBurst: 3)
        limit.ban = .init(over: 2, for: FilterDuration(nanoseconds: 600 * Self.second))
        rules.limits = [limit]
        let program = try ModelTests.program(rules, start: Self.second)
        for number in 0..<100 as Range<UInt64> {
            _ = try program.judge(frame(from: 0x0a00_0001), at: Self.second + number * Self.second * 60 / 33)
        }
        #expect(try program.counters()[.banned].packets == 0)
    }
}
