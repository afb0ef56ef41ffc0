import ApusPorts
import ApusRings
import CMeter

/// One way to take frames of 2048 bytes in normal pages from a pool and to give them back. The twin that does the same
/// with DPDK's rte_mempool is Benchmarks/Twins/pool.c.
public struct PoolSubject: Sendable {
    /// Whether they are given back on another core than that which took them.
    public let isCrossing: Bool
    /// Frames at a time, 1 to 64.
    public let bulk: Int

    /// How many frames the pool has.
    public static let frames = 4096
    /// How many may be between the two cores.
    public static let ringCapacity = 1024

    /// All of them; those of one core only unless it is paired.
    public static func all(isPaired: Bool) -> [PoolSubject] {
        (isPaired ? [false, true] : [false]).flatMap { isCrossing in
            [1, 8, 32, 64].map { PoolSubject(isCrossing: isCrossing, bulk: $0) }
        }
    }

    /// What is measured. One that crosses needs a partner.
    public func subject(partner: Partner?) -> Subject {
        let place = isCrossing ? "two-cores" : "one-core"
        return Subject("pool/\(place)/bulk-\(bulk)", per: "frame", cores: isCrossing ? 2 : 1) {
            let frames = Frames()
            guard isCrossing else {
                return Competitor("Apus") { repeats in
                    exchange(&frames.pool, bulk, repeats)
                    return repeats * bulk
                }
            }
            guard let partner else { preconditionFailure("there is no partner for what takes two cores") }
            return Competitor("Apus") { repeats in
                partner.during({ frames.give(bulk, repeats * bulk) }, { frames.take(bulk, repeats) })
                return repeats * bulk
            }
        }
    }
}

/// A pool, and the ring that what was taken crosses by.
private final class Frames {
    var pool: FramePool
    private var producer: SPSCProducer<Packet>?
    private var consumer: SPSCConsumer<Packet>?

    init() {
        do {
            pool = try FrameMemory(frames: PoolSubject.frames, hugePages: .never).makePool(
                frames: PoolSubject.frames)
        } catch {
            fatalError("\(error)")
        }
        let ring = SPSCRing<Packet>(minimumCapacity: PoolSubject.ringCapacity)
        let producer = ring.producer
        let consumer = ring.consumer
        self.producer = consume producer
        self.consumer = consume consumer
    }

    func take(_ bulk: Int, _ repeats: Int) {
        var producer = self.producer.take()!
        takeAndSend(&pool, &producer, bulk, repeats)
        self.producer = consume producer
    }

    func give(_ bulk: Int, _ count: Int) {
        var consumer = self.consumer.take()!
        receiveAndDrop(&consumer, bulk, count)
        self.consumer = consume consumer
    }
}

@inline(never)
private func exchange(_ pool: inout FramePool, _ bulk: Int, _ repeats: Int) {
    // Not Burst, which a packet program would use: rte_mempool fills a bare array too.
    var frames = InlineArray<64, UInt>(repeating: 0)
    if bulk == 1 {
        for _ in 0..<repeats {
            guard let frame = unsafe pool.takeRaw() else { fatalError("the pool is empty") }
            unsafe frame.release()
        }
        return
    }
    for _ in 0..<repeats {
        var count = 0
        let taken = unsafe pool.takeRaw(bulk) {
            unsafe frames[unchecked: count] = UInt(bitPattern: $0.header)
            count &+= 1
        }
        if taken < bulk { fatalError("the pool is empty") }
        // Sound: the headers of frames that were just taken.
        unsafe Frame.release(frames.span.extracting(first: taken))
    }
}

@inline(never)
private func takeAndSend(
    _ pool: inout FramePool, _ producer: inout SPSCProducer<Packet>, _ bulk: Int, _ repeats: Int
) {
    var burst = Burst()
    for _ in 0..<repeats {
        while burst.count < bulk {
            if unsafe pool.takeRaw(bulk - burst.count, { unsafe burst.append($0) }) == 0 { meter_pause() }
        }
        while !burst.isEmpty {
            if producer.enqueue(burst: burst.count, from: { burst.popFirst()! }) == 0 { meter_pause() }
        }
    }
}

@inline(never)
private func receiveAndDrop(_ consumer: inout SPSCConsumer<Packet>, _ bulk: Int, _ count: Int) {
    var burst = Burst()
    var left = count
    while left > 0 {
        let received = consumer.dequeue(burst: min(left, bulk)) { burst.append($0) }
        if received == 0 { meter_pause() }
        burst.removeAll()
        left -= received
    }
}
