/// A worker of a running forwarder did not come round in time.
public struct WorkerStall: Sendable, CustomStringConvertible {
    /// Its number, from 0.
    public let worker: Int
    /// For how long it had not when that was noticed at the earliest, in milliseconds.
    public let milliseconds: Int

    /// One line for a log.
    public var description: String {
        "worker \(worker) has not come round for \(milliseconds) ms, and what comes in by its queues waits: it got no core, or "
            + "the process was stopped; give it a core of its own (\"cpus\")"
    }
}

extension Forwarder {
    /// The stalls of workers that were noticed since the last call; 64 at most. Each is told once, and counted among
    /// ``ForwarderStatus/stalls``.
    public func takeStalls() -> [WorkerStall] {
        defer { stalls = [] }
        return stalls
    }

    /// Looks whether the workers come round.
    func noteStalls() {
        for number in crew.stalled() where stalls.count < 64 {
            let limit = crew.members[number].watch.limit / 1_000_000
            stalls.append(WorkerStall(worker: number, milliseconds: Int(limit)))
        }
    }
}
