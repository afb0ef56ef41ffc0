extension MPMCRing where Element: ~Copyable {
    /// Puts one element in.
    ///
    /// - Returns: the element, if the ring is full; otherwise nil.
    @inlinable @inline(__always)
    public mutating func enqueue(_ element: consuming Element) -> Element? {
        let (index, count) = reserveFree(1, atLeast: 1)
        guard count > 0 else { return element }
        unsafe slots[index].initialize(to: element)
        unsafe header.pointee.producers.publish(index, 1)
        return nil
    }

    /// Moves all elements in, or none if they do not all fit.
    ///
    /// - Returns: whether they were moved; if so `elements` is empty.
    @inlinable
    public mutating func enqueue(bulk elements: inout OutputSpan<Element>) -> Bool {
        let wanted = elements.count
        return moveIn(&elements, atLeast: wanted) == wanted
    }

    /// Moves as many elements in as fit, from the first on. The others stay, moved up to the front.
    ///
    /// - Returns: how many were moved.
    @inlinable
    public mutating func enqueue(burst elements: inout OutputSpan<Element>) -> Int {
        moveIn(&elements, atLeast: 1)
    }

    /// Puts up to `count` elements in, asking `next` for each that fits.
    ///
    /// The slots are reserved meanwhile, so other producers wait for what `next` does: let it be little. It must not
    /// put anything into this ring by another handle, which would wait for this call for ever.
    ///
    /// - Returns: how many fit, which is how often `next` was called.
    @inlinable
    public mutating func enqueue(burst count: Int, from next: () -> Element) -> Int {
        guard count > 0 else { return 0 }
        let (first, count) = reserveFree(count, atLeast: 1)
        guard count > 0 else { return 0 }
        var index = first
        let end = first &+ UInt(truncatingIfNeeded: count)
        while index != end {
            unsafe slots[index].initialize(to: next())
            index &+= 1
        }
        unsafe header.pointee.producers.publish(first, count)
        return count
    }

    @inlinable @inline(__always)
    mutating func moveIn(_ elements: inout OutputSpan<Element>, atLeast least: Int) -> Int {
        guard elements.count > 0 else { return 0 }
        let (index, count) = reserveFree(elements.count, atLeast: least)
        guard count > 0 else { return 0 }
        let slots = unsafe slots
        unsafe elements.withUnsafeMutableBufferPointer { buffer, initialized in
            // Not nil, as there are elements.
            let first = unsafe buffer.baseAddress.unsafelyUnwrapped
            unsafe slots.moveIn(at: index, from: first, count: count)
            initialized &-= count
            unsafe first.moveInitialize(from: first + count, count: initialized)
        }
        unsafe header.pointee.producers.publish(index, count)
        return count
    }

    @inlinable @inline(__always)
    mutating func reserveFree(_ wanted: Int, atLeast least: Int) -> (index: UInt, count: Int) {
        unsafe header.pointee.producers.reserve(
            wanted, atLeast: least, behind: header.pointee.consumers, ahead: mask &+ 1, known: &knownConsumed)
    }
}

extension MPMCRing where Element: BitwiseCopyable {
    /// Puts all elements in, or none if they do not all fit.
    ///
    /// - Returns: whether they were put in.
    @inlinable
    public mutating func enqueue(bulk elements: Span<Element>) -> Bool {
        copyIn(elements, atLeast: elements.count) == elements.count
    }

    /// Puts as many elements in as fit, from the first on.
    ///
    /// - Returns: how many were put in.
    @inlinable
    public mutating func enqueue(burst elements: Span<Element>) -> Int {
        copyIn(elements, atLeast: 1)
    }

    @inlinable @inline(__always)
    mutating func copyIn(_ elements: Span<Element>, atLeast least: Int) -> Int {
        guard elements.count > 0 else { return 0 }
        let (index, count) = reserveFree(elements.count, atLeast: least)
        guard count > 0 else { return 0 }
        let slots = unsafe slots
        unsafe elements.withUnsafeBufferPointer { buffer in
            // Not nil, as there are elements.
            unsafe slots.copyIn(at: index, from: buffer.baseAddress.unsafelyUnwrapped, count: count)
        }
        unsafe header.pointee.producers.publish(index, count)
        return count
    }
}
