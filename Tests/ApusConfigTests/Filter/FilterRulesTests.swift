import ApusConfig
import ApusWire
import Testing

/// A file that uses each key there is.
let completeFilter = """
    // A streaming server.
    {
      policy: "deny", dryRun: true, malformed: "allow", fragments: "deny", notIP: "deny", limitNeighbors: true,
      management: ["tcp/22", { service: "192.0.2.1 tcp/443", from: ["198.51.100.0/24", "203.0.113.7"] }],
      sources: 0x10000, bans: 100,
      allow: ["udp/5004-5007", { match: "198.51.100.7", limited: true }, "icmp6"],
      deny: [
        '203.0.113.0/24', 'from:udp/11211', "port/53", { match: "2001:db8:bad::/48", for: "1h30m" }, "protocol/253",
      ],
      limits: [
        { name: "cameras", each: "source", service: "udp/5004", rate: ["1000pps", "10Mbit"], burst: ["200", "64KiB"],
          ban: { over: 10, for: "10m" } },
        { each: "prefix", prefixes: ["/20", "/48"], service: { to: "192.0.2.0/24", protocol: "udp", ports: "5004-5007" },
          rate: "2.5Mbit", burst: "1MB" },
        { each: "sourcePort", rate: "30/m", burst: 5 },
        { service: "icmp", rate: "100/s" },
        { service: { protocol: 47 }, rate: "1Gbit/s" },
        { service: { to: "2001:db8::1", ports: 53 }, rate: "10kpps" },
      ],
    }
    """

func filter(_ text: String) throws(ConfigurationErrors) -> FilterRules {
    try FilterRules(parsing: text, name: "x.json5")
}

@Suite struct FilterRulesTests {
    @Test func `each key of the filter's rules is read`() throws {
        var built = FilterRules()
        (built.policy, built.isDryRun, built.malformed) = (.deny, true, .allow)
        (built.fragments, built.notIP, built.limitsNeighbors) = (.deny, .deny, true)
        (built.sourceCapacity, built.banCapacity) = (65_536, 100)
        built.management = [
            ManagementService(FilterService(ipProtocol: 6, ports: 22...22)),
            ManagementService(
                FilterService(destination: prefix("192.0.2.1/32"), ipProtocol: 6, ports: 443...443),
                from: [prefix("198.51.100.0/24"), prefix("203.0.113.7/32")]),
        ]
        built.entries = [
            FilterEntry(.port(PortRange(.udp, 5004, through: 5007)), .allow),
            FilterEntry(.source(prefix("198.51.100.7/32")), .allow, isLimited: true),
            FilterEntry(.ipProtocol(58), .allow),
            FilterEntry(.source(prefix("203.0.113.0/24")), .deny),
            FilterEntry(.sourcePort(PortRange(.udp, 11_211)), .deny),
            FilterEntry(.port(PortRange(nil, 53)), .deny),
            FilterEntry(.source(prefix("2001:db8:bad::/48")), .deny, lifetime: .seconds(5400)),
            FilterEntry(.ipProtocol(253), .deny),
        ]
        built.limits = [
            FilterLimit(
                name: "cameras", scope: .source, service: FilterService(ipProtocol: 17, ports: 5004...5004),
                packets: PacketRate(perSecond: 1000), bits: BitRate(perSecond: 10e6), packetBurst: 200,
                octetBurst: 65_536, ban: .init(over: 10, for: .seconds(600))),
            FilterLimit(
                scope: .prefix(ipv4: 20, ipv6: 48),
                service: FilterService(
                    destination: prefix("192.0.2.0/24"), ipProtocol: 17, ports: 5004...5007),
                bits: BitRate(perSecond: 2.5e6), octetBurst: 1_000_000),
            FilterLimit(scope: .sourcePort, packets: PacketRate(perSecond: 0.5), packetBurst: 5),
            FilterLimit(
                scope: .all, service: FilterService(ipProtocol: 1), packets: PacketRate(perSecond: 100)),
            FilterLimit(scope: .all, service: FilterService(ipProtocol: 47), bits: BitRate(perSecond: 1e9)),
            FilterLimit(
                scope: .all, service: FilterService(destination: prefix("2001:db8::1/128"), ports: 53...53),
                packets: PacketRate(perSecond: 10_000)),
        ]
        #expect(try filter(completeFilter) == built)
        try built.validate()
        #expect(try filter(built.text) == built)
    }

    @Test func `an empty object is the defaults, which let all pass and keep SSH`() throws {
        let rules = try filter("{}")
        #expect(rules == FilterRules())
        #expect(
            rules.text == """
                {
                  policy: "allow",
                  management: [
                    "tcp/22",
                  ],
                }

                """)
        #expect(rules.sourceCapacity == 131_072 && rules.banCapacity == 16_384 && rules.malformed == .deny)
        #expect(try filter("{ management: [] }").management.isEmpty)
        #expect(try filter("{ management: [] }").text.contains("management: []"))
    }

    @Test func `a text of rules is read by people as well`() throws {
        #expect(
            try filter(completeFilter).text == """
                {
                  policy: "deny",
                  dryRun: true,
                  malformed: "allow",
                  fragments: "deny",
                  notIP: "deny",
                  limitNeighbors: true,
                  management: [
                    "tcp/22",
                    { service: "192.0.2.1 tcp/443", from: ["198.51.100.0/24", "203.0.113.7"] },
                  ],
                  sources: 65536,
                  bans: 100,
                  allow: [
                    "udp/5004-5007",
                    { match: "198.51.100.7", limited: true },
                    "icmp6",
                  ],
                  deny: [
                    "203.0.113.0/24",
                    "from:udp/11211",
                    "port/53",
                    { match: "2001:db8:bad::/48", for: "1h30m" },
                    "protocol/253",
                  ],
                  limits: [
                    { name: "cameras", each: "source", service: "udp/5004", rate: ["1kpps", "10Mbit"], burst: [200, "64KiB"], ban: { over: 10, for: "10m" } },
                    { each: "prefix", prefixes: ["/20", "/48"], service: "192.0.2.0/24 udp/5004-5007", rate: "2.5Mbit", burst: "1MB" },
                    { each: "sourcePort", rate: "0.5pps", burst: 5 },
                    { service: "icmp", rate: "100pps" },
                    { service: "gre", rate: "1Gbit" },
                    { service: "2001:db8::1 port/53", rate: "10kpps" },
                  ],
                }

                """)
    }

    @Test func `limits without a name are called by their scope and service`() throws {
        #expect(
            try filter(completeFilter).limits.map(\.name) == [
                "cameras", "prefix /20 /48 192.0.2.0/24 udp/5004-5007", "sourcePort", "all icmp", "all gre",
                "all 2001:db8::1 port/53",
            ])
        let long = FilterLimit(
            scope: .prefix(ipv4: 32, ipv6: 128),
            service: FilterService(
                destination: prefix("2001:db8:1111:2222:3333:4444:5555:6666/128"), ports: 60_000...60_001))
        #expect(long.name.unicodeScalars.count == 64 && long.name.hasSuffix("…"))
    }

    @Test func `bursts that nobody gave are a tenth of a second's worth, and not too few`() {
        func bursts(_ packets: Double, _ bits: Double) -> [UInt64?] {
            let limit = FilterLimit(
                scope: .all, packets: PacketRate(perSecond: packets), bits: BitRate(perSecond: bits))
            return [limit.effectivePacketBurst, limit.effectiveOctetBurst]
        }
        #expect(bursts(1000, 10e6) == [100, 125_000])
        #expect(bursts(1005, 1_211_208) == [101, 15_141])
        #expect(bursts(0.001, 8) == [10, 15_140])
        #expect(bursts(1e9, 1e12) == [100_000_000, 12_500_000_000])
        // Of rates that nobody has refused yet there is at least no trap.
        #expect(bursts(.nan, -.infinity) == [10, 15_140])
        #expect(bursts(1e300, -1) == [1_000_000_000_000_000, 15_140])
        var limit = FilterLimit(scope: .all, packets: PacketRate(perSecond: 1000), packetBurst: 3)
        #expect(limit.effectivePacketBurst == 3 && limit.effectiveOctetBurst == nil)
        (limit.packets, limit.octetBurst) = (nil, 5)
        #expect(limit.effectivePacketBurst == nil && limit.effectiveOctetBurst == nil)
    }

    @Test func `of nested ranges of ports the narrowest comes last`() throws {
        let rules = try filter(
            """
            { allow: ["tcp/22", "port/53", "from:udp/123", "gre"],
              deny: ["tcp/0-65535", "tcp/53", "tcp/1-100", "from:port/100-200", "192.0.2.1", "udp/53-54"] }
            """)
        #expect(
            rules.portsWidestFirst.map { "\($0.verdict.rawValue) \($0.subject)" } == [
                "deny tcp/0-65535", "deny from:port/100-200", "deny tcp/1-100", "deny udp/53-54",
                "allow port/53", "allow tcp/22", "allow from:udp/123", "deny tcp/53",
            ])
    }

    @Test func `the same twice in one list is taken, as lists do that were put together`() throws {
        #expect(try filter("{ deny: ['192.0.2.1', '192.0.2.1/32', 'udp/53', 'udp/53'] }").entries.count == 4)
    }

    @Test func `rules are read from a file, and its name is in errors`() throws {
        #expect {
            try FilterRules(file: "/nonexistent/filter.json5")
        } throws: {
            "\($0)".hasPrefix("cannot read the configuration \"/nonexistent/filter.json5\"")
        }
        #expect { try FilterRules(parsing: "{ polcy: 'deny' }", name: "filter.json5") } throws: {
            "\($0)".hasPrefix("filter.json5:1:3: unknown key \"polcy\"; did you mean \"policy\"?")
        }
    }
}

private func prefix(_ text: String) -> AddressPrefix { AddressPrefix(text)! }
