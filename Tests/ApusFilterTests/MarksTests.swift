import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import NetworkLab
import Seeds
import Testing

@testable import ApusFilter

/// The bits by which most packets are not looked up.
@Suite(.serialized, .requires(.root)) struct MarksTests {
    @Test func thereAreSixteenBitsForEachMark() {
        #expect(FilterMarks.words(for: 0) == 1)
        for marks in [1, 100, 4096] { #expect(FilterMarks.words(for: marks) * 64 == 65_536) }
        #expect(FilterMarks.words(for: 5000) * 64 == 131_072)
        #expect(FilterMarks.words(for: 100_000) * 64 == 2_097_152)
        for marks in [262_144, 1_000_000, .max] { #expect(FilterMarks.words(for: marks) * 64 == 4_194_304) }
        #expect(FilterMarks.shift(words: 1) == 58 && FilterMarks.shift(words: 1024) == 48)
    }

    @Test func marksAreCountedAsFarAsItIsWorth() {
        func count(_ texts: String...) -> Int { FilterMarks.count(of: texts.map { AddressPrefix($0)! }) }
        #expect(count("192.0.2.1/32", "192.0.2.0/24", "2001:db8::/32", "2001:db8::1/128") == 4)
        #expect(count("192.0.2.0/23") == 2 && count("10.0.0.0/9") == 32_768)
        #expect(count("2001:db8::/31") == 2 && count("2001::/17") == 32_768)
        // What everyone's list has: few bits.
        #expect(
            count("10.0.0.0/8", "224.0.0.0/4", "fc00::/7", "fe80::/10", "ff00::/8") == 1 + 16 + 512 + 64 + 256
        )
        #expect(count("0.0.0.0/0", "::/0") == 256 + 65_536)
    }

    /// An address by its number, of 32 or 128 bits.
    private static func address(_ number: UInt128, _ bits: Int) -> IPAddress {
        bits == 32
            ? .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: number)))
            : .v6(
                IPv6Address(
                    high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number)))
    }

    /// A datagram from it.
    private static func packet(_ number: UInt128, _ bits: Int) -> [UInt8] {
        guard bits == 128 else { return frame(from: UInt32(truncatingIfNeeded: number)) }
        let source = (0..<16).map { UInt8(truncatingIfNeeded: number >> UInt128(120 - 8 * $0)) }
        return [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 10, 17, 64]
            + source
            + [0x20, 1, 0xd, 0xb8] + [UInt8](repeating: 0, count: 12) + [
                0x0f, 0xa0, 0x13, 0x8c, 0, 10, 0, 0, 1, 2,
            ]
    }

    /// A prefix of a length, its first address and how many follow that.
    private static func prefix(_ bits: Int, _ length: Int) -> (AddressPrefix, first: UInt128, last: UInt128) {
        let number: UInt128 = bits == 32 ? 0xb4a5_5a96 : 0x2a01_b4a5_5a96_0f0f_1234_5678_9abc_def0
        let rest = length == bits ? 0 : UInt128.max >> UInt128(128 - bits + length)
        let first = number & ~rest
        return (AddressPrefix(address(first, bits), length: length), first, first | rest)
    }

    static let lengths =
        [0, 1, 7, 8, 9, 16, 22, 23, 24, 25, 31, 32].map { (32, $0) }
        + [0, 1, 7, 15, 16, 17, 29, 31, 32, 33, 47, 48, 49, 64, 127, 128].map { (128, $0) }

    /// Of an entry of each length the first address, the last and one between are denied, and those before and behind are
    /// not; and once the marks are gone nothing is looked up.
    @Test(arguments: [false, true]) func entriesOfEachLengthAreFound(hasPerfmon: Bool) throws {
        for (bits, length) in Self.lengths {
            let (prefix, first, last) = Self.prefix(bits, length)
            var rules = FilterRules()
            rules.entries = [FilterEntry(.source(prefix), .deny)]
            let program = try ModelTests.program(rules, start: 1, hasPerfmon: hasPerfmon)
            func passes(_ number: UInt128) throws -> Bool {
                try program.judge(Self.packet(number, bits), at: 1000).passed
            }
            for number in [first, first + (last - first) / 3, last] {
                #expect(try !passes(number), "\(prefix), \(Self.address(number, bits))")
            }
            if length > 0 { #expect(try passes(first &- 1) && passes(last &+ 1), "\(prefix)") }
            let words = program.maps.listMarks.info.maxEntries
            try program.maps.listMarks.update(
                (0..<UInt32(words)).map { $0 }, values: [UInt64](repeating: 0, count: words))
            #expect(try passes(first) && passes(last), "\(prefix): the marks are not looked at")
        }
    }

    /// An entry that is added to lists that are in force: as soon as it is there its packets are looked up.
    @Test func entriesThatAreAddedAreFound() throws {
        let net = try Pair("marks")
        defer { net.lab.close() }
        try net.b.enter {
            var rules = FilterRules()
            rules.entries = try ["198.51.100.7", "198.51.100.128/25"].map {
                FilterEntry(try FilterSubject($0), .deny)
            }
            let filter = try RateLimitFilter.load(rules, on: "vb", mode: .native)
            let entry = try BPFProgram(opening: filter.store.path("entry"))
            for (bits, length) in Self.lengths.reversed() where length > 0 {
                let (prefix, first, last) = Self.prefix(bits, length)
                func passes(_ number: UInt128) throws -> Bool {
                    try entry.run(on: Self.packet(number, bits)).verdict == FilterTrial.pass
                }
                #expect(try passes(first) && passes(last), "\(prefix)")
                try filter.add(FilterEntry(.source(prefix), .deny))
                #expect(
                    try !passes(first) && !passes(last) && passes(first &- 1) && passes(last &+ 1),
                    "\(prefix)")
                try filter.remove(.source(prefix))
            }
            // What would leave hardly a bit that is not set gets a larger map, with other marks.
            let small = try filter.current().maps.listMarks.info
            try filter.add(FilterEntry(.source(AddressPrefix("16.0.0.0/9")!), .deny))
            let large = try filter.current().maps.listMarks.info
            #expect(large.id != small.id && large.maxEntries > small.maxEntries)
            try filter.unload()
        }
    }

    @Test func fewOthersHaveTheMarkOfAnEntry() throws {
        var random = Seeded(7)
        var rules = FilterRules()
        let sources = Set((0..<20_000).map { _ in UInt32.random(in: 0..<0x8000_0000, using: &random) })
        rules.entries = sources.map {
            FilterEntry(.source(AddressPrefix(.v4(IPv4Address(bits: $0)), length: 32)), .deny)
        }
        let program = try ModelTests.program(rules, start: 1)
        let share = try Self.share(of: program.maps.listMarks)
        #expect(share > 0.01 && share < 1.0 / 16, "\(share) of the bits are set")
    }

    private static func share(of marks: BPFMap<UInt32, UInt64>) throws -> Double {
        var bits = 0
        try marks.forEachChunk { _, values in
            for i in values.indices { bits += values[i].nonzeroBitCount }
        }
        return Double(bits) / Double(marks.info.maxEntries * 64)
    }

    /// The bits of a ban are set by the program, and of one that is taken over by who copies it.
    @Test(arguments: [false, true]) func bansThatAreTakenOverAreFound(keepsTables: Bool) throws {
        var rules = FilterRules()
        var limit = FilterLimit(scope: .source, packets: PacketRate(perSecond: 1000), packetBurst: 1)
        limit.ban = .init(over: 2, for: FilterDuration(nanoseconds: 1_000_000_000_000))
        rules.limits = [limit]
        let numbers = LimitNumbers().replaced(by: rules.limits).inForce
        let program = try ModelTests.program(rules, start: 1)
        let banned = frame(from: 0xc633_6407)
        for _ in 0..<5000 { _ = try program.judge(banned, at: 1000) }
        #expect(try program.judge(banned, at: 1000).verdict == .reason(.banned))
        let next = try RulesProgram(
            rules, numbers: numbers, secret: RulesEncoding.knownSecret,
            caller: .alone(takesFragments: true), now: 1000,
            FilterInheritance(maps: program.maps, keepsLists: true, keepsTables: keepsTables), isTrial: true)
        #expect(next.maps.banMarks.info.id != program.maps.banMarks.info.id)
        #expect(try next.judge(banned, at: 1000).verdict == .reason(.banned))
        #expect(try next.judge(frame(from: 0xc633_6408), at: 1000).passed)
        let words = next.maps.banMarks.info.maxEntries
        try next.maps.banMarks.update(
            (0..<UInt32(words)).map { $0 }, values: [UInt64](repeating: 0, count: words))
        #expect(try next.judge(banned, at: 1000).verdict != .reason(.banned))
        // What is over leaves no mark to the next.
        let last = try RulesProgram(
            rules, numbers: numbers, secret: RulesEncoding.knownSecret,
            caller: .alone(takesFragments: true), now: 2_000_000_000_000,
            FilterInheritance(maps: next.maps, keepsLists: true, keepsTables: keepsTables), isTrial: true)
        #expect(try Self.share(of: last.maps.banMarks) == 0)
    }
}
