import ApusPorts
import ApusRings

/// What was dropped as the ring to its worker was full.
struct RingFull {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0
}

extension SharedDriver where Own: ~Copyable {
    /// Received packets in the rings to other workers, or not looked at.
    private var handing: Int {
        var sum = arrived.count
        for link in links.indices { sum += links[link].handingCount }
        return sum
    }

    /// Packets in the ring to the worker that sends them.
    private var passing: Int {
        var sum = 0
        for link in links.indices { sum += links[link].passingCount }
        return sum
    }

    /// Whether there is something to be sent for others.
    private var hasPassed: Bool {
        if !returning.isEmpty { return true }
        for link in links.indices where links[link].passedCount > 0 { return true }
        return false
    }

    /// Those inside its queue, and those in the rings from here.
    var framesInside: Int {
        let inOwn =
            switch own {
            case .some(let port): port.driver.framesInside
            case .none: 0
            }
        return inOwn + handing + passing + returning.count
    }

    /// Those of the queue, which receives and sends for other workers, too; of a worker without one only what it has
    /// passed and was not taken yet, as all the rest is counted there.
    mutating func statistics() -> PortStatistics {
        var result = own == nil ? PortStatistics() : own!.statistics()
        let queued = UInt64(handing)
        // Their bytes are not known before they come out again; those of the dropped ones are.
        result.received &-= min(result.received, queued &+ ringFull.packets)
        result.receivedBytes &-= min(result.receivedBytes, ringFull.bytes)
        result.drops[.workerRingFull] &+= ringFull.packets
        result.pending &+= UInt64(passing + returning.count)
        return result
    }
}

extension SharedDriver: FinishingDriver where Own: FinishingDriver & ~Copyable {
    /// What others have passed leaves first. What has not left by then is counted as refused, by who has taken it last.
    mutating func finish(by deadline: UInt64) -> PortStatistics {
        flush(by: deadline) { $0.hasPassed }
        if own != nil { _ = own!.driver.finish(by: deadline) }
        var result = statistics()
        result.drops[.sendRefused] &+= result.pending
        result.pending = 0
        return result
    }
}
