import ApusWire
import CLinux
import CMNL
import Glibc

extension HostView {
    /// Makes the kernel find out the Ethernet address of a neighbor. The answer comes as a change.
    ///
    /// Asks by netlink, which needs CAP_NET_ADMIN, or without it by an empty UDP datagram to the discard port
    /// (RFC 863) of the neighbor. Does nothing for entries that need no confirmation.
    public func probe(_ key: Neighbor.Key) throws(HostError) {
        switch try neighbor(key)?.state {
        // "Use" would make the kernel forget that an entry is permanent (__neigh_update in its neighbour.c).
        case .permanent, .noARP, .reachable, .delay, .probe: return
        case nil, .unknown, .incomplete, .stale, .failed: break
        }
        var header = [UInt8](repeating: 0, count: 12)
        header[0] = UInt8(key.address.family)
        header.replaceSubrange(4..<8, with: NetlinkRequest.native(UInt32(bitPattern: key.interface)))
        header[10] = UInt8(NTF_USE)
        var request = NetlinkRequest(type: Int(RTM_NEWNEIGH), flags: NLM_F_CREATE, header: header)
        request.put(Int(NDA_DST), key.address.octets)
        do {
            _ = try requests.ask(request, for: "the neighbor \(key.address)")
        } catch {
            guard case .netlink(_, EPERM, _) = error else { throw error }
            try probeByDatagram(key)
        }
    }

    /// Confirms those of the given neighbors that the kernel no longer trusts, or has lost.
    ///
    /// The data path passes the kernel by, so the kernel does not see that a neighbor is in use, and lets its
    /// entry grow old. Call this with all neighbors in use every few seconds.
    ///
    /// - Returns: how many were asked.
    @discardableResult
    public func keepFresh(_ keys: some Sequence<Neighbor.Key>) throws(HostError) -> Int {
        var asked = 0
        for key in keys {
            switch try neighbor(key)?.state {
            case nil, .unknown, .stale, .failed:
                try probe(key)
                asked += 1
            case .incomplete, .reachable, .delay, .probe, .noARP, .permanent: break
            }
        }
        return asked
    }

    /// The kernel resolves a neighbor when it has a datagram for it; this one is empty and goes nowhere else.
    private func probeByDatagram(_ key: Neighbor.Key) throws(HostError) {
        let socket = Glibc.socket(
            key.address.family, CInt(APUS_SOCK_DGRAM | APUS_SOCK_CLOEXEC | APUS_SOCK_NONBLOCK), 0)
        guard socket >= 0 else { throw .systemCall("socket for \(key.address)", errno) }
        defer { close(socket) }
        // Binding to the interface is free since Linux 5.7; before it, the route to a neighbor leads there anyway.
        if let link = links[key.interface] {
            unsafe setsockopt(
                socket, SOL_SOCKET, SO_BINDTODEVICE, link.name, socklen_t(link.name.utf8.count))
        }
        let discard: UInt16 = 9
        let sent = unsafe withSocketAddress(key.address, port: discard, scope: key.interface) {
            address, length in
            unsafe sendto(socket, nil, 0, APUS_MSG_DONTWAIT | APUS_MSG_DONTROUTE, address, length)
        }
        // An unreachable neighbor is what this is about, so only other errors are errors.
        let code = errno
        guard sent >= 0 || [EHOSTUNREACH, ENETUNREACH, EAGAIN, ENOBUFS].contains(code) else {
            throw .systemCall("sendto(\(key.address))", code)
        }
    }

    /// Asks the kernel for one neighbor (RTM_GETNEIGH, Linux 5.0); nil if it has no entry.
    func askForNeighbor(_ key: Neighbor.Key) throws(HostError) -> Neighbor? {
        var header = [UInt8](repeating: 0, count: 12)
        header[0] = UInt8(key.address.family)
        header.replaceSubrange(4..<8, with: NetlinkRequest.native(UInt32(bitPattern: key.interface)))
        var request = NetlinkRequest(type: Int(RTM_GETNEIGH), header: header)
        request.put(Int(NDA_DST), key.address.octets)
        do {
            let answer = try requests.ask(request, for: "the neighbor \(key.address)")
            return answer.lazy.compactMap(Neighbor.init).first
        } catch {
            guard case .netlink(_, ENOENT, _) = error else { throw error }
            return nil
        }
    }
}
