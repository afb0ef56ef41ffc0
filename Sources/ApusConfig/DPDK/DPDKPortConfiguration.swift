public import ApusWire

/// A port over DPDK: its device, and what the kernel knows of other interfaces and nobody of this one.
public struct DPDKPortConfiguration: Hashable, Sendable {
    /// The device.
    public var device: DPDKDevice
    /// The addresses that Apus answers for on its link, each with the prefix of its network: 1 to 16. An IPv6
    /// link-local address it has besides.
    public var addresses: [AddressPrefix]
    /// The routers for all that no address and no route says the way to: one of each IP version at most.
    public var gateways: [IPAddress]
    /// The ways to networks that the gateways don't lead to: at most 256.
    public var routes: [RouteConfiguration]
    /// The longest IP packet, in bytes: 68 to 65,535, and from 1280 with IPv6; what the device can is less.
    public var mtu: Int
    /// The link-layer address it gets instead of its own, or nil.
    public var mac: MACAddress?
    /// Whether the device receives what is sent to other link-layer addresses too. It is dropped, and counted as
    /// `other_host`.
    public var promiscuous: Bool
    /// Where the settings were written.
    public var map: SourceMap

    /// The most addresses that one interface may have.
    public static let mostAddresses = 16
    /// The most routes that one interface may have.
    public static let mostRoutes = 256

    /// A port on a device that has `addresses`, with the defaults for all the rest.
    public init(
        device: DPDKDevice, addresses: [AddressPrefix], gateways: [IPAddress] = [],
        routes: [RouteConfiguration] = [], mtu: Int = 1500, mac: MACAddress? = nil, promiscuous: Bool = false,
        map: SourceMap = SourceMap()
    ) {
        self.device = device
        self.addresses = addresses
        self.gateways = gateways
        self.routes = routes
        self.mtu = mtu
        self.mac = mac
        self.promiscuous = promiscuous
        self.map = map
    }

    /// Whether an address is one of its own.
    public func has(_ address: IPAddress) -> Bool { addresses.contains { $0.address == address } }

    /// The neighbor that a packet to `destination` goes to, a host or router on the link, by the longest prefix; nil
    /// when no network of its own, route or gateway leads there. Groups and link-local addresses have no route.
    ///
    /// It takes time in proportion to the routes: for the control plane.
    public func route(to destination: IPAddress) -> (neighbor: IPAddress, length: Int)? {
        guard !destination.isMulticast, !destination.isLinkLocalIPv6 else { return nil }
        var best: (neighbor: IPAddress, length: Int)?
        func consider(_ neighbor: IPAddress, _ length: Int) {
            if length > best?.length ?? -1 { best = (neighbor, length) }
        }
        for prefix in addresses where prefix.contains(destination) { consider(destination, prefix.length) }
        for route in routes where route.to.contains(destination) { consider(route.via, route.to.length) }
        for gateway in gateways where gateway.bitCount == destination.bitCount { consider(gateway, 0) }
        return best
    }
}

/// The way to a network behind a router on the link.
public struct RouteConfiguration: Hashable, Sendable {
    /// The network.
    public var to: AddressPrefix
    /// The router, on one of the networks of the interface, or an IPv6 link-local address.
    public var via: IPAddress
    /// Where it was written.
    public var map: SourceMap

    /// The way to a network by a router.
    public init(to: AddressPrefix, via: IPAddress, map: SourceMap = SourceMap()) {
        (self.to, self.via, self.map) = (to, via, map)
    }
}

extension IPAddress {
    /// `fe80::/10`, which is on each link.
    var isLinkLocalIPv6: Bool {
        if case .v6(let address) = self { address.isLinkLocal } else { false }
    }
}
