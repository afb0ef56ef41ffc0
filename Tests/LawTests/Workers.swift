import ApusPorts
import ApusRings
import Glibc
import Seeds

/// A thread's share of a ring of workers: a pool, a ring to take packets from and one to put them in.
struct Worker: ~Copyable, Sendable {
    var pool: FramePool
    var incoming: SPSCConsumer<Packet>
    var outgoing: SPSCProducer<Packet>

    init(
        _ pool: consuming FramePool, _ incoming: consuming SPSCConsumer<Packet>,
        _ outgoing: consuming SPSCProducer<Packet>
    ) {
        self.pool = pool
        self.incoming = incoming
        self.outgoing = outgoing
    }

    /// Takes frames and drops packets by seed, and passes on what it has.
    mutating func work(rounds: Int, seed: UInt64) {
        var random = Seeded(seed)
        var burst = Burst()
        for round in 0..<rounds {
            _ = incoming.dequeue(burst: min(burst.room, 16)) { burst.append($0) }
            for _ in 0..<Int.random(in: 0..<4, using: &random) where burst.room > 0 {
                if let frame = unsafe pool.take() { burst.append(unsafe Packet(adopting: frame)) }
            }
            burst.keep { _ in Int.random(in: 0..<4, using: &random) > 0 }
            _ = outgoing.enqueue(burst: burst.count) { burst.popFirst()! }
            if round % 64 == 0 { sched_yield() }
        }
        pool.handOver()
    }
}

/// A worker whose thread has ended.
final class Finished: @unchecked Sendable {
    private var worker: Worker
    init(_ worker: consuming Worker) { self.worker = worker }

    /// Drops what is still queued for it.
    func drain() { while let packet = worker.incoming.dequeue() { _ = consume packet } }

    func free() -> Int { worker.pool.free }
}

/// Runs a worker on a thread of its own.
final class WorkerThread: @unchecked Sendable {
    private var thread = pthread_t()
    private var worker: Worker?
    private let body: @Sendable (inout Worker) -> Void

    init(_ worker: consuming Worker, _ body: @escaping @Sendable (inout Worker) -> Void) {
        self.worker = consume worker
        self.body = body
        // Sound: the thread's reference is its own, and `join` waits for the thread.
        let context = unsafe Unmanaged.passRetained(self).toOpaque()
        unsafe pthread_create(
            &thread, nil,
            { context in
                let running = unsafe Unmanaged<WorkerThread>.fromOpaque(context!).takeRetainedValue()
                running.body(&running.worker!)
                return nil
            }, context)
    }

    func join() -> Finished {
        _ = pthread_join(thread, nil)
        return Finished(worker.take()!)
    }
}
