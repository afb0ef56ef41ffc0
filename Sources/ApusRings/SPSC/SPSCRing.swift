public import Synchronization

/// A bounded queue between one producer and one consumer, each of which is a value that one thread owns.
///
/// Making a ring makes both ends. Take them apart and move each to its thread (in a function, as a global
/// variable can't be taken apart):
///
/// ```swift
/// let ring = SPSCRing<Packet>(minimumCapacity: 512)
/// var producer = ring.producer
/// var consumer = ring.consumer
/// ```
///
/// The ends are noncopyable and every operation needs exclusive access to its end, so a producer that two
/// threads use does not compile. The memory is freed, and what is still queued dropped, when both ends are
/// gone; an end whose other end is gone stays usable (the producer's ring just fills).
///
/// Wait-free: an operation is a copy and one release store, with an acquire load of the other side's index
/// only when the copy of it that the end keeps does not suffice. No operation allocates, locks or makes a
/// system call.
@frozen
public struct SPSCRing<Element: ~Copyable>: ~Copyable {
    /// The end that puts elements in.
    public var producer: SPSCProducer<Element>
    /// The end that takes elements out.
    public var consumer: SPSCConsumer<Element>

    /// Makes an empty ring, in memory near the calling thread.
    ///
    /// - Parameter minimumCapacity: how many elements it must hold, 1 to 2³⁰. It is rounded up to a power
    ///   of two, and all of that can be used.
    @inlinable
    public init(minimumCapacity: Int) {
        let capacity = ringCapacity(atLeast: minimumCapacity)
        let header = unsafe SPSCHeader.make(slotsFor: Element.self, capacity: capacity)
        producer = unsafe SPSCProducer(header: header, mask: capacity &- 1)
        consumer = unsafe SPSCConsumer(header: header, mask: capacity &- 1)
    }

    /// How many elements the ring holds at most: a power of two.
    @inlinable
    public var capacity: Int { producer.capacity }
}

/// The start of a ring's memory; the slots follow.
@usableFromInline
struct SPSCHeader: ~Copyable {
    /// The index after the newest element. Only the producer writes it.
    @usableFromInline let tail = RingWord(0)
    /// The index of the oldest element. Only the consumer writes it.
    @usableFromInline let head = RingWord(0)
    /// How many ends live: the last to go frees the memory.
    @usableFromInline let ends = RingWord(2)

    @usableFromInline init() {}

    /// Allocates an empty ring's memory.
    @inlinable
    static func make<Element: ~Copyable>(
        slotsFor element: Element.Type, capacity: UInt
    ) -> UnsafeMutablePointer<SPSCHeader> {
        precondition(
            MemoryLayout<Element>.alignment <= cacheLineStride, "an element's alignment is at most 128")
        let slots = MemoryLayout<Element>.stride * Int(capacity)
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: MemoryLayout<SPSCHeader>.size + slots, alignment: cacheLineStride)
        let header = unsafe memory.bindMemory(to: SPSCHeader.self, capacity: 1)
        unsafe header.initialize(to: SPSCHeader())
        unsafe (memory + MemoryLayout<SPSCHeader>.size).bindMemory(to: Element.self, capacity: Int(capacity))
        return unsafe header
    }

    /// The slots after `header`.
    @inlinable @inline(__always)
    static func slots<Element: ~Copyable>(
        of header: UnsafeMutablePointer<SPSCHeader>, mask: UInt
    ) -> RingSlots<Element> {
        let first = unsafe UnsafeMutableRawPointer(header) + MemoryLayout<SPSCHeader>.size
        return unsafe RingSlots(first: first.assumingMemoryBound(to: Element.self), mask: mask)
    }

    /// Gives up one end. The last one drops what is still queued and frees the memory.
    @inlinable
    static func leave<Element: ~Copyable>(
        _ header: UnsafeMutablePointer<SPSCHeader>, mask: UInt, dropping element: Element.Type
    ) {
        // Releasing what this end did and, for the last, acquiring what the other did before it went.
        let left = unsafe header.pointee.ends.value.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        guard left.newValue == 0 else { return }
        let slots: RingSlots<Element> = unsafe slots(of: header, mask: mask)
        unsafe slots.drop(
            from: header.pointee.head.value.load(ordering: .relaxed),
            to: header.pointee.tail.value.load(ordering: .relaxed))
        unsafe header.deinitialize(count: 1)
        unsafe UnsafeMutableRawPointer(header).deallocate()
    }
}
