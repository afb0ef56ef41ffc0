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
    @Test func thereAreSixteenBitsForEachNetwork() {
        #expect(FilterMarks.words(for: 0) == 1)
        for networks in [1, 100, 4096] { #expect(FilterMarks.words(for: networks) * 64 == 65_536) }
        #expect(FilterMarks.words(for: 5000) * 64 == 131_072)
        #expect(FilterMarks.words(for: 100_000) * 64 == 2_097_152)
        for networks in [262_144, 1_000_000, .max] {
            #expect(FilterMarks.words(for: networks) * 64 == 4_194_304)
        }
        #expect(FilterMarks.shift(words: 1) == 58 && FilterMarks.shift(words: 1024) == 48)
    }

    @Test func networksAreCountedAsFarAsItIsWorth() {
        func count(_ texts: String...) -> Int { FilterMarks.networks(of: texts.map { AddressPrefix($0)! }) }
        #expect(count("192.0.2.1/32", "192.0.2.0/24", "2001:db8::/48", "2001:db8::1/128") == 4)
        #expect(count("192.0.2.0/23") == 2 && count("10.0.0.0/8") == 65_536)
        #expect(count("2001:db8::/32") == 65_536)
        let most = count("0.0.0.0/0")
        #expect(count("::/0") == most && count("::/0", "0.0.0.0/0") == most && count("10.0.0.0/7") < most)
    }

    /// Of an entry of each length the first address, the last and one between are denied, and those before and behind are
    /// not, by the program; and as few others have the mark of one of these as there should be.
    @Test(arguments: [false, true]) func entriesOfEachLengthAreFound(hasPerfmon: Bool) throws {
        for length in [0, 1, 7, 8, 9, 16, 22, 23, 24, 25, 31, 32] {
            let first: UInt32 = 0xb400_0000
            let prefix = AddressPrefix(
                .v4(IPv4Address(bits: first & ~UInt32(UInt64(1) << UInt64(32 - length) - 1))), length: length)
            guard case .v4(let start) = prefix.address else { return }
            let size = UInt64(1) << UInt64(32 - length)
            var rules = FilterRules()
            rules.entries = [FilterEntry(.source(prefix), .deny)]
            let program = try ModelTests.program(rules, start: 1, hasPerfmon: hasPerfmon)
            for offset in [0, size / 3, size - 1] {
                let source = UInt32(truncatingIfNeeded: UInt64(start.bits) + offset)
                #expect(try !program.judge(frame(from: source), at: 1000).passed, "/\(length) + \(offset)")
            }
            guard length > 0 else { continue }
            for source in [start.bits &- 1, UInt32(truncatingIfNeeded: UInt64(start.bits) + size)] {
                #expect(try program.judge(frame(from: source), at: 1000).passed, "/\(length)")
            }
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
        let words = program.maps.listMarks.info.maxEntries
        var bits = 0
        try program.maps.listMarks.forEachChunk { _, values in
            for i in values.indices { bits += values[i].nonzeroBitCount }
        }
        let share = Double(bits) / Double(words * 64)
        #expect(share > 0.01 && share < 1.0 / 16, "\(share) of the bits are set")
    }

    /// The bits of a ban are set by the program, and of one that is taken over by who copies it.
    @Test func bansThatAreTakenOverAreFound() throws {
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
            rules, numbers: numbers, secret: RulesEncoding.knownSecret, caller: .alone(takesFragments: true),
            now: 1000,
            FilterInheritance(maps: program.maps, keepsLists: true, keepsTables: false), isTrial: true)
        #expect(next.maps.banMarks.info.id != program.maps.banMarks.info.id)
        #expect(try next.judge(banned, at: 1000).verdict == .reason(.banned))
        #expect(try next.judge(frame(from: 0xc633_6408), at: 1000).passed)
    }
}
