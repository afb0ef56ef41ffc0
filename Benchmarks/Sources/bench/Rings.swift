import ApusBench
import CTwins

// Apus' rings beside DPDK's rte_ring: elements of eight bytes, a ring of 1024. Apus' loops are
// Sources/ApusBench/Subjects/RingSubject.swift, the twin is Twins/ring.c.

/// The suite `rings`. Without a partner it has no comparisons between cores.
func rings(partner: Partner?) -> [Comparison] {
    RingSubject.all(isPaired: partner != nil).map { ring in
        ring.subject(partner: partner).beside { twin(of: ring, partner) }
    }
}

private func twin(of ring: RingSubject, _ partner: Partner?) -> Competitor {
    let (twin, bulk) = (Twin(isMany: ring.kind == .mpmc), ring.bulk)
    switch ring.place {
    case .oneCore:
        return Competitor("rte_ring") { repeats in
            twin.exchange(bulk, repeats)
            return repeats * bulk
        }
    case .twoCores:
        return Competitor("rte_ring") { repeats in
            partner!.during({ twin.consume(bulk, repeats) }, { twin.produce(bulk, repeats) })
            return repeats * bulk
        }
    case .contended:
        let other = Twin(sharing: twin)
        return Competitor("rte_ring") { repeats in
            partner!.during({ other.exchange(bulk, repeats) }, { twin.exchange(bulk, repeats) })
            return 2 * repeats * bulk
        }
    }
}

/// One thread's hold on DPDK's ring, or the two ends of it.
@safe private final class Twin {
    private let ring: OpaquePointer
    private let many: Int32
    private let owner: Twin?
    // What goes in and where it comes out, on cache lines of its own.
    private let input = UnsafeMutableRawPointer.allocate(byteCount: 64 * 8, alignment: 128)
    private let output = UnsafeMutableRawPointer.allocate(byteCount: 64 * 8, alignment: 128)

    init(isMany: Bool) {
        many = isMany ? 1 : 0
        unsafe ring = ring_make(UInt32(RingSubject.capacity), many)
        owner = nil
    }
    init(sharing other: Twin) { unsafe (ring, many, owner) = (other.ring, other.many, other) }
    deinit {
        unsafe input.deallocate()
        unsafe output.deallocate()
        if owner == nil { unsafe ring_free(ring) }
    }

    func exchange(_ bulk: Int, _ repeats: Int) {
        unsafe ring_exchange(ring, many, input, output, UInt32(bulk), repeats)
    }
    func produce(_ bulk: Int, _ repeats: Int) {
        unsafe ring_produce(ring, many, input, UInt32(bulk), repeats)
    }
    func consume(_ bulk: Int, _ repeats: Int) {
        unsafe ring_consume(ring, many, output, UInt32(bulk), repeats)
    }
}
