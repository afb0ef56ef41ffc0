import ApusRings
import ApusWire

extension NeighborCache {
    /// A solicitation that is due.
    struct Question {
        let address: IPAddress
        /// Where the neighbor was; nil to ask all.
        let mac: MACAddress?
    }

    /// Does what time asks for, up to the next solicitation that is to be sent; nil when there is none.
    ///
    /// - Complexity: each neighbor is moved once at most between two calls that give nil.
    mutating func nextQuestion(at now: UInt64, _ counters: borrowing EndHostCounters) -> Question? {
        while let position = due(.reachable, at: now) { table.move(position, to: .stale, at: now) }
        while let position = due(.incomplete, at: now) {
            if table.entries[position].sent < NeighborTime.solicitations {
                return ask(position, .incomplete, now)
            }
            fail(position, at: now, counters)
        }
        while let position = due(.probe, at: now) {
            if table.entries[position].sent < NeighborTime.solicitations { return ask(position, .probe, now) }
            fail(position, at: now, counters)
        }
        if let position = due(.delay, at: now) { return ask(position, .probe, now) }
        if let position = table.first(.fresh) { return ask(position, .incomplete, now) }
        if let position = table.first(.retry) { return ask(position, .failed, now) }
        return nil
    }

    /// When something is to be done next.
    var deadline: UInt64? {
        if table.first(.fresh) != nil || table.first(.retry) != nil { return 0 }
        // `min` of more than two makes an array.
        let earliest = min(
            min(deadline(of: .reachable), deadline(of: .incomplete)),
            min(deadline(of: .probe), deadline(of: .delay)))
        return earliest == .max ? nil : earliest
    }

    private func deadline(of list: NeighborList) -> UInt64 {
        table.first(list).map { table.entries[$0].since &+ wait(in: list) } ?? .max
    }

    /// The next neighbor of which something is to be told, and what.
    mutating func nextChange() -> (IPAddress, NeighborResolution)? {
        while let position = table.takeChanged() {
            let neighbor = table.entries[position]
            switch neighbor.list {
            case .failed, .retry: return (neighbor.address, .unreachable(.noAnswer))
            case .reachable, .stale, .delay, .probe: return (neighbor.address, .ready(neighbor.mac))
            // It is asked for again already.
            case .fresh, .incomplete: return (neighbor.address, .pending)
            case .heard, .free: continue
            }
        }
        return nil
    }

    private func wait(in list: NeighborList) -> UInt64 {
        switch list {
        case .reachable: reachableTime
        case .delay: NeighborTime.delay
        default: NeighborTime.retransmission
        }
    }

    private func due(_ list: NeighborList, at now: UInt64) -> Int? {
        guard let first = table.first(list), now &- table.entries[first].since >= wait(in: list) else {
            return nil
        }
        return first
    }

    private mutating func ask(_ position: Int, _ list: NeighborList, _ now: UInt64) -> Question {
        // One that is given up is asked for any number of times.
        if table.entries[position].sent < NeighborTime.solicitations { table.entries[position].sent += 1 }
        table.move(position, to: list, at: now)
        let neighbor = table.entries[position]
        return Question(address: neighbor.address, mac: list == .probe ? neighbor.mac : nil)
    }

    private mutating func fail(_ position: Int, at now: UInt64, _ counters: borrowing EndHostCounters) {
        counters.neighborsFailed.add()
        table.entries[position].sent = 0
        table.move(position, to: .failed, at: now)
        table.markChanged(position)
    }
}
