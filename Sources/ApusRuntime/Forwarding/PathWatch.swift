import ApusHost
import ApusWire

/// Finds that the kernel would send by another way now than it said, of which netlink does not tell.
///
/// Most is told. What is not: the largest packet that a path takes, which the kernel learns from routers (RFC 1191,
/// RFC 8201) that refuse a packet of ours, and a better router, which one says that we asked for no reason (a redirect:
/// RFC 1122 section 3.2.2.2, RFC 4861 section 8). Their message quotes the packet, and the socket that holds the port
/// it came from makes the kernel note it. It forgets a path MTU after ten minutes (`net.ipv4.route.mtu_expires`),
/// without a word either. Where a stream listens at a group, or sends by the other IP version, no socket has the
/// source of its packets, and nothing is learned.
struct PathWatch {
    private var paths: [(query: Route.Query, way: Way)] = []
    /// Whose turn it is.
    private var next = 0
    private var nextRound: UInt64 = 0

    /// Paths asked for in one round: some milliseconds.
    private static var pathsPerRound: Int { 256 }
    /// Between two rounds, in nanoseconds. Of 10,000 paths each has its turn within 40 seconds.
    private static var interval: UInt64 { 1_000_000_000 }

    /// Takes note of the paths in use.
    mutating func use(_ resolutions: [Route.Query: Resolution]) {
        paths = resolutions.map { query, resolution in (query, Way(resolution)) }
        if next >= paths.count { next = 0 }
    }

    /// Asks the kernel for some of them, when it is time to.
    ///
    /// - Returns: whether one is another now.
    mutating func attend(_ host: HostView) -> Bool {
        let now = Clock.monotonic
        guard now >= nextRound else { return false }
        nextRound = now &+ Self.interval
        for _ in 0..<min(paths.count, Self.pathsPerRound) {
            let path = paths[next]
            next = (next + 1) % paths.count
            // What can't be asked for now is a matter of other changes.
            if let resolution = try? host.resolve(path.query), Way(resolution) != path.way { return true }
        }
        return false
    }
}

/// What of a resolution only the kernel knows. Ethernet addresses, and what becomes of them, are told.
private struct Way: Equatable {
    private var interface: Int32?
    private var neighbor: Neighbor.Key?
    private var source: IPAddress?
    private var mtu: Int?
    private var reason: UnreachableReason?

    init(_ resolution: Resolution) {
        switch resolution {
        case .resolved(let hop), .unresolved(let hop):
            (interface, neighbor, source, mtu) = (hop.interface, hop.neighbor, hop.source, hop.mtu)
        case .unreachable(let reason): self.reason = reason
        }
    }
}
