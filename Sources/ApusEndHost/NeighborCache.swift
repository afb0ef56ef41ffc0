import ApusRings
public import ApusWire

/// What is known of the way to a neighbor.
@frozen
public enum NeighborResolution: Hashable, Sendable {
    /// Frames go to this address.
    case ready(MACAddress)
    /// It is being asked for; ``EndHost/nextEvent()`` tells what became of it.
    case pending
    /// There is no way now.
    case unreachable(NeighborFailure)
}

/// Why there is no way to a neighbor.
@frozen
public enum NeighborFailure: UInt8, Hashable, Sendable, CaseIterable {
    /// It has not answered. It is asked for once a second for as long as somebody wants it; when it answers,
    /// ``EndHost/nextEvent()`` tells.
    case noAnswer
    /// All places for neighbors are taken by those in use, or half of them by unresolved ones.
    case tooManyNeighbors
    /// There is no route to the destination.
    case noRoute
}

/// The times of RFC 4861 section 10, in nanoseconds, which serve for ARP as well.
enum NeighborTime {
    static let retransmission: UInt64 = 1_000_000_000
    static let delay: UInt64 = 5_000_000_000
    static let baseReachable: UInt64 = 30_000_000_000
    /// MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT.
    static let solicitations: UInt8 = 3
}

/// Neighbor unreachability detection (RFC 4861 section 7.3), over ARP as over neighbor discovery.
struct NeighborCache: ~Copyable {
    var table: NeighborTable
    let reachableTime: UInt64
    private let unresolvedLimit: Int
    private let heardLimit: Int

    init(capacity: Int, reachableTime: UInt64, seed: UInt64) {
        table = NeighborTable(capacity: capacity, seed: seed)
        self.reachableTime = reachableTime
        (unresolvedLimit, heardLimit) = (capacity / 2, capacity / 4)
    }

    /// The way to a neighbor for somebody who has a packet for it (RFC 4861 sections 7.2.2 and 7.3.3).
    mutating func resolve(
        _ address: IPAddress, at now: UInt64, _ counters: borrowing EndHostCounters
    ) -> NeighborResolution {
        guard let position = table.find(address) else {
            guard unresolved < unresolvedLimit, let new = makeAsked(address, at: now, counters) else {
                counters.neighborsRefused.add()
                return .unreachable(.tooManyNeighbors)
            }
            table.entries[new].isAsked = true
            return .pending
        }
        table.entries[position].isAsked = true
        switch table.entries[position].list {
        case .fresh, .incomplete, .free: return .pending
        case .stale, .heard: table.move(position, to: .delay, at: now)
        case .reachable, .delay, .probe: break
        case .failed:
            // Nothing waits for it any more, but packets that come are to find it within a second of its being there.
            if now &- table.entries[position].since >= NeighborTime.retransmission {
                table.move(position, to: .retry, at: now)
            }
            return .unreachable(.noAnswer)
        case .retry: return .unreachable(.noAnswer)
        }
        return .ready(table.entries[position].mac)
    }

    /// Somebody on the link gave its address along with a question (RFC 4861 section 7.2.3, RFC 826).
    ///
    /// - Returns: whether it is known now.
    mutating func hear(
        _ address: IPAddress, at mac: MACAddress, _ now: UInt64, _ counters: borrowing EndHostCounters
    ) -> Bool {
        guard let position = table.find(address) else {
            guard let new = makeHeard(address, at: now, counters) else { return false }
            table.entries[new].mac = mac
            return true
        }
        switch table.entries[position].list {
        case .fresh, .incomplete, .failed, .retry: set(mac, position, to: idleList(position), now)
        default:
            guard table.entries[position].mac != mac else { return true }
            counters.neighborsMoved.add()
            set(mac, position, to: idleList(position), now)
        }
        return true
    }

    /// Somebody says where a neighbor is: the table of RFC 4861 section 7.2.5. Of those that nobody has asked for, nothing
    /// is learned.
    ///
    /// - Parameters:
    ///   - mac: nil if the advertisement gives none.
    ///   - isSolicited: whether it answers us.
    ///   - isOverride: whether it replaces another address.
    ///   - isRouter: nil if it does not say (ARP).
    /// - Returns: whether it was of any use.
    mutating func advertise(
        _ address: IPAddress, at mac: MACAddress?, isSolicited: Bool, isOverride: Bool, isRouter: Bool?,
        _ now: UInt64, _ counters: borrowing EndHostCounters
    ) -> Bool {
        guard let position = table.find(address) else { return false }
        // Nobody answers what was not asked; else such neighbors would get out of their bound.
        let isSolicited = isSolicited && table.entries[position].isAsked
        switch table.entries[position].list {
        case .free: return false
        case .failed, .retry:
            guard let mac, isSolicited, isAwaited(position, now) else { return false }
            set(mac, position, to: .reachable, now)
        case .fresh, .incomplete:
            guard let mac else { return false }
            set(mac, position, to: isSolicited ? .reachable : idleList(position), now)
        case .reachable, .stale, .heard, .delay, .probe:
            let isOther = mac != nil && mac != table.entries[position].mac
            if isOther, !isOverride {
                // Whom to believe is found out by asking.
                guard table.entries[position].list == .reachable else { return false }
                table.move(position, to: .stale, at: now)
                return true
            }
            if let mac, isOther {
                counters.neighborsMoved.add()
                set(mac, position, to: isSolicited ? .reachable : idleList(position), now)
            } else if isSolicited {
                confirm(position, at: now)
            }
        }
        if let isRouter { table.entries[position].isRouter = isRouter }
        return true
    }

    /// Whether the neighbor has been asked and not answered yet, so that an ARP reply of it answers us.
    func isBeingAsked(_ address: IPAddress, _ now: UInt64) -> Bool {
        guard let position = table.find(address) else { return false }
        return isAwaited(position, now)
    }

    private func isAwaited(_ position: Int, _ now: UInt64) -> Bool {
        switch table.entries[position].list {
        case .incomplete, .probe: true
        case .failed:
            table.entries[position].sent > 0
                && now &- table.entries[position].since < NeighborTime.retransmission
        default: false
        }
    }

    /// The neighbor is known to be there.
    mutating func confirm(_ position: Int, at now: UInt64) {
        switch table.entries[position].list {
        case .reachable, .stale, .delay, .probe:
            table.entries[position].sent = 0
            table.move(position, to: .reachable, at: now)
        case .heard, .fresh, .incomplete, .failed, .retry, .free: break
        }
    }

    /// Unresolved neighbors.
    var unresolved: Int { table.count(.fresh) + table.count(.incomplete) }

    /// Where one goes of which an address is known, but not that it is there.
    private func idleList(_ position: Int) -> NeighborList {
        table.entries[position].isAsked ? .stale : .heard
    }

    private mutating func set(_ mac: MACAddress, _ position: Int, to list: NeighborList, _ now: UInt64) {
        table.entries[position].mac = mac
        table.entries[position].sent = 0
        table.move(position, to: list, at: now)
        if table.entries[position].isAsked { table.markChanged(position) }
    }

    /// Room is made by those that have not answered, then those that nobody asked for, then those out of use, the oldest
    /// first each time.
    private mutating func makeAsked(
        _ address: IPAddress, at now: UInt64, _ counters: borrowing EndHostCounters
    ) -> Int? {
        if table.count(.free) == 0 {
            guard evict(.failed, counters) || evict(.heard, counters) || evict(.stale, counters) else {
                return nil
            }
        }
        return table.insert(address, to: .fresh, at: now)
    }

    /// Room is made by others that nobody asked for, or have not answered.
    private mutating func makeHeard(
        _ address: IPAddress, at now: UInt64, _ counters: borrowing EndHostCounters
    ) -> Int? {
        let isFull = table.count(.heard) >= heardLimit
        if isFull || table.count(.free) == 0 {
            guard !isFull && evict(.failed, counters) || evict(.heard, counters) else {
                counters.neighborsRefused.add()
                return nil
            }
        }
        return table.insert(address, to: .heard, at: now)
    }

    private mutating func evict(_ list: NeighborList, _ counters: borrowing EndHostCounters) -> Bool {
        guard let oldest = table.first(list), !table.entries[oldest].isChanged else { return false }
        table.remove(oldest)
        counters.neighborsEvicted.add()
        return true
    }
}
