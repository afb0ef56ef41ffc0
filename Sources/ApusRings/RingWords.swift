import CLinux
import Glibc
public import Synchronization

/// The distance between words that different cores write: two 64-byte cache lines, because x86 prefetches
/// lines in pairs and several ARM cores have lines of 128 bytes.
@usableFromInline let cacheLineStride = 128

/// A free-running ring index on a cache line of its own.
///
/// Swift aligns no type above 16 bytes, so the distance is made by padding and the memory's base is
/// aligned when it is allocated; a test measures both.
@usableFromInline
struct RingWord: ~Copyable {
    @usableFromInline let value: Atomic<UInt>
    @usableFromInline let padding = InlineArray<15, UInt64>(repeating: 0)

    @usableFromInline init(_ initial: UInt) { value = Atomic(initial) }
}

/// Two free-running ring indices that the same side writes, on a cache line of their own.
@usableFromInline
struct RingWordPair: ~Copyable {
    @usableFromInline let head = Atomic<UInt>(0)
    @usableFromInline let tail = Atomic<UInt>(0)
    @usableFromInline let padding = InlineArray<14, UInt64>(repeating: 0)

    @usableFromInline init() {}
}

/// How many slots a ring for at least `minimumCapacity` elements has: the next power of two.
@usableFromInline
func ringCapacity(atLeast minimumCapacity: Int) -> UInt {
    require(
        minimumCapacity > 0 && minimumCapacity <= 1 << 30,
        "a ring's capacity is between 1 and 2^30 elements")
    return UInt(1) << UInt(Int.bitWidth - (minimumCapacity - 1).leadingZeroBitCount)
}

/// One step of waiting for another thread to finish a copy of at most a few hundred bytes.
///
/// It spins, as that thread is nearly always running. When it is not, because the kernel preempted it in
/// the middle, spinning on would burn this thread's time slice, so every thousandth step yields the core.
@usableFromInline @inline(never)
func waitForPeer(_ step: inout UInt) {
    step &+= 1
    if step % 1024 == 0 { _ = sched_yield() } else { apus_relax() }
}
