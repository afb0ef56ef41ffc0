public import ApusWire
import Glibc

extension HostView {
    /// Asks the kernel which way a datagram would take; nil, and why, where it would take none.
    ///
    /// Rules and all tables take part (`ip rule`). Throws when the kernel can't be asked.
    public func route(_ query: Route.Query) throws(HostError) -> Result<Route, UnreachableReason> {
        var query = query
        // Listening on any address leaves the choice to the route.
        if query.source?.isAny ?? false { query.source = nil }
        let destination = query.destination
        do {
            let answer = try requests.ask(query.request, for: "the route to \(destination)")
            guard let route = answer.lazy.compactMap({ Route($0, query: query) }).first else {
                return .failure(.refusedByRoute(destination))
            }
            return .success(route)
        } catch {
            guard case .netlink(_, let code, _) = error else { throw error }
            let isForeign = query.source.map { link(having: $0) == nil } ?? false
            switch code {
            // The kernel looks at the source first (with either code, by its version); one that came from a
            // configuration may have gone from the host.
            case EINVAL where isForeign, ENETUNREACH where isForeign:
                return .failure(.sourceNotOnHost(query.source ?? destination))
            case ENETUNREACH: return .failure(.noRoute(destination))
            // The error codes of the route types unreachable, prohibit and blackhole (fib_props in the
            // kernel's net/ipv4/fib_semantics.c; ip6_rt_type_to_error for IPv6).
            case EHOSTUNREACH, EACCES, EINVAL: return .failure(.refusedByRoute(destination))
            case ENODEV: return .failure(.interfaceGone(query.interface ?? 0))
            default: throw error
            }
        }
    }

    /// Finds the complete next hop of a destination.
    ///
    /// The way is the kernel's own for a datagram of this host; the Ethernet addresses come from its tables.
    /// Throws when the kernel can't be asked.
    public func resolve(_ query: Route.Query) throws(HostError) -> Resolution {
        if query.interface == nil, query.destination.needsInterface {
            return .unreachable(.needsInterface(query.destination))
        }
        let route: Route
        switch try self.route(query) {
        case .success(let found): route = found
        case .failure(let reason): return .unreachable(reason)
        }
        switch route.kind {
        case .local: return .unreachable(.ourselves(query.destination))
        // All that is sent comes from streams and tools that have one receiver or a group, and a network full of
        // hosts that answer is what an attacker would want.
        case .broadcast: return .unreachable(.broadcast(query.destination))
        case .unicast, .multicast: break
        }
        guard !route.isEncapsulated else { return .unreachable(.encapsulated(query.destination)) }

        let egress: Egress
        switch self.egress(of: route.interface) {
        case .success(let found): egress = found
        case .failure(let reason): return .unreachable(reason)
        }
        guard let source = route.source ?? query.source, !source.isAny else {
            return .unreachable(.noSourceAddress(egress.routed.name))
        }
        let target = try target(of: route, query.destination, on: egress.routed)
        let hop = NextHop(
            interface: egress.sending.index, interfaceName: egress.sending.name, vlans: egress.vlans,
            sourceMAC: egress.sourceMAC, destinationMAC: target.macAddress, source: source,
            mtu: min(route.mtu ?? egress.routed.mtu, egress.routed.mtu), neighbor: target.neighbor,
            neighborState: target.state)
        return target.macAddress == nil ? .unresolved(hop) : .resolved(hop)
    }

    /// Finds the complete next hop of an address; see `resolve(_:)` with a query.
    public func resolve(_ destination: IPAddress) throws(HostError) -> Resolution {
        try resolve(Route.Query(to: destination))
    }
}

// MARK: - The interface

extension HostView {
    /// The way from the interface of a route to the one that frames are sent on.
    struct Egress {
        /// The interface the route names.
        let routed: Link
        /// The interface beneath all VLAN interfaces.
        let sending: Link
        /// The outermost tag first.
        let vlans: [Link.VLAN]
        let sourceMAC: MACAddress
    }

    func egress(of index: Int32) -> Result<Egress, UnreachableReason> {
        guard let routed = links[index] else { return .failure(.interfaceGone(index)) }
        var sending = routed
        var vlans: [Link.VLAN] = []
        while let vlan = sending.vlan {
            guard sending.isUp else { return .failure(.interfaceDown(sending.name)) }
            // A VLAN interface adds its tag before it hands the frame down, so the lower one's is further out.
            vlans.insert(vlan, at: 0)
            guard vlans.count <= 2 else { return .failure(.tooManyVLANTags(routed.name)) }
            guard let parent = sending.parent, let lower = links[parent] else {
                return .failure(.interfaceGone(sending.index))
            }
            sending = lower
        }
        guard sending.isUp, sending.hasCarrier else { return .failure(.interfaceDown(sending.name)) }
        // The source is the VLAN interface's address, which may differ from the one beneath.
        guard sending.isEthernet, let sourceMAC = routed.macAddress else {
            return .failure(.noEthernet(routed.name))
        }
        return .success(Egress(routed: routed, sending: sending, vlans: vlans, sourceMAC: sourceMAC))
    }
}

// MARK: - The neighbor

extension HostView {
    struct Target {
        var macAddress: MACAddress?
        var neighbor: Neighbor.Key?
        var state: Neighbor.State?
    }

    private func target(
        of route: Route, _ destination: IPAddress, on link: Link
    ) throws(HostError) -> Target {
        if destination.isMulticast { return Target(macAddress: MACAddress(multicast: destination)) }
        let key = Neighbor.Key(interface: link.index, address: route.gateway ?? destination)
        if let neighbor = try neighbor(key) {
            if neighbor.isUsable {
                return Target(macAddress: neighbor.macAddress, neighbor: key, state: neighbor.state)
            }
            if !link.resolvesNothing { return Target(neighbor: key, state: neighbor.state) }
        }
        // Interfaces that resolve nothing: the kernel's own choice (arp_constructor in net/ipv4/arp.c).
        if link.hasNoARP || link.isLoopback {
            return Target(macAddress: link.macAddress, neighbor: key, state: .noARP)
        }
        if link.isPointToPoint { return Target(macAddress: .broadcast, neighbor: key, state: .noARP) }
        return Target(neighbor: key, state: .unknown)
    }

    /// A neighbor from our table, or from the kernel's where ours is not all of it.
    func neighbor(_ key: Neighbor.Key) throws(HostError) -> Neighbor? {
        if let known = neighbors[key] { return known }
        guard isNeighborTablePartial else { return nil }
        return try askForNeighbor(key)
    }
}

extension Link {
    fileprivate var resolvesNothing: Bool { hasNoARP || isLoopback || isPointToPoint }
}

extension IPAddress {
    /// Whether the address says nothing without an interface (RFC 4007 section 6).
    fileprivate var needsInterface: Bool {
        switch self {
        case .v4: false
        case .v6(let address): address.isLinkLocal || address.isMulticast && address.multicastScope <= 2
        }
    }
}

extension IPv6Address {
    /// The scope field of a multicast address (RFC 4291 section 2.7): 1 interface, 2 link, 14 global.
    fileprivate var multicastScope: UInt64 { high >> 48 & 0xf }
}

// `Result` asks for an error; as such it is only a reason, never thrown.
extension UnreachableReason: Error {}
