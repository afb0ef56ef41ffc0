import ApusRings
public import ApusWire

/// By which way a packet leaves.
@frozen
public struct EndHostRoute: Hashable, Sendable {
    /// Whose link-layer address the frame goes to: the destination itself, or a router.
    public let neighbor: IPAddress
    /// The address of the interface that the packet should have as its source.
    public let source: IPAddress
}

/// Networks, the longest prefix first.
struct Routes: ~Copyable {
    struct Entry: BitwiseCopyable {
        var network: AddressPrefix
        var gateway: IPAddress?
    }

    private let entries: FixedArray<Entry>

    /// The networks of `own` addresses, and what the configuration adds.
    init(_ configuration: EndHostConfiguration, own: [AddressPrefix]) throws(EndHostError) {
        var entries: [Entry] = []
        for prefix in own {
            let network = prefix.network
            if !entries.contains(where: { $0.network == network }) { entries.append(Entry(network: network)) }
        }
        let onLink = entries.map(\.network)
        var given = configuration.routes
        if let gateway = configuration.gatewayIPv4 {
            given.append(StaticRoute(to: .everything(like: .v4(gateway)), by: .v4(gateway)))
        }
        if let gateway = configuration.gatewayIPv6 {
            given.append(StaticRoute(to: .everything(like: .v6(gateway)), by: .v6(gateway)))
        }
        var seen: Set<AddressPrefix> = []
        for route in given {
            let network = route.destination
            guard network.hasPossibleLength else { throw .prefixTooLong(network) }
            guard network.isNetwork else { throw .routeIsNoNetwork(network) }
            guard seen.insert(network).inserted else { throw .repeatedRoute(network) }
            guard own.contains(where: { $0.address.isIPv6 == network.address.isIPv6 }) else {
                throw .noSourceAddress(network)
            }
            if let gateway = route.gateway {
                guard gateway.isIPv6 == network.address.isIPv6 else {
                    throw .gatewayOfOtherFamily(network, gateway)
                }
                guard let prefix = onLink.first(where: { $0.contains(gateway) }) else {
                    throw .gatewayNotOnLink(gateway)
                }
                guard prefix.hasHost(gateway) else { throw .unusableGateway(gateway) }
                guard !own.contains(where: { $0.address == gateway }) else {
                    throw .gatewayIsOwnAddress(gateway)
                }
            }
            entries.append(Entry(network: network, gateway: route.gateway))
        }
        // A route that is given goes before the network of an address of the same length.
        let sorted = entries.enumerated().sorted {
            ($0.element.network.length, $0.offset) > ($1.element.network.length, $1.offset)
        }
        self.entries = FixedArray(count: sorted.count) { sorted[$0].element }
    }

    /// The neighbor on the way to a destination that is one host; nil without a route.
    func neighbor(for destination: IPAddress) -> IPAddress? {
        for position in entries.indices where entries[position].network.contains(destination) {
            return entries[position].gateway ?? destination
        }
        return nil
    }

    /// Whether an address is a neighbor's: in a network of the link.
    func isOnLink(_ address: IPAddress) -> Bool { neighbor(for: address) == address }
}

extension IPAddress {
    var isIPv6: Bool {
        switch self {
        case .v4: false
        case .v6: true
        }
    }

    var isMartian: Bool {
        switch self {
        case .v4(let address): address.isMartian
        case .v6(let address): address.isMartian
        }
    }
}

extension AddressPrefix {
    /// Whether the prefix is no longer than the address.
    var hasPossibleLength: Bool { (0...address.bitCount).contains(length) }

    static func everything(like address: IPAddress) -> AddressPrefix {
        let any: IPAddress = address.isIPv6 ? .v6(.any) : .v4(.any)
        return AddressPrefix(any, length: 0)
    }

    /// Whether an address of this network can be a host's.
    func hasHost(_ address: IPAddress) -> Bool {
        if address.isMulticast || address.isMartian { return false }
        switch address {
        case .v4(let host):
            return host != .broadcast && address != broadcast && !(length <= 30 && network.address == address)
        // The all-routers anycast address of the network (RFC 4291 section 2.6.1).
        case .v6: return !(length <= 126 && network.address == address)
        }
    }
}
