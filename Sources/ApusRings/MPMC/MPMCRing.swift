public import Synchronization

/// A bounded queue between any number of producers and consumers. A value of this type is one thread's
/// handle; ``share()`` makes another one for another thread.
///
/// ```swift
/// var mine = MPMCRing<Packet>(minimumCapacity: 512)
/// let theirs = mine.share()   // move it to the other thread
/// ```
///
/// Handles are noncopyable and putting in and taking out need exclusive access to one, so a handle that two
/// threads use does not compile. The memory is freed, and what is still queued dropped, with the last handle.
///
/// The algorithm is that of DPDK's `rte_ring` in its default mode. A producer reserves slots by moving the
/// producers' head with a compare-and-swap, fills them, waits for those who reserved before it, and moves
/// the producers' tail; consumers do the same on their side. One operation moves any number of elements for
/// that price, and they stay together and in order.
///
/// **It is not lock-free.** A thread that the kernel preempts between reserving and publishing stalls all
/// others on its side until it runs again: they spin, and yield the core every thousand rounds. Give each
/// of the threads a core of its own, or use ``SPSCRing``, which has no such window. No operation allocates
/// or locks, and none makes a system call but for that yielding.
@safe @frozen
public struct MPMCRing<Element: ~Copyable>: ~Copyable {
    @usableFromInline let header: UnsafeMutablePointer<MPMCHeader>
    @usableFromInline let mask: UInt
    /// The consumers' tail as last loaded. The real one is here or further.
    @usableFromInline var knownConsumed: UInt
    /// The producers' tail as last loaded. The real one is here or further.
    @usableFromInline var knownProduced: UInt

    @inlinable
    init(header: UnsafeMutablePointer<MPMCHeader>, mask: UInt, consumed: UInt, produced: UInt) {
        unsafe self.header = unsafe header
        self.mask = mask
        knownConsumed = consumed
        knownProduced = produced
    }

    /// Makes an empty ring, in memory near the calling thread.
    ///
    /// - Parameter minimumCapacity: how many elements it must hold, 1 to 2³⁰. It is rounded up to a power
    ///   of two, and all of that can be used.
    @inlinable
    public init(minimumCapacity: Int) {
        let capacity = ringCapacity(atLeast: minimumCapacity)
        let header = unsafe MPMCHeader.make(slotsFor: Element.self, capacity: capacity)
        unsafe self.init(header: header, mask: capacity &- 1, consumed: 0, produced: 0)
    }

    @inlinable
    deinit {
        // Releasing what this handle did and, for the last, acquiring what the others did.
        let left = unsafe header.pointee.handles.value.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        guard left.newValue == 0 else { return }
        unsafe slots.drop(
            from: header.pointee.consumers.tail.load(ordering: .relaxed),
            to: header.pointee.producers.tail.load(ordering: .relaxed))
        unsafe header.deinitialize(count: 1)
        unsafe UnsafeMutableRawPointer(header).deallocate()
    }

    /// Another handle to the same ring, for another thread.
    @inlinable
    public func share() -> MPMCRing {
        _ = unsafe header.pointee.handles.value.wrappingAdd(1, ordering: .relaxed)
        return unsafe MPMCRing(
            header: header, mask: mask, consumed: knownConsumed, produced: knownProduced)
    }
}

// The pointer is to memory that all handles keep alive; slots are reserved by compare-and-swap, and an
// element passes from one thread to another by release and acquire.
extension MPMCRing: @unchecked Sendable where Element: Sendable & ~Copyable {}

extension MPMCRing where Element: ~Copyable {
    /// How many elements the ring holds at most: a power of two.
    @inlinable
    public var capacity: Int { Int(truncatingIfNeeded: mask &+ 1) }

    /// How many elements are queued. A snapshot, outdated at once unless the other threads are quiet.
    @inlinable
    public var count: Int {
        // In this order, as consumers never pass producers.
        let consumed = unsafe header.pointee.consumers.tail.load(ordering: .acquiring)
        let produced = unsafe header.pointee.producers.tail.load(ordering: .acquiring)
        return min(Int(truncatingIfNeeded: produced &- consumed), capacity)
    }

    /// How many elements can be put in. A snapshot, like ``count``.
    @inlinable
    public var free: Int { capacity &- count }

    /// Whether nothing is queued. A snapshot, like ``count``.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// Whether nothing can be put in. A snapshot, like ``count``.
    @inlinable
    public var isFull: Bool { free == 0 }

    @inlinable @inline(__always)
    var slots: RingSlots<Element> { unsafe MPMCHeader.slots(of: header, mask: mask) }
}
