public import ApusRings

extension Packet {
    /// A copy of the packet and its metadata, in frames of `pool`; `nil` when the pool has too few
    /// free or the packet does not fit its frames.
    ///
    /// One of the places where Apus copies data between frames (the others are ``copyPart(of:from:count:behind:)`` and
    /// ``Port/transmitCopying(_:)``).
    @inlinable
    public func copy(into pool: inout FramePool) -> Packet? {
        unsafe copy { unsafe pool.take() }
    }

    /// The same, in frames that `take` gives: inlined, so that a driver's pool is reached without the
    /// coroutine that an accessor of a protocol is.
    @unsafe
    @inlinable @inline(__always)
    func copy(takingFramesBy take: () -> Frame?) -> Packet? {
        guard let first = unsafe take() else { return nil }
        // From here on the copy owns its frames: leaving early gives them back.
        let copy = unsafe Packet(adopting: first)
        unsafe first.takeMetadata(of: frame)
        guard unsafe first.takeData(of: frame) else { return nil }
        var (source, last) = unsafe (frame.header, first.header)
        while let next = unsafe source.pointee.next {
            guard let segment = unsafe take() else { return nil }
            unsafe last.pointee.next = segment.header
            guard unsafe segment.takeData(of: Frame(header: next)) else { return nil }
            unsafe (source, last) = (next, segment.header)
        }
        return copy
    }

    /// Makes the packet, which must be empty and in one segment, hold `count` bytes of the first segment of another one from
    /// `start` on, and its metadata, behind `front` bytes whose values are whatever the frame held there: what a further
    /// destination of a fan-out costs when it gets headers of its own.
    ///
    /// - Returns: `false`, and nothing changed, when the other segment is shorter, or the frame has not the room.
    @inlinable @inline(__always)
    public mutating func copyPart(
        of other: borrowing Packet, from start: Int, count: Int, behind front: Int
    ) -> Bool {
        guard start >= 0, count >= 0, front >= 0, start <= other.count, count <= other.count &- start,
            front <= tailroom, count <= tailroom &- front
        else { return false }
        unsafe frame.takeMetadata(of: other.frame)
        unsafe frame.header.pointee.length = UInt32(truncatingIfNeeded: front &+ count)
        // Sound: both places are inside the frames, as was just compared, and two packets have two frames.
        unsafe (frame.data + front).copyMemory(from: other.frame.data + start, byteCount: count)
        return true
    }

    /// Replaces the packet's bytes, those of all segments, by as many as fit its first frame; for building one.
    ///
    /// - Returns: `false`, and nothing changed, when they do not fit the frame.
    public mutating func replaceBytes(with bytes: RawSpan) -> Bool {
        guard bytes.byteCount <= count + tailroom else { return false }
        if isSegmented { unsafe dropSegments(behind: frame.header) }
        unsafe frame.header.pointee.length = UInt32(bytes.byteCount)
        var own = mutableBytes
        unsafe own.withUnsafeMutableBytes { target in
            unsafe bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
        return true
    }
}

extension Frame {
    @inlinable @inline(__always)
    func takeMetadata(of other: Frame) {
        // All read before the first is written, so that neighbors go as one word.
        let from = unsafe other.header.pointee
        unsafe header.pointee.timestamp = from.timestamp
        unsafe (header.pointee.port, header.pointee.queue) = (from.port, from.queue)
        unsafe (header.pointee.flags, header.pointee.vlan) = (from.flags, from.vlan)
        unsafe header.pointee.flowHash = from.flowHash
    }

    /// Copies the bytes of one segment, keeping the default headroom; `false` when they don't fit.
    @inlinable @inline(__always)
    func takeData(of other: Frame) -> Bool {
        let length = unsafe other.header.pointee.length
        guard unsafe length <= header.pointee.slotSize &- header.pointee.offset else { return false }
        unsafe header.pointee.length = length
        unsafe data.copyMemory(from: other.data, byteCount: Int(truncatingIfNeeded: length))
        return true
    }
}
