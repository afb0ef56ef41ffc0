import ApusEndHost
import ApusWire

/// The largest IP packets that routers said the paths of streams take, by an interface that the kernel does not have (RFC 1191,
/// RFC 8201).
///
/// Anybody may make up such a message. Only those are believed that quote a packet of the plan in force, by its addresses and
/// ports (RFC 5927 section 4), so there are never more paths than the plan has destinations, and a flood pushes none out.
struct NarrowPaths {
    /// What a packet of the plan has in its headers.
    struct Flow: Hashable {
        var source: UInt16
        var destination: Endpoint
    }

    private var flows: Set<Flow> = []
    private var found: [IPAddress: (mtu: Int, until: UInt64)] = [:]

    /// How long a path's MTU counts, in nanoseconds: as long as the kernel's (RFC 1191 section 6.3).
    private static var time: UInt64 { 600_000_000_000 }

    /// Takes up those of a plan, and forgets what is of no use to it.
    mutating func use(_ flows: Set<Flow>) {
        self.flows = flows
        guard !found.isEmpty else { return }
        let destinations = Set(flows.lazy.map(\.destination.address))
        found = found.filter { destinations.contains($0.key) }
    }

    /// Takes note of what a router says.
    ///
    /// - Returns: whether it is believed.
    mutating func learn(_ report: PathReport, at now: UInt64) -> Bool {
        let packet = report.packet
        guard case .tooBig(let mtu) = report.cause, packet.protocolNumber == .udp, let ports = packet.ports,
            flows.contains(
                Flow(source: ports.source, destination: Endpoint(packet.destination, port: ports.destination))
            )
        else { return false }
        // What a router says later never makes it larger (RFC 1191 section 3, RFC 8201 section 4).
        found[packet.destination] = (
            min(mtu, self.mtu(to: packet.destination, at: now) ?? mtu), now &+ Self.time
        )
        return true
    }

    /// The largest IP packet to a destination; nil where no router has said less than the MTU.
    func mtu(to destination: IPAddress, at now: UInt64) -> Int? {
        guard let path = found[destination], path.until > now else { return nil }
        return path.mtu
    }

    /// Forgets those whose time is over.
    ///
    /// - Returns: whether there were any, so that longer packets may be tried again.
    mutating func expire(at now: UInt64) -> Bool {
        let before = found.count
        found = found.filter { $0.value.until > now }
        return found.count < before
    }

    /// How many there are.
    func count(at now: UInt64) -> Int { found.values.count { $0.until > now } }
}
