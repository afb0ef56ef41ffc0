import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// What a change of rules keeps and what it leaves behind, and lists of the largest sizes.
@Suite(.serialized, .requires(.root)) struct KeptTests {
    private static let second: UInt64 = 1_000_000_000

    /// Runs a test where a filter can be loaded on vb.
    private func inside(_ purpose: String, _ body: () throws -> Void) throws {
        let net = try Pair(purpose)
        defer { net.lab.close() }
        try net.b.enter(body)
    }

    private func passes(_ filter: RateLimitFilter, _ source: UInt32) throws -> Bool {
        let entry = try BPFProgram(opening: filter.store.path("entry"))
        return try entry.run(on: frame(from: source)).verdict == FilterTrial.pass
    }

    @Test func changesKeepBansAndLifetimesAndNothingOfTheRulesBefore() throws {
        try inside("kept") {
            var rules = FilterRules()
            var limit = FilterLimit(name: "each", scope: .source, packets: PacketRate(perSecond: 10))
            limit.ban = .init(over: 2, for: FilterDuration(nanoseconds: 600 * Self.second))
            rules.limits = [limit]
            let denied = FilterSubject.source(AddressPrefix("203.0.113.0/24")!)
            rules.entries = [
                FilterEntry(denied, .deny, lifetime: FilterDuration(nanoseconds: 600 * Self.second))
            ]
            let filter = try RateLimitFilter.load(rules, on: "vb")
            let (banned, other) = (UInt32(0xc633_6407), UInt32(0xc633_6408))
            for _ in 0..<60 { _ = try passes(filter, banned) }
            #expect(try filter.status().bans.map(\.source) == [IPAddress("198.51.100.7")!])
            sleep(2)

            // One in place, one by other rules, and a whole reload.
            try filter.add(FilterEntry(.source(AddressPrefix("192.0.2.0/24")!), .deny))
            try filter.set(FilterLimit(name: "all", scope: .all, packets: PacketRate(perSecond: 100_000)))
            var after = try filter.rules()
            after.fragments = .deny
            try filter.replace(after)

            #expect(try !passes(filter, banned) && passes(filter, other))
            #expect(try !passes(filter, 0xcb00_7105) && !passes(filter, 0xc000_0205))
            let status = try filter.status()
            #expect(status.totalBans == 1 && status.bans.count == 1)
            let entry = try #require(try filter.rules().entries.first { $0.subject == denied })
            let left = try #require(entry.lifetime).nanoseconds
            #expect((500 * Self.second...598 * Self.second).contains(left))
            #expect(try filter.store.generations().count == 1)
            try filter.unload()
        }
    }

    /// Whoever knew the secret could choose sources that meet in one set.
    @Test func eachFilterHasASecretOfItsOwn() throws {
        try inside("secret") {
            var secrets: Set<UInt64> = []
            for _ in 0..<3 {
                let filter = try RateLimitFilter.load(FilterRules(), on: "vb")
                let secret = try filter.current().state.secret
                #expect(secret.count == 8)
                secrets.formUnion(secret)
                try filter.replace(FilterRules())
                #expect(try filter.current().state.secret == secret)
                try filter.unload()
            }
            #expect(secrets.count == 24 && !secrets.contains(0))
        }
    }

    @Test func aHundredThousandEntriesAreInForce() throws {
        try inside("many") {
            var rules = FilterRules()
            rules.policy = .deny
            for number in 0..<50_000 as Range<UInt32> {
                // 10.0.0.0 on, of each eight addresses one and of each eight networks one.
                let address = IPAddress.v4(IPv4Address(bits: 0x0a00_0000 + number * 8))
                rules.entries.append(FilterEntry(.source(AddressPrefix(address, length: 32)), .allow))
                let network = IPAddress.v4(IPv4Address(bits: 0x0b00_0000 + number * 64))
                rules.entries.append(FilterEntry(.source(AddressPrefix(network, length: 29)), .allow))
            }
            let filter = try RateLimitFilter.load(rules, on: "vb")
            for number in stride(from: UInt32(0), to: 50_000, by: 4999) {
                #expect(try passes(filter, 0x0a00_0000 + number * 8))
                #expect(try !passes(filter, 0x0a00_0001 + number * 8))
                #expect(try passes(filter, 0x0b00_0007 + number * 64))
                #expect(try !passes(filter, 0x0b00_0008 + number * 64))
            }
            #expect(try filter.rules().entries.count == 100_000)
            try filter.unload()
        }
    }

    /// The map of single addresses is made for 4096 at first.
    @Test func whereAMapIsFullRulesAreMadeAnew() throws {
        try inside("full") {
            var rules = FilterRules()
            func entry(_ number: UInt32) -> FilterEntry {
                FilterEntry(
                    .source(AddressPrefix(.v4(IPv4Address(bits: 0x0a00_0000 + number)), length: 32)), .deny)
            }
            rules.entries = (0..<2040).map(entry)
            let filter = try RateLimitFilter.load(rules, on: "vb")
            #expect(try filter.current().maps.addresses.info.maxEntries == 4096)
            let before = try filter.current().generation
            for number in 2040..<4090 as Range<UInt32> {
                try filter.current().maps.addresses.update(
                    apus_address(.v4(IPv4Address(bits: 0x0a00_0000 + number))),
                    apus_entry(entry(number), now: 0))
            }
            for number in 4090..<4096 as Range<UInt32> { try filter.add(entry(number)) }
            #expect(try filter.current().generation == before)
            for number in 4096..<4100 as Range<UInt32> { try filter.add(entry(number)) }
            #expect(try filter.current().generation == before + 1)
            #expect(try !passes(filter, 0x0a00_0000) && !passes(filter, 0x0a00_0000 + 4095))
            #expect(try !passes(filter, 0x0a00_0000 + 4099) && passes(filter, 0x0a00_0000 + 4100))
            try filter.unload()
        }
    }
}
