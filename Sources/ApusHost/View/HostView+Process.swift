import CMNL
import Glibc

extension HostView {
    /// Takes in what the kernel has told since the last call; never waits.
    ///
    /// Bounded by `Limits.datagramsPerCall`: when more is waiting, `descriptor` is still readable.
    public func process() throws(HostError) -> HostChanges {
        var changes = HostChanges()
        for _ in 0..<limits.datagramsPerCall {
            switch try news.read() {
            case .messages(let messages): for message in messages { apply(message, &changes) }
            case .empty: return changes
            case .overrun:
                try resynchronize()
                changes.isResynchronized = true
                return changes
            }
        }
        return changes
    }

    /// Reads everything anew after news were lost.
    private func resynchronize() throws(HostError) {
        overruns += 1
        // The news that are still queued are older than what will be read now, and some that followed them
        // are lost: taken in afterwards, they would undo the truth. The kernel keeps at most
        // `receiveBuffer` bytes of them; under a storm that never pauses, stop at a number.
        var left = 1 << 16
        drain: while left > 0 {
            if case .empty = try news.read() { break drain }
            left -= 1
        }
        try readAll()
    }

    func readAll() throws(HostError) {
        var links: [Int32: Link] = [:]
        for link in try dump(Int(RTM_GETLINK), header: 16, for: "the list of interfaces").compactMap(
            Link.init)
        {
            links[link.index] = link
        }
        let addresses = try dump(Int(RTM_GETADDR), header: 8, for: "the list of addresses")
        let neighbors = try dump(Int(RTM_GETNEIGH), header: 12, for: "the list of neighbors")

        self.links = links
        self.addresses = addresses.compactMap(InterfaceAddress.init)
        self.neighbors = [:]
        isNeighborTablePartial = false
        for neighbor in neighbors.compactMap(Neighbor.init) { keep(neighbor) }
    }

    /// Asks for a whole table; `header` is the size of the structure the request starts with, all zero:
    /// no family in particular.
    private func dump(_ type: Int, header: Int, for purpose: String) throws(HostError) -> [NetlinkMessage] {
        let zeros = [UInt8](repeating: 0, count: header)
        return try requests.ask(NetlinkRequest(type: type, flags: NLM_F_DUMP, header: zeros), for: purpose)
    }

    private func keep(_ neighbor: Neighbor) {
        if neighbors[neighbor.key] == nil, neighbors.count >= limits.neighbors {
            isNeighborTablePartial = true
        } else {
            neighbors[neighbor.key] = neighbor
        }
    }

    private func note(
        _ old: Neighbor?, _ new: Neighbor?, _ key: Neighbor.Key, _ changes: inout HostChanges
    ) {
        changes.neighbors.insert(key)
        let isUnknown = old == nil && isNeighborTablePartial
        if isUnknown || old?.usableAddress != new?.usableAddress { changes.readdressed.insert(key) }
    }

    private func apply(_ message: NetlinkMessage, _ changes: inout HostChanges) {
        switch message.type {
        case Int(RTM_NEWLINK):
            guard let link = Link(message), links.updateValue(link, forKey: link.index) != link else {
                return
            }
            changes.links.insert(link.index)
        case Int(RTM_DELLINK):
            guard let link = Link(message), links.removeValue(forKey: link.index) != nil else { return }
            // Its addresses and neighbors have messages of their own.
            changes.links.insert(link.index)
            changes.deletedLinks.insert(link.index)
        case Int(RTM_NEWADDR):
            guard let address = InterfaceAddress(message), !addresses.contains(address) else { return }
            // The same address with other flags takes the place of the old one.
            addresses.removeAll { $0.isSame(as: address) }
            addresses.append(address)
            changes.addresses.insert(address.interface)
        case Int(RTM_DELADDR):
            guard let address = InterfaceAddress(message) else { return }
            let before = addresses.count
            addresses.removeAll { $0.isSame(as: address) }
            if addresses.count != before { changes.addresses.insert(address.interface) }
        case Int(RTM_NEWNEIGH):
            guard let neighbor = Neighbor(message), neighbors[neighbor.key] != neighbor else { return }
            note(neighbors[neighbor.key], neighbor, neighbor.key, &changes)
            keep(neighbor)
        case Int(RTM_DELNEIGH):
            guard let neighbor = Neighbor(message) else { return }
            note(neighbors[neighbor.key], nil, neighbor.key, &changes)
            neighbors[neighbor.key] = nil
        // Of a changed nexthop object (`ip nexthop replace`) the routes that use it say nothing, where
        // net.ipv4.nexthop_compat_mode is 0.
        case Int(RTM_NEWROUTE), Int(RTM_DELROUTE), Int(RTM_NEWNEXTHOP), Int(RTM_DELNEXTHOP):
            changes.routes = true
        case Int(RTM_NEWRULE), Int(RTM_DELRULE): changes.rules = true
        default: break
        }
    }
}

extension InterfaceAddress {
    /// Whether both are the same entry of the same interface, whatever their flags are.
    fileprivate func isSame(as other: InterfaceAddress) -> Bool {
        interface == other.interface && address == other.address && prefixLength == other.prefixLength
    }
}
