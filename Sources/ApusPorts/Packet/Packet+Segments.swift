public import ApusRings

extension Packet {
    /// Whether the packet continues in further frames.
    @inlinable
    public var isSegmented: Bool { unsafe frame.header.pointee.next != nil }

    /// Frames the packet lies in: 1, or more for a jumbo. Walks the segments.
    public var segmentCount: Int {
        var (count, header) = (1, unsafe frame.header)
        while let next = unsafe header.pointee.next {
            unsafe header = next
            count += 1
        }
        return count
    }

    /// Bytes in all segments. Walks the segments.
    @inlinable
    public var totalCount: Int {
        var total = count
        var header = unsafe frame.header
        while let next = unsafe header.pointee.next {
            unsafe header = next
            total &+= Int(truncatingIfNeeded: unsafe header.pointee.length)
        }
        return total
    }

    /// Shortens the packet to its first `total` bytes; segments behind them go back to where they came from.
    ///
    /// - Returns: `false`, and nothing changed, when it has not as many. Walks the segments.
    public mutating func truncate(to total: Int) -> Bool {
        guard total >= 0, total <= totalCount else { return false }
        var (left, header) = (total, unsafe frame.header)
        while unsafe left > Int(truncatingIfNeeded: header.pointee.length),
            let next = unsafe header.pointee.next
        {
            left &-= unsafe Int(truncatingIfNeeded: header.pointee.length)
            unsafe header = next
        }
        unsafe header.pointee.length = UInt32(truncatingIfNeeded: left)
        unsafe dropSegments(behind: header)
        return true
    }

    /// Makes one of the packet's segments its last; those behind it go back to where they came from.
    mutating func dropSegments(behind last: UnsafeMutablePointer<FrameHeader>) {
        guard let behind = unsafe last.pointee.next else { return }
        unsafe last.pointee.next = nil
        // Sound: the packet owned these segments, and no longer leads to them.
        unsafe Frame(header: behind).release()
    }

    /// Copies the bytes of all segments to the front of an array, as far as there is room for them there; gives how many.
    package func copyBytes(to array: inout [UInt8]) -> Int {
        var end = 0
        forEachSegment { segment in
            let count = min(segment.byteCount, array.count - end)
            guard count > 0 else { return }
            unsafe array.withUnsafeMutableBytes { array in
                unsafe segment.withUnsafeBytes { segment in
                    // Sound: `count` bytes are there, and from `end` on there is room for as many.
                    unsafe (array.baseAddress! + end).copyMemory(from: segment.baseAddress!, byteCount: count)
                }
            }
            end += count
        }
        return end
    }

    /// Makes an empty packet hold the bytes of all segments of another one, in its one frame.
    ///
    /// - Returns: `false`, and nothing changed, when they do not fit that.
    package mutating func gather(_ other: borrowing Packet) -> Bool {
        guard append(other.totalCount) else { return false }
        var next = unsafe frame.data
        other.forEachSegment { segment in
            unsafe segment.withUnsafeBytes { segment in
                guard let first = segment.baseAddress else { return }
                // Sound: there is room for those of all segments, and two packets have two frames.
                unsafe next.copyMemory(from: first, byteCount: segment.count)
                unsafe next += segment.count
            }
        }
        return true
    }

    /// Calls `body` with the bytes of each segment in turn.
    @inlinable
    public func forEachSegment<Failure: Error>(
        _ body: (RawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        var segment: UnsafeMutablePointer<FrameHeader>? = unsafe frame.header
        while let header = unsafe segment {
            // Sound: as for `bytes`; the packet owns every segment, and is borrowed here.
            try body(
                unsafe RawSpan(
                    _unsafeStart: UnsafeRawPointer(Frame(header: header).data),
                    byteCount: Int(truncatingIfNeeded: header.pointee.length)))
            unsafe segment = header.pointee.next
        }
    }
}
