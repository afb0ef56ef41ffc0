import ApusPorts
import ApusRings

/// The rings between one worker and another, for one interface whose queues they share.
struct WorkerLink: ~Copyable, Sendable {
    /// The other one's.
    let bell: Bell
    /// Received packets of its flows, on their way to it; where this worker has a queue.
    var handing: SPSCProducer<Packet>?
    /// Received packets of this worker's flows, which it has handed over; where that one has a queue.
    var handed: SPSCConsumer<Packet>?
    /// Packets that it is to send; where that one sends for this worker.
    var passing: SPSCProducer<Packet>?
    /// Packets that this worker is to send for it.
    var passed: SPSCConsumer<Packet>?
    /// Whether something was handed over since its bell was rung.
    private var hasNews = false

    init(bell: Bell) { self.bell = bell }

    /// Hands over a received packet; gives it back when the ring is full. ``tell()`` when all are.
    mutating func hand(_ packet: consuming Packet) -> Packet? {
        if let refused = handing!.enqueue(packet) { return refused }
        hasNews = true
        return nil
    }

    /// Rings its bell if something was handed over.
    mutating func tell() {
        guard hasNews else { return }
        hasNews = false
        bell.ring()
    }

    /// Takes what it has handed over.
    mutating func takeHanded(into burst: inout Burst, atMost limit: Int) -> Int {
        if handed == nil { return 0 }
        return handed!.dequeue(burst: limit) { burst.append($0) }
    }

    /// Passes packets on to be sent, as many as there is room for.
    mutating func pass(_ burst: inout Burst) -> Int {
        let count = passing!.enqueue(burst: burst.count) {
            // Sound: it is called at most `burst.count` times.
            unsafe Packet(adopting: burst.popFirstFrame())
        }
        if count > 0 { bell.ring() }
        return count
    }

    /// Takes what is to be sent for it.
    mutating func takePassed(into burst: inout Burst, atMost limit: Int) -> Int {
        if passed == nil { return 0 }
        return passed!.dequeue(burst: min(limit, burst.room)) { burst.append($0) }
    }

    /// Packets that this worker is to send for it.
    var passedCount: Int {
        switch passed {
        case .some(let ring): ring.count
        case .none: 0
        }
    }

    /// Packets on their way to it.
    var handingCount: Int {
        switch handing {
        case .some(let ring): ring.count
        case .none: 0
        }
    }

    /// Packets that it is to send and has not taken.
    var passingCount: Int {
        switch passing {
        case .some(let ring): ring.count
        case .none: 0
        }
    }

    /// Whether there is something to take.
    var hasPackets: Bool {
        switch handed {
        case .some(let ring): if !ring.isEmpty { return true }
        case .none: break
        }
        return passedCount > 0
    }
}

/// What one worker has of all the rings of an interface.
struct WorkerLinks: ~Copyable, Sendable {
    /// The number of the worker.
    let worker: Int
    /// The worker that sends for it; its own number where it has a queue.
    let sender: Int
    let bell: Bell
    /// By worker; that to itself has no rings.
    var links: FixedArray<WorkerLink>

    /// How long the rings of a queue may be, that has a pool of so many frames: when all other workers stand still and their
    /// rings are full, they hold a quarter of it at most, and the queue goes on. At most 2048, which some milliseconds bring
    /// at a million a second.
    static func length(frames: Int, workers: Int) -> Int {
        let most = min(2048, frames / 4 / max(1, workers - 1))
        var length = 2
        while 2 * length <= most { length *= 2 }
        return length
    }

    /// The rings of an interface with fewer queues than there are workers, each as long as `length`.
    ///
    /// Queue q is for worker q, and the other workers send by those with a queue in turn, which have lower numbers.
    static func mesh(workers: Int, queues: Int, length: Int) throws(ServiceError) -> FixedArray<WorkerLinks?>
    {
        let bells = try FixedArray<Bell>(count: workers) { _ throws(ServiceError) in try Bell() }
        var all = FixedArray<WorkerLinks?>(count: workers) { worker in
            WorkerLinks(
                worker: worker, sender: worker % queues, bell: bells[worker],
                links: FixedArray(count: workers) { WorkerLink(bell: bells[$0]) })
        }
        for owner in 0..<queues {
            for other in 0..<workers where other != owner {
                let ring = SPSCRing<Packet>(minimumCapacity: length)
                all[owner]!.links[other].handing = .some(ring.producer)
                all[other]!.links[owner].handed = .some(ring.consumer)
            }
        }
        for other in queues..<workers {
            let owner = other % queues
            let ring = SPSCRing<Packet>(minimumCapacity: length)
            all[other]!.links[owner].passing = .some(ring.producer)
            all[owner]!.links[other].passed = .some(ring.consumer)
        }
        return all
    }
}
