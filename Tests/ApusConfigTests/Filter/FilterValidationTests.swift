import ApusConfig
import ApusWire
import Testing

/// Rules that were made in code are checked as those from files are, where a text can't go wrong as well.
@Suite struct FilterValidationTests {
    private func expect(
        _ message: String, sourceLocation: Testing.SourceLocation = #_sourceLocation,
        _ change: (inout FilterRules) -> Void
    ) {
        var rules = FilterRules()
        change(&rules)
        do {
            try rules.validate()
            Issue.record("the rules were taken", sourceLocation: sourceLocation)
        } catch {
            #expect("\(error)" == message, sourceLocation: sourceLocation)
        }
    }

    private func limit(_ change: (inout FilterLimit) -> Void) -> FilterLimit {
        var limit = FilterLimit(scope: .source, packets: PacketRate(perSecond: 1000))
        change(&limit)
        return limit
    }

    @Test func `entries that were made in code are checked`() {
        let hostBits = AddressPrefix("192.0.2.1/24")!
        let complaint =
            "192.0.2.1/24 has bits set behind its prefix; write \"192.0.2.0/24\", or \"192.0.2.1\" for the one address"
        expect(complaint) { $0.entries = [FilterEntry(.source(hostBits), .deny)] }
        expect(complaint) { $0.management = [ManagementService($0.management[0].service, from: [hostBits])] }
        expect(complaint) {
            $0.limits = [limit { $0.service = FilterService(destination: hostBits) }]
        }
        expect("::ffff:192.0.2.1 is of IPv4 in the guise of IPv6; write \"192.0.2.1\"") {
            $0.entries = [FilterEntry(.source(AddressPrefix("::ffff:192.0.2.1/128")!), .deny)]
        }
        expect("a range begins with the lower port: 20-30") {
            $0.entries = [FilterEntry(.port(PortRange(.udp, 30, through: 20)), .deny)]
        }
        for nanoseconds in [0, 999_999, UInt64.max, FilterDuration.range.upperBound.nanoseconds + 1] {
            let time = FilterDuration(nanoseconds: nanoseconds)
            expect(
                "expected a time from 1 ms to 365 days, such as \"90s\", \"10m\" or \"1h30m\", found \"\(time)\""
            ) { $0.entries = [FilterEntry(.ipProtocol(1), .deny, lifetime: time)] }
        }
    }

    @Test func `limits that were made in code are checked`() {
        expect("the limit has no rate; give it one, such as \"1000pps\"") {
            $0.limits = [FilterLimit(scope: .all)]
        }
        for rate in [0, -1, 1e10, .nan, .infinity] {
            let packets = PacketRate(perSecond: rate)
            expect(
                "expected a rate of packets from 0.001 to 1000000000 a second, such as \"1000pps\", \"10kpps\" or "
                    + "\"30/m\", found \"\(packets)\""
            ) { $0.limits = [limit { $0.packets = packets }] }
        }
        for rate in [0, 7.9, 1.1e12, .nan] {
            let bits = BitRate(perSecond: rate)
            expect(
                "expected a rate of bits from 8 bit to 1000 Gbit a second, such as \"64kbit\", \"50Mbit\" or "
                    + "\"1Gbit\", found \"\(bits)\""
            ) { $0.limits = [limit { $0.bits = bits }] }
        }
        expect(
            "expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "
                + "\"64KiB\", found \"0\""
        ) { $0.limits = [limit { $0.packetBurst = 0 }] }
        expect(
            "expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "
                + "\"64KiB\", found \"1513 octets\""
        ) { $0.limits = [limit { ($0.bits, $0.octetBurst) = (BitRate(perSecond: 1e6), 1513) }] }
        expect("expected how many times the rate is too much, from 1.01 to 1000, found nan") {
            $0.limits = [limit { $0.ban = .init(over: .nan, for: .seconds(1)) }]
        }
        expect("expected a time from 1 ms to 365 days, such as \"90s\", \"10m\" or \"1h30m\", found \"0s\"") {
            $0.limits = [limit { $0.ban = .init(over: 2, for: .seconds(0)) }]
        }
        expect(
            "a prefix of IPv4 has 0 to 32 bits, found \"/33\"\na prefix of IPv6 has 0 to 128 bits, found \"/255\""
        ) {
            $0.limits = [limit { $0.scope = .prefix(ipv4: 33, ipv6: 255) }]
        }
        expect("icmp has no ports that are looked at; only tcp and udp have") {
            $0.limits = [limit { $0.service = FilterService(ipProtocol: 1, ports: 1...2) }]
        }
        expect(
            "a service says at least one of \"to\", \"protocol\" and \"ports\", such as { protocol: \"udp\" }"
        ) {
            $0.management = [ManagementService(FilterService())]
        }
        expect("there are 33 limits, and 32 at most are possible") {
            $0.limits = (0..<33).map { port in
                limit { $0.service = FilterService(ipProtocol: 17, ports: port...port) }
            }
        }
    }

    @Test(arguments: [
        ("192.0.2.0/24", 200, "a prefix of 192.0.2.0 has 0 to 32 bits, found 200"),
        ("192.0.2.0/24", -1, "a prefix of 192.0.2.0 has 0 to 32 bits, found -1"),
        ("2001:db8::/32", 129, "a prefix of 2001:db8:: has 0 to 128 bits, found 129"),
        ("::ffff:192.0.2.0/120", 400, "a prefix of ::ffff:192.0.2.0 has 0 to 128 bits, found 400"),
    ])
    func `lengths that no prefix has are refused wherever prefixes are`(
        text: String, length: Int, message: String
    ) throws {
        var prefix = try #require(AddressPrefix(text))
        prefix.length = length
        expect(message) { $0.entries = [FilterEntry(.source(prefix), .deny)] }
        expect(message) { $0.management = [ManagementService(FilterRules.ssh.service, from: [prefix])] }
        expect(message) {
            $0.limits = [limit { $0.service = FilterService(destination: prefix, ipProtocol: 17) }]
        }
    }

    @Test func `ranges at their ends are taken`() throws {
        var rules = FilterRules()
        rules.sourceCapacity = 16_777_216
        rules.banCapacity = 1
        rules.entries = [
            FilterEntry(
                .source(AddressPrefix("0.0.0.0/0")!), .deny, lifetime: FilterDuration.range.lowerBound),
            FilterEntry(.source(AddressPrefix("::/0")!), .deny, lifetime: FilterDuration.range.upperBound),
            FilterEntry(.port(PortRange(nil, 0, through: 65_535)), .deny),
            FilterEntry(.ipProtocol(0), .deny), FilterEntry(.ipProtocol(255), .deny),
        ]
        rules.limits = [
            FilterLimit(
                scope: .prefix(ipv4: 0, ipv6: 0), packets: PacketRate(perSecond: 0.001), packetBurst: 86),
            FilterLimit(
                scope: .prefix(ipv4: 32, ipv6: 128), packets: PacketRate(perSecond: 1e9),
                packetBurst: 1_000_000_000),
            FilterLimit(scope: .all, bits: BitRate(perSecond: 8), octetBurst: 1514),
            FilterLimit(
                scope: .source, bits: BitRate(perSecond: 1e12), octetBurst: 1 << 40,
                ban: .init(over: 1000, for: .seconds(1))),
        ]
        try rules.validate()
        #expect(try filter(rules.text) == rules)
    }

    @Test func `a million prefixes are the most`() {
        var rules = FilterRules()
        rules.entries = (0...FilterRules.mostPrefixes).map {
            FilterEntry(.source(AddressPrefix(.v4(IPv4Address(bits: UInt32($0))), length: 32)), .deny)
        }
        #expect {
            try rules.validate()
        } throws: {
            "\($0)" == "there are more than 1000000 addresses and prefixes; write shorter prefixes"
        }
        rules.entries.removeLast()
        #expect(throws: Never.self) { try rules.validate() }
    }
}
