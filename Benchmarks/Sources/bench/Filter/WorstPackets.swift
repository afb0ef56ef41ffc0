import Apus
import ApusBench

// What a packet can cost at worst: the longest ways there are through the program, one by one and all at once, each beside
// the packet and the rules of `filter/pass`.

/// All of them.
func worstPackets() -> [Comparison] {
    func comparison(_ name: String, _ apus: @escaping () throws -> Competitor) -> Comparison {
        Comparison("filter/worst/\(name)", per: "packet", apus: apus) {
            let usual = try LoadedFilter(apus: Rules.all)
            try usual.check(.reason(.within))
            return usual.competitor("Apus, pass", .pass)
        }
    }
    // So many packets a round that it takes about as long as one of the usual packet: what else the machine does then
    // disturbs both alike.
    func loaded(
        _ rules: FilterRules, _ verdict: FilterVerdict, _ frame: [UInt8] = judgedFrame, times: Int
    ) throws -> Competitor {
        let filter = try LoadedFilter(apus: rules, judging: frame)
        try filter.check(verdict)
        return filter.competitor("Apus", verdict.passes ? .pass : .drop, count: LoadedFilter.count / times)
    }
    var prefixes = Rules.all
    prefixes.entries += Worst.overPrefixes(of: Probe.peerAddress)
    let (limits, all) = (Worst.limits(by: .source), Worst.all)
    return [
        comparison("extensions") { try loaded(Rules.all, .reason(.within), Worst.frame, times: 1) },
        comparison("prefixes") { try loaded(prefixes, .reason(.within), times: 2) },
        comparison("limits") { try loaded(limits, .limit(Worst.last), times: 8) },
        comparison("limits-random") {
            try SprayedFilter.refusing(Worst.limits(by: .all))
                .competitor("Apus", count: LoadedFilter.count / 64)
        },
        comparison("all") { try loaded(all, .limit(Worst.last), Worst.frame, times: 16) },
    ]
}

/// The rules and the frame that take longest.
private enum Worst {
    /// The place of the last limit.
    static let last = 31

    /// From an IPv6 host to port 5004 of UDP, behind as many extension headers as are looked through.
    static let frame: [UInt8] = {
        let headers = 8
        let ethernet: [UInt8] = [2, 0, 0, 0, 1, 2, 2, 0, 0, 0, 1, 1, 0x86, 0xdd]
        let ipv6 = [0x60, 0, 0, 0, 0, UInt8(headers * 8 + 16), 0, 64] + octets(of: source) + octets(of: near)
        // Options for each hop, then for the destination, of which the last says UDP; six octets of padding (PadN) each.
        let extensions = (1...headers).flatMap { [$0 < headers ? 60 : 17, 0, 1, 4, 0, 0, 0, 0] as [UInt8] }
        let udp: [UInt8] = [0x9c, 0x40, 0x13, 0x8c, 0, 16, 0x12, 0x34]
        return ethernet + ipv6 + extensions + udp + [UInt8](repeating: 0, count: 8)
    }()

    private static let source = IPv6Address("2001:db8:0:1::1")!
    private static let near = IPv6Address("2001:db8:0:2::2")!

    private static func octets(of address: IPv6Address) -> [UInt8] {
        [address.high, address.low].flatMap { half in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> UInt64($0)) }
        }
    }

    /// As many prefixes that an address is in as are looked at, one within the other and all over before the first packet.
    static func overPrefixes(of address: IPAddress) -> [FilterEntry] {
        (1...8).map { bits in
            over(.source(AddressPrefix(address, length: address.bitCount - bits).network))
        }
    }

    private static func over(_ subject: FilterSubject) -> FilterEntry {
        FilterEntry(subject, .deny, lifetime: FilterDuration(nanoseconds: 1_000_000))
    }

    /// 31 limits on each source that have room, and as the 32nd one that has none, so that all of them take their charge
    /// back.
    ///
    /// - Parameter scope: of the last one.
    static func limits(by scope: FilterLimit.Scope) -> FilterRules {
        var rules = FilterRules()
        rules.limits = (0..<last).map { index in
            FilterLimit(name: "\(index)", scope: .source, packets: PacketRate(perSecond: 1e9))
        }
        rules.limits.append(
            FilterLimit(name: "none", scope: scope, packets: PacketRate(perSecond: 0.001), packetBurst: 1))
        return rules
    }

    /// All that there is, and the packet of ``frame`` goes the longest way: as much management as there can be, that it is
    /// none of; lists of all kinds that name it and are over; and 32 limits of packets and of bits for its service and with
    /// bans, which could have it banned.
    static var all: FilterRules {
        var rules = limits(by: .source)
        rules.management = (0..<16).map { service in
            ManagementService(
                FilterService(ipProtocol: 17, ports: 5004...5004),
                from: (0..<16).map { AddressPrefix("2001:db8:\(service + 1):\($0)::/64")! })
        }
        let (own, other) = (PortRange(.udp, 5004), PortRange(.udp, 40_000))
        rules.entries =
            overPrefixes(of: .v6(source))
            + [
                over(.source(AddressPrefix(.v6(source), length: 128))), over(.port(own)),
                over(.port(PortRange(.udp, 5000, through: 5100))), over(.sourcePort(other)),
                over(.sourcePort(PortRange(.udp, 40_000, through: 40_100))), over(.ipProtocol(17)),
            ]
        for index in rules.limits.indices {
            rules.limits[index].service = FilterService(
                destination: AddressPrefix(.v6(near), length: 128), ipProtocol: 17, ports: 5004...5004)
            rules.limits[index].bits = BitRate(perSecond: 1e12)
            rules.limits[index].ban = FilterLimit.Ban(over: 1000, for: .seconds(1))
        }
        rules.limits[last].ban = nil
        return rules
    }
}
