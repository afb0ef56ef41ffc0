import Apus

/// The rules of the suite.
enum Rules {
    /// Something on each list, and a limit that is never reached for each source.
    static var all: FilterRules {
        var rules = FilterRules()
        rules.entries = [
            FilterEntry(.source(AddressPrefix("203.0.113.1/32")!), .deny),
            FilterEntry(.source(AddressPrefix("203.0.113.128/25")!), .deny),
            FilterEntry(.port(PortRange(.udp, 9)), .deny),
            FilterEntry(.sourcePort(PortRange(.udp, 11_211)), .deny),
            FilterEntry(.ipProtocol(47), .deny),
        ]
        rules.limits = [withinReach]
        return rules
    }

    /// That limit alone, or one whose buckets take seconds to fill, with a table for a million sources.
    static func million(slowly isSlow: Bool) -> FilterRules {
        var rules = FilterRules()
        rules.sourceCapacity = 1_000_000
        rules.limits = [
            isSlow ? FilterLimit(scope: .source, packets: PacketRate(perSecond: 0.1)) : withinReach
        ]
        return rules
    }

    /// A limit that is never reached.
    static let withinReach = FilterLimit(scope: .source, packets: PacketRate(perSecond: 1e9))
}
