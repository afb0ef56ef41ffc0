import ApusHost

/// Sees to it that the kernel knows, and goes on knowing, the neighbors that packets go to.
///
/// The packets themselves pass the kernel by, so it would neither look for a neighbor nor notice
/// that an entry is still in use.
struct NeighborKeeper {
    private(set) var inUse: Set<Neighbor.Key> = []
    private var unresolved: [Neighbor.Key] = []
    /// Since when each of those is not resolved.
    private var since: [Neighbor.Key: UInt64] = [:]
    /// Those that have not answered for longer than a packet waits. They are asked on, but nothing waits for
    /// them any more: what is sent to hosts that are gone must not take the room of what can be sent.
    private(set) var silent: Set<Neighbor.Key> = []
    private var nextProbe: UInt64 = 0
    private var nextFreshening: UInt64 = 0

    /// Neighbors asked for in one round, so that a long list does not flood the network.
    private static var probesPerRound: Int { 256 }
    /// Between two rounds, in nanoseconds: as often as the kernel retries (`retrans_time_ms`).
    private static var probeInterval: UInt64 { 1_000_000_000 }
    /// When one that does not answer is given up, in nanoseconds: as long as the kernel tries. Packets wait a
    /// little longer, see `ForwardWorker.patience`.
    private static var patience: UInt64 { 3_000_000_000 }
    /// Between two rounds of confirming stale entries, in nanoseconds.
    private static var fresheningInterval: UInt64 { 5_000_000_000 }

    /// Takes note of which are needed, and which of them are not resolved.
    mutating func use(_ all: Set<Neighbor.Key>, unresolved: Set<Neighbor.Key>) {
        // Those of devices that the kernel does not have are their hosts' to keep.
        let (all, unresolved) = (all.filter { $0.interface > 0 }, unresolved.filter { $0.interface > 0 })
        inUse = all
        if !unresolved.isSubset(of: Set(self.unresolved)) { nextProbe = 0 }
        silent.formIntersection(unresolved)
        since = since.filter { unresolved.contains($0.key) }
        let now = Clock.monotonic
        for key in unresolved where since[key] == nil { since[key] = now }
        // Those already on the list keep their turn.
        self.unresolved = self.unresolved.filter(unresolved.contains)
        self.unresolved += unresolved.subtracting(self.unresolved)
    }

    /// Asks for some that are missing, and confirms those that went stale, when it is time to.
    ///
    /// - Returns: whether some fell silent.
    mutating func attend(_ host: HostView) -> Bool {
        let now = Clock.monotonic
        let before = silent.count
        if now >= nextProbe, !unresolved.isEmpty {
            nextProbe = now &+ Self.probeInterval
            let round = Array(unresolved.prefix(Self.probesPerRound))
            // A neighbor that can't be asked for now is asked for again in a later round.
            for key in round { try? host.probe(key) }
            unresolved.removeFirst(round.count)
            unresolved += round
            for (key, time) in since where now &- time >= Self.patience { silent.insert(key) }
        }
        if now >= nextFreshening {
            nextFreshening = now &+ Self.fresheningInterval
            _ = try? host.keepFresh(inUse)
        }
        return silent.count != before
    }
}

extension HostChanges {
    /// Whether next hops may be other ones now.
    func concernsForwarding(of inUse: Set<Neighbor.Key>) -> Bool {
        affectsRoutes || !readdressed.isDisjoint(with: inUse)
    }
}
