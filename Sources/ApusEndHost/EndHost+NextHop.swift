import ApusRings
public import ApusWire

/// What is known of a neighbor, to be shown.
public struct NeighborStatus: Hashable, Sendable {
    /// Where it stands (RFC 4861 section 7.3.2).
    public enum State: String, Hashable, Sendable, CaseIterable {
        case incomplete, reachable, stale, delay, probe, failed
    }

    /// Its IP address.
    public let address: IPAddress
    /// Its link-layer address; nil while it is unresolved or failed.
    public let mac: MACAddress?
    /// Where it stands.
    public let state: State
    /// Whether it said that it is a router.
    public let isRouter: Bool
}

extension EndHost {
    /// By which neighbor, and from which address, packets to a destination go; nil without a route. A group, or the broadcast
    /// address, is its own neighbor.
    public func route(to destination: IPAddress) -> EndHostRoute? {
        let isGroup = isGroup(destination)
        guard let neighbor = isGroup ? destination : routes.neighbor(for: destination),
            let source = own.source(for: destination, by: neighbor)
        else { return nil }
        return EndHostRoute(neighbor: neighbor, source: source)
    }

    /// Where frames for a neighbor go, by somebody who has packets for it. One that is not known is asked for from the next
    /// ``advance(to:frame:counters:)`` on.
    ///
    /// Whoever keeps the answer has to ask again every few seconds while packets are sent: a neighbor that nobody asks for is
    /// not probed, one that has not answered not asked for anew, and it may be given up for others when memory is full.
    public mutating func resolve(
        _ neighbor: IPAddress, at now: UInt64, counters: borrowing EndHostCounters
    ) -> NeighborResolution {
        if isGroup(neighbor) {
            if case .v4(let address) = neighbor, !address.isMulticast { return .ready(.broadcast) }
            return .ready(MACAddress(multicast: neighbor))
        }
        guard isHost(neighbor), routes.isOnLink(neighbor) else { return .unreachable(.noRoute) }
        return neighbors.resolve(neighbor, at: advanceClock(to: now), counters)
    }

    /// ``route(to:)`` and ``resolve(_:at:counters:)`` in one.
    public mutating func nextHop(
        to destination: IPAddress, at now: UInt64, counters: borrowing EndHostCounters
    ) -> NeighborResolution {
        guard let route = route(to: destination) else { return .unreachable(.noRoute) }
        return resolve(route.neighbor, at: now, counters: counters)
    }

    /// Packets sent by a neighbor have been answered, so that it need not be asked (RFC 4861 section 7.3.1).
    public mutating func confirm(_ neighbor: IPAddress, at now: UInt64) {
        guard let position = neighbors.table.find(neighbor) else { return }
        neighbors.confirm(position, at: advanceClock(to: now))
    }

    /// What is known of a neighbor.
    public func neighbor(_ address: IPAddress) -> NeighborStatus? {
        neighbors.table.find(address).map { neighbors.status(at: $0) }
    }

    /// Goes through all neighbors, to show them.
    public func forEachNeighbor(_ body: (NeighborStatus) -> Void) {
        for position in neighbors.table.entries.indices where neighbors.table.entries[position].list != .free
        {
            body(neighbors.status(at: position))
        }
    }

    /// How many neighbors are kept in a state.
    public func neighborCount(_ state: NeighborStatus.State) -> Int {
        switch state {
        case .incomplete: neighbors.unresolved
        case .reachable: neighbors.table.count(.reachable)
        case .stale: neighbors.table.count(.stale) + neighbors.table.count(.heard)
        case .delay: neighbors.table.count(.delay)
        case .probe: neighbors.table.count(.probe)
        case .failed: neighbors.table.count(.failed) + neighbors.table.count(.retry)
        }
    }

    /// The addresses of the interface that are in use, the link-local one included.
    public var addresses: [AddressPrefix] {
        own.all.indices.filter { own.all[$0].stage != .givenUp }.map { own.all[$0].prefix }
    }

    /// Whether a destination is many hosts.
    private func isGroup(_ address: IPAddress) -> Bool {
        if case .v4(let address) = address, own.isBroadcast(address) { return true }
        return address.isMulticast
    }
}

extension NeighborCache {
    func status(at position: Int) -> NeighborStatus {
        let neighbor = table.entries[position]
        let state: NeighborStatus.State =
            switch neighbor.list {
            case .free, .fresh, .incomplete: .incomplete
            case .reachable: .reachable
            case .stale, .heard: .stale
            case .delay: .delay
            case .probe: .probe
            case .failed, .retry: .failed
            }
        let isKnown = state != .incomplete && state != .failed
        return NeighborStatus(
            address: neighbor.address, mac: isKnown ? neighbor.mac : nil, state: state,
            isRouter: neighbor.isRouter)
    }
}
