import ApusHost

/// Finds that the largest packet that a path takes is another one now, which netlink does not tell.
///
/// The kernel learns it from routers (RFC 1191, RFC 8201) that refuse a packet of ours: their message quotes the
/// packet, and the socket that holds the port it came from makes the kernel note it. It forgets it after ten
/// minutes (`net.ipv4.route.mtu_expires`), without a word either. Where a stream listens at a group, or sends by
/// the other IP version, no socket has the source of its packets, and nothing is learned.
struct PathWatch {
    private var paths: [(query: Route.Query, mtu: Int)] = []
    /// Whose turn it is.
    private var next = 0
    private var nextRound: UInt64 = 0

    /// Paths asked for in one round: some milliseconds.
    private static var pathsPerRound: Int { 256 }
    /// Between two rounds, in nanoseconds. Of 10,000 paths each has its turn within 40 seconds.
    private static var interval: UInt64 { 1_000_000_000 }

    /// Takes note of the paths in use.
    mutating func use(_ resolutions: [Route.Query: Resolution]) {
        paths = resolutions.compactMap { query, resolution in resolution.mtu.map { (query, $0) } }
        if next >= paths.count { next = 0 }
    }

    /// Asks the kernel for some of them, when it is time to.
    ///
    /// - Returns: whether one has another MTU now.
    mutating func attend(_ host: HostView) -> Bool {
        let now = Clock.monotonic
        guard now >= nextRound else { return false }
        nextRound = now &+ Self.interval
        for _ in 0..<min(paths.count, Self.pathsPerRound) {
            let path = paths[next]
            next = (next + 1) % paths.count
            // What can't be asked for now, or is gone, is a matter of other changes.
            if let mtu = (try? host.resolve(path.query))?.mtu, mtu != path.mtu { return true }
        }
        return false
    }
}

extension Resolution {
    /// The largest IP packet, in bytes.
    fileprivate var mtu: Int? {
        switch self {
        case .resolved(let hop), .unresolved(let hop): hop.mtu
        case .unreachable: nil
        }
    }
}
