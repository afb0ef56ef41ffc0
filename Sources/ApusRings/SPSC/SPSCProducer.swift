public import Synchronization

/// The end of an ``SPSCRing`` that puts elements in. One thread owns it; move it to the thread that
/// produces.
@safe @frozen
public struct SPSCProducer<Element: ~Copyable>: ~Copyable {
    @usableFromInline let header: UnsafeMutablePointer<SPSCHeader>
    @usableFromInline let mask: UInt
    /// What this end last stored as the tail: it alone writes it, so it never has to load it.
    @usableFromInline var tail: UInt = 0
    /// The head as last loaded. The real one is here or further, so there is at least as much room.
    @usableFromInline var knownHead: UInt = 0

    @inlinable
    init(header: UnsafeMutablePointer<SPSCHeader>, mask: UInt) {
        unsafe self.header = unsafe header
        self.mask = mask
    }

    @inlinable
    deinit { unsafe SPSCHeader.leave(header, mask: mask, dropping: Element.self) }
}

// The pointer is to memory that both ends keep alive, each writes only its own word and its own slots,
// and an element passes from one thread to the other by release and acquire.
extension SPSCProducer: @unchecked Sendable where Element: Sendable & ~Copyable {}

// MARK: - Looking

extension SPSCProducer where Element: ~Copyable {
    /// How many elements the ring holds at most: a power of two.
    @inlinable
    public var capacity: Int { Int(truncatingIfNeeded: mask &+ 1) }

    /// How many elements are queued: an upper bound, as the consumer may be taking some out.
    @inlinable
    public var count: Int {
        Int(truncatingIfNeeded: tail &- (unsafe header.pointee.head.value.load(ordering: .relaxed)))
    }

    /// How many elements can be put in: a lower bound, so that many will fit.
    @inlinable
    public var free: Int { capacity &- count }

    /// Whether nothing is queued. If true it stays so until this end puts something in.
    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// Whether nothing can be put in, unless the consumer is just taking something out.
    @inlinable
    public var isFull: Bool { free == 0 }
}

// MARK: - Putting elements in

extension SPSCProducer where Element: ~Copyable {
    /// Puts one element in.
    ///
    /// - Returns: the element, if the ring is full; otherwise nil.
    @inlinable @inline(__always)
    public mutating func enqueue(_ element: consuming Element) -> Element? {
        guard room(for: 1) > 0 else { return element }
        unsafe slots[tail].initialize(to: element)
        publish(1)
        return nil
    }

    /// Moves all elements in, or none if they do not all fit.
    ///
    /// - Returns: whether they were moved; if so `elements` is empty.
    @inlinable
    public mutating func enqueue(bulk elements: inout OutputSpan<Element>) -> Bool {
        guard room(for: elements.count) >= elements.count else { return false }
        _ = enqueue(burst: &elements)
        return true
    }

    /// Moves as many elements in as fit, from the first on. The others stay, moved up to the front.
    ///
    /// - Returns: how many were moved.
    @inlinable
    public mutating func enqueue(burst elements: inout OutputSpan<Element>) -> Int {
        let count = min(room(for: elements.count), elements.count)
        guard count > 0 else { return 0 }
        let slots = unsafe slots
        let tail = tail
        unsafe elements.withUnsafeMutableBufferPointer { buffer, initialized in
            // Not nil, as there are elements.
            let first = unsafe buffer.baseAddress.unsafelyUnwrapped
            unsafe slots.moveIn(at: tail, from: first, count: count)
            initialized &-= count
            unsafe first.moveInitialize(from: first + count, count: initialized)
        }
        publish(count)
        return count
    }

    /// Puts up to `count` elements in, asking `next` for each that fits.
    ///
    /// - Returns: how many fit, which is how often `next` was called.
    @inlinable
    public mutating func enqueue(burst count: Int, from next: () -> Element) -> Int {
        let count = min(room(for: count), count)
        guard count > 0 else { return 0 }
        var index = tail
        let end = index &+ UInt(truncatingIfNeeded: count)
        while index != end {
            unsafe slots[index].initialize(to: next())
            index &+= 1
        }
        publish(count)
        return count
    }
}

extension SPSCProducer where Element: BitwiseCopyable {
    /// Puts all elements in, or none if they do not all fit.
    ///
    /// - Returns: whether they were put in.
    @inlinable
    public mutating func enqueue(bulk elements: Span<Element>) -> Bool {
        let count = elements.count
        guard room(for: count) >= count else { return false }
        copyIn(elements, count: count)
        return true
    }

    /// Puts as many elements in as fit, from the first on.
    ///
    /// - Returns: how many were put in.
    @inlinable
    public mutating func enqueue(burst elements: Span<Element>) -> Int {
        let count = min(room(for: elements.count), elements.count)
        copyIn(elements, count: count)
        return count
    }

    /// Copies the first `count` elements, for which there is room.
    @inlinable @inline(__always)
    mutating func copyIn(_ elements: Span<Element>, count: Int) {
        guard count > 0 else { return }
        let slots = unsafe slots
        let tail = tail
        unsafe elements.withUnsafeBufferPointer { buffer in
            // Not nil, as there are elements.
            unsafe slots.copyIn(at: tail, from: buffer.baseAddress.unsafelyUnwrapped, count: count)
        }
        publish(count)
    }
}

// MARK: - How

extension SPSCProducer where Element: ~Copyable {
    @inlinable @inline(__always)
    var slots: RingSlots<Element> { unsafe SPSCHeader.slots(of: header, mask: mask) }

    /// How many elements can be put in; exact enough to tell whether `wanted` fit.
    @inlinable @inline(__always)
    mutating func room(for wanted: Int) -> Int {
        var room = Int(truncatingIfNeeded: mask &+ 1 &- (tail &- knownHead))
        if room < wanted {
            // Acquiring, so that the consumer's reads of a slot come before our writes to it.
            knownHead = unsafe header.pointee.head.value.load(ordering: .acquiring)
            room = Int(truncatingIfNeeded: mask &+ 1 &- (tail &- knownHead))
        }
        return room
    }

    /// Shows the consumer `count` elements more.
    @inlinable @inline(__always)
    mutating func publish(_ count: Int) {
        tail &+= UInt(truncatingIfNeeded: count)
        unsafe header.pointee.tail.value.store(tail, ordering: .releasing)
    }
}
