import CXDP
import Synchronization

// The rings an AF_XDP socket shares with the kernel (Documentation/networking/af_xdp.rst). One side
// produces and the other consumes, so an acquiring load of the other's index and a releasing store of one's
// own are all the ordering there is. The other's index is kept and only looked at again when it has to be.

/// XDP_RING_NEED_WAKEUP of linux/if_xdp.h.
private let needWakeup: UInt32 = 1 << 0

/// The producing end of a ring: fill and TX.
///
/// Reserve, write, submit: what is written but not submitted was never there.
@unsafe
struct KernelProducer<Entry: BitwiseCopyable>: ~Copyable {
    private let producer: UnsafeMutablePointer<Atomic<UInt32>>
    private let consumer: UnsafeMutablePointer<Atomic<UInt32>>
    private let flags: UnsafeMutablePointer<Atomic<UInt32>>
    private let entries: UnsafeMutablePointer<Entry>
    /// The number of entries, a power of two.
    let size: UInt32
    private var next: UInt32
    private var consumed: UInt32

    /// Takes over a ring that libxdp has mapped, where its indices stand.
    init(_ ring: xsk_ring_prod) {
        // Sound: Atomic<UInt32> has the layout of a UInt32, which is what the kernel keeps there.
        unsafe producer = UnsafeMutableRawPointer(ring.producer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe consumer = UnsafeMutableRawPointer(ring.consumer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe flags = UnsafeMutableRawPointer(ring.flags).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe entries = ring.ring.assumingMemoryBound(to: Entry.self)
        unsafe size = ring.size
        unsafe next = producer.pointee.load(ordering: .relaxed)
        unsafe consumed = consumer.pointee.load(ordering: .acquiring)
    }

    /// How many entries can be written; looks at the consumer only if fewer than `wanted` are known of.
    @inline(__always)
    mutating func reserve(_ wanted: UInt32) -> UInt32 {
        let known = unsafe size &- (next &- consumed)
        if known >= wanted { return known }
        unsafe consumed = consumer.pointee.load(ordering: .acquiring)
        return unsafe size &- (next &- consumed)
    }

    /// Writes the entry `offset` places behind the last one submitted, which must be reserved.
    @inline(__always)
    func write(_ entry: Entry, at offset: UInt32) {
        unsafe entries[Int(truncatingIfNeeded: (next &+ offset) & (size &- 1))] = entry
    }

    /// Gives the first `count` reserved entries to the kernel.
    @inline(__always)
    mutating func submit(_ count: UInt32) {
        unsafe next &+= count
        unsafe producer.pointee.store(next, ordering: .releasing)
    }

    /// Entries the kernel has not consumed yet.
    @inline(__always)
    mutating func pending() -> UInt32 {
        if unsafe next == consumed { return 0 }
        unsafe consumed = consumer.pointee.load(ordering: .acquiring)
        return unsafe next &- consumed
    }

    /// The entry `offset` places behind the oldest one that was pending when ``pending()`` was called last, and
    /// less than that number of places.
    subscript(pending offset: UInt32) -> Entry {
        get { unsafe entries[Int(truncatingIfNeeded: (consumed &+ offset) & (size &- 1))] }
        nonmutating set {
            unsafe entries[Int(truncatingIfNeeded: (consumed &+ offset) & (size &- 1))] = newValue
        }
    }

    /// The entry `distance` places in front of the next one to write: 1 is the newest. It stays readable after the
    /// kernel has consumed it, until as many others as the ring has places were written.
    subscript(newest distance: UInt32) -> Entry {
        unsafe entries[Int(truncatingIfNeeded: (next &- distance) & (size &- 1))]
    }

    /// Whether the kernel waits to be woken before it looks at the ring.
    ///
    /// It sets the flag and then looks at the ring once more; we have submitted and then look at the flag.
    /// The fence between makes sure that one of the two sees the other.
    @inline(__always)
    var needsWakeup: Bool {
        if unsafe isWakeupSet { return true }
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return unsafe isWakeupSet
    }

    /// The flag alone, without the fence: for rings at which the kernel does not go to sleep.
    @inline(__always)
    var isWakeupSet: Bool { unsafe flags.pointee.load(ordering: .relaxed) & needWakeup != 0 }
}

/// The consuming end of a ring: RX and completion.
@unsafe
struct KernelConsumer<Entry: BitwiseCopyable>: ~Copyable {
    private let producer: UnsafeMutablePointer<Atomic<UInt32>>
    private let consumer: UnsafeMutablePointer<Atomic<UInt32>>
    private let entries: UnsafeMutablePointer<Entry>
    /// The number of entries, a power of two.
    let size: UInt32
    private var next: UInt32
    private var produced: UInt32

    /// Takes over a ring that libxdp has mapped, where its indices stand.
    init(_ ring: xsk_ring_cons) {
        unsafe producer = UnsafeMutableRawPointer(ring.producer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe consumer = UnsafeMutableRawPointer(ring.consumer).assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe entries = ring.ring.assumingMemoryBound(to: Entry.self)
        unsafe size = ring.size
        unsafe next = consumer.pointee.load(ordering: .relaxed)
        unsafe produced = producer.pointee.load(ordering: .acquiring)
    }

    /// How many entries can be read; looks at the producer only if fewer than `wanted` are known of.
    @inline(__always)
    mutating func available(_ wanted: UInt32) -> UInt32 {
        let known = unsafe produced &- next
        if known >= wanted { return known }
        unsafe produced = producer.pointee.load(ordering: .acquiring)
        return unsafe produced &- next
    }

    /// The entry `offset` places behind the last one released, which must be available.
    @inline(__always)
    subscript(_ offset: UInt32) -> Entry { unsafe window[at: next &+ offset] }

    /// The entries as they stand until the next release: a copy, which a loop can keep in registers.
    @inline(__always)
    var window: Window { unsafe Window(entries: entries, mask: size &- 1, start: next) }

    @unsafe
    struct Window {
        fileprivate let entries: UnsafeMutablePointer<Entry>
        fileprivate let mask: UInt32
        /// The index of the first entry.
        let start: UInt32

        /// The entry of an index, which counts on from ``start`` and runs on where the ring ends.
        @inline(__always)
        subscript(at index: UInt32) -> Entry {
            unsafe entries[Int(truncatingIfNeeded: index & mask)]
        }
    }

    /// Gives the first `count` entries back to the kernel.
    @inline(__always)
    mutating func release(_ count: UInt32) {
        unsafe next &+= count
        unsafe consumer.pointee.store(next, ordering: .releasing)
    }
}
