extension MPMCRing where Element: ~Copyable {
    /// Takes the oldest element out, if there is one.
    @inlinable @inline(__always)
    public mutating func dequeue() -> Element? {
        let (index, count) = reserveFilled(1, atLeast: 1)
        guard count > 0 else { return nil }
        let element = unsafe slots[index].move()
        unsafe header.pointee.consumers.publish(index, 1)
        return element
    }

    /// Moves the `count` oldest elements to `destination`, or none if fewer are queued.
    ///
    /// - Precondition: `destination` has room for them.
    /// - Returns: whether they were moved.
    @inlinable
    public mutating func dequeue(bulk count: Int, into destination: inout OutputSpan<Element>) -> Bool {
        guard count >= 0 && count <= destination.freeCapacity else { stopForRoom() }
        return moveOut(count, atLeast: count, to: &destination) == count
    }

    /// Moves up to `limit` of the oldest elements to `destination`: as many as are queued and have room.
    ///
    /// - Returns: how many were moved.
    @inlinable
    public mutating func dequeue(burst limit: Int, into destination: inout OutputSpan<Element>) -> Int {
        moveOut(min(limit, destination.freeCapacity), atLeast: 1, to: &destination)
    }

    /// Takes up to `limit` of the oldest elements out and gives each to `body`.
    ///
    /// The slots are reserved meanwhile, so other consumers wait for what `body` does: let it be little. It must not
    /// take anything out of this ring by another handle, which would wait for this call for ever.
    ///
    /// - Returns: how many there were.
    @inlinable
    public mutating func dequeue(burst limit: Int, _ body: (consuming Element) -> Void) -> Int {
        guard limit > 0 else { return 0 }
        let (first, count) = reserveFilled(limit, atLeast: 1)
        guard count > 0 else { return 0 }
        var index = first
        let end = first &+ UInt(truncatingIfNeeded: count)
        while index != end {
            body(unsafe slots[index].move())
            index &+= 1
        }
        unsafe header.pointee.consumers.publish(first, count)
        return count
    }

    @inlinable @inline(__always)
    mutating func moveOut(
        _ wanted: Int, atLeast least: Int, to destination: inout OutputSpan<Element>
    ) -> Int {
        guard wanted > 0 else { return 0 }
        let (index, count) = reserveFilled(wanted, atLeast: least)
        guard count > 0 else { return 0 }
        let slots = unsafe slots
        unsafe destination.withUnsafeMutableBufferPointer { buffer, initialized in
            // Not nil, as there is room.
            let first = unsafe buffer.baseAddress.unsafelyUnwrapped + initialized
            unsafe slots.moveOut(at: index, to: first, count: count)
            initialized &+= count
        }
        unsafe header.pointee.consumers.publish(index, count)
        return count
    }

    @inlinable @inline(__always)
    mutating func reserveFilled(_ wanted: Int, atLeast least: Int) -> (index: UInt, count: Int) {
        unsafe header.pointee.consumers.reserve(
            wanted, atLeast: least, behind: header.pointee.producers, ahead: 0, known: &knownProduced)
    }
}
