public import Synchronization

/// The end of an ``SPSCRing`` that takes elements out. One thread owns it; move it to the thread that
/// consumes.
@safe @frozen
public struct SPSCConsumer<Element: ~Copyable>: ~Copyable {
    @usableFromInline let header: UnsafeMutablePointer<SPSCHeader>
    @usableFromInline let mask: UInt
    /// What this end last stored as the head: it alone writes it, so it never has to load it.
    @usableFromInline var head: UInt = 0
    /// The tail as last loaded. The real one is here or further, so at least as much is queued.
    @usableFromInline var knownTail: UInt = 0

    @inlinable
    init(header: UnsafeMutablePointer<SPSCHeader>, mask: UInt) {
        unsafe self.header = unsafe header
        self.mask = mask
    }

    @inlinable
    deinit { unsafe SPSCHeader.leave(header, mask: mask, dropping: Element.self) }
}

// As for the producer.
extension SPSCConsumer: @unchecked Sendable where Element: Sendable & ~Copyable {}

// MARK: - Looking

extension SPSCConsumer where Element: ~Copyable {
    /// How many elements the ring holds at most: a power of two.
    @inlinable
    public var capacity: Int { Int(truncatingIfNeeded: mask &+ 1) }

    /// How many elements are queued: a lower bound, so that many can be taken out.
    @inlinable
    public var count: Int {
        Int(truncatingIfNeeded: (unsafe header.pointee.tail.value.load(ordering: .relaxed)) &- head)
    }

    /// How many elements can be put in: an upper bound, as the producer may be putting some in.
    @inlinable
    public var free: Int { capacity &- count }

    /// Whether nothing is queued, unless the producer is just putting something in.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// Whether nothing can be put in. If true it stays so until this end takes something out.
    @inlinable
    public var isFull: Bool { free == 0 }
}

// MARK: - Taking elements out

extension SPSCConsumer where Element: ~Copyable {
    /// Takes the oldest element out, if there is one.
    @inlinable @inline(__always)
    public mutating func dequeue() -> Element? {
        guard queued(for: 1) > 0 else { return nil }
        let element = unsafe slots[head].move()
        release(1)
        return element
    }

    /// Moves the `count` oldest elements to `destination`, or none if fewer are queued.
    ///
    /// - Precondition: `destination` has room for them.
    /// - Returns: whether they were moved.
    @inlinable
    public mutating func dequeue(bulk count: Int, into destination: inout OutputSpan<Element>) -> Bool {
        guard count >= 0 && count <= destination.freeCapacity else { stopForRoom() }
        guard queued(for: count) >= count else { return false }
        moveOut(count, to: &destination)
        return true
    }

    /// Moves up to `limit` of the oldest elements to `destination`: as many as are queued and have room.
    ///
    /// - Returns: how many were moved.
    @inlinable
    public mutating func dequeue(burst limit: Int, into destination: inout OutputSpan<Element>) -> Int {
        let wanted = min(limit, destination.freeCapacity)
        let count = min(queued(for: wanted), wanted)
        moveOut(count, to: &destination)
        return max(count, 0)
    }

    /// Takes up to `limit` of the oldest elements out and gives each to `body`.
    ///
    /// - Returns: how many there were.
    @inlinable
    public mutating func dequeue(burst limit: Int, _ body: (consuming Element) -> Void) -> Int {
        let count = min(queued(for: limit), limit)
        guard count > 0 else { return 0 }
        var index = head
        let end = index &+ UInt(truncatingIfNeeded: count)
        while index != end {
            body(unsafe slots[index].move())
            index &+= 1
        }
        release(count)
        return count
    }
}

// MARK: - How

extension SPSCConsumer where Element: ~Copyable {
    @inlinable @inline(__always)
    var slots: RingSlots<Element> { unsafe SPSCHeader.slots(of: header, mask: mask) }

    /// How many elements are queued; exact enough to tell whether there are `wanted`.
    @inlinable @inline(__always)
    mutating func queued(for wanted: Int) -> Int {
        var queued = Int(truncatingIfNeeded: knownTail &- head)
        if queued < wanted {
            // Acquiring, so that what the producer wrote to the slots is seen.
            knownTail = unsafe header.pointee.tail.value.load(ordering: .acquiring)
            queued = Int(truncatingIfNeeded: knownTail &- head)
        }
        return queued
    }

    /// Moves `count` elements, which are there, to `destination`, which has room.
    @inlinable @inline(__always)
    mutating func moveOut(_ count: Int, to destination: inout OutputSpan<Element>) {
        guard count > 0 else { return }
        let slots = unsafe slots
        let head = head
        unsafe destination.withUnsafeMutableBufferPointer { buffer, initialized in
            // Not nil, as there is room.
            let first = unsafe buffer.baseAddress.unsafelyUnwrapped + initialized
            unsafe slots.moveOut(at: head, to: first, count: count)
            initialized &+= count
        }
        release(count)
    }

    /// Gives the producer `count` slots back.
    @inlinable @inline(__always)
    mutating func release(_ count: Int) {
        head &+= UInt(truncatingIfNeeded: count)
        unsafe header.pointee.head.value.store(head, ordering: .releasing)
    }
}
