import ApusBench
import CTwins

// Apus' frame pool beside DPDK's rte_mempool: frames of 2048 bytes in normal pages. Apus' loops are
// Sources/ApusBench/Subjects/PoolSubject.swift, the twin is Twins/pool.c.

/// The suite `pool`. Without a partner it has no comparisons between cores.
func pool(partner: Partner?) -> [Comparison] {
    PoolSubject.all(isPaired: partner != nil).map { pool in
        pool.subject(partner: partner).beside {
            let (twin, bulk) = (try Twin(), pool.bulk)
            guard pool.isCrossing else {
                return Competitor("rte_mempool") { repeats in
                    unsafe pool_exchange(twin.pool, UInt32(bulk), repeats)
                    return repeats * bulk
                }
            }
            return Competitor("rte_mempool") { repeats in
                partner!.during(
                    { unsafe pool_give(twin.pool, twin.ring, UInt32(bulk), repeats) },
                    { unsafe pool_take(twin.pool, twin.ring, UInt32(bulk), repeats) })
                return repeats * bulk
            }
        }
    }
}

/// DPDK's pool, and the ring that what was taken crosses by.
@safe private final class Twin {
    let pool: OpaquePointer
    let ring: OpaquePointer

    init() throws {
        try startDPDK()
        unsafe pool = pool_make(UInt32(PoolSubject.frames - 1), 2048)
        unsafe ring = ring_make(UInt32(PoolSubject.ringCapacity), 0)
    }
    deinit {
        unsafe pool_free(pool)
        unsafe ring_free(ring)
    }
}
