import Apus
import ApusBench
import CMeter
import CTwins

// Apus' frame pool beside DPDK's rte_mempool: frames of 2048 bytes in normal pages. The twin is Twins/pool.c.

private let frames = 4096
private let ringCapacity = 1024

/// The suite `pool`. Without a partner it has no comparisons between cores.
func pool(_ cores: Cores, partner: Partner?) -> [Comparison] {
    let own = [1, 8, 32, 64].map { bulk in
        Comparison("pool/one-core/bulk-\(bulk)", per: "frame") {
            let (ours, theirs) = (Frames(), Twin(core: cores.own))
            return (
                Competitor("Apus") { repeats in
                    exchange(&ours.pool, bulk, repeats)
                    return repeats * bulk
                },
                Competitor("rte_mempool") { repeats in
                    unsafe pool_exchange(theirs.pool, UInt32(bulk), repeats)
                    return repeats * bulk
                }
            )
        }
    }
    guard let partner else { return own }
    return own
        + [1, 8, 32, 64].map { bulk in
            Comparison("pool/two-cores/bulk-\(bulk)", per: "frame", cores: 2) {
                let (ours, theirs) = (Frames(), Twin(core: cores.own))
                return (
                    Competitor("Apus") { repeats in
                        partner.during({ ours.give(repeats * bulk) }, { ours.take(bulk, repeats) })
                        return repeats * bulk
                    },
                    Competitor("rte_mempool") { repeats in
                        partner.during(
                            { unsafe pool_give(theirs.pool, theirs.ring, UInt32(bulk), repeats) },
                            { unsafe pool_take(theirs.pool, theirs.ring, UInt32(bulk), repeats) })
                        return repeats * bulk
                    }
                )
            }
        }
}

/// DPDK's pool, and the ring that what was taken crosses by.
@safe private final class Twin {
    let pool: OpaquePointer
    let ring: OpaquePointer

    init(core: Int) {
        unsafe pool = pool_make(UInt32(frames - 1), 2048, Int32(core))
        unsafe ring = ring_make(UInt32(ringCapacity), 0)
    }
    deinit {
        unsafe pool_free(pool)
        unsafe ring_free(ring)
    }
}

/// Apus' pool, and such a ring.
private final class Frames {
    var pool: FramePool
    private var producer: SPSCProducer<Packet>?
    private var consumer: SPSCConsumer<Packet>?

    init() {
        do {
            pool = try FrameMemory(frames: frames, hugePages: .never).makePool(frames: frames)
        } catch {
            fatalError("\(error)")
        }
        let ring = SPSCRing<Packet>(minimumCapacity: ringCapacity)
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

    func give(_ count: Int) {
        var consumer = self.consumer.take()!
        receiveAndDrop(&consumer, count)
        self.consumer = consume consumer
    }
}

@inline(never)
private func exchange(_ pool: inout FramePool, _ bulk: Int, _ repeats: Int) {
    // Not Burst, which a packet program would use: rte_mempool fills a bare array too.
    var frames = InlineArray<64, UInt>(repeating: 0)
    for _ in 0..<repeats {
        for i in 0..<bulk {
            guard let frame = unsafe pool.takeRaw() else { fatalError("the pool is empty") }
            unsafe frames[unchecked: i] = UInt(bitPattern: frame.header)
        }
        for i in 0..<bulk {
            // Sound: the header of a frame that was just taken.
            unsafe Frame(header: .init(bitPattern: frames[unchecked: i]).unsafelyUnwrapped).release()
        }
    }
}

@inline(never)
private func takeAndSend(
    _ pool: inout FramePool, _ producer: inout SPSCProducer<Packet>, _ bulk: Int, _ repeats: Int
) {
    var burst = Burst()
    for _ in 0..<repeats {
        while burst.count < bulk {
            if let frame = unsafe pool.takeRaw() { unsafe burst.append(frame) } else { meter_pause() }
        }
        while !burst.isEmpty {
            if producer.enqueue(burst: burst.count, from: { burst.popFirst()! }) == 0 { meter_pause() }
        }
    }
}

@inline(never)
private func receiveAndDrop(_ consumer: inout SPSCConsumer<Packet>, _ count: Int) {
    var left = count
    while left > 0 {
        let received = consumer.dequeue(burst: min(left, 64)) { _ = consume $0 }
        if received == 0 { meter_pause() }
        left -= received
    }
}
