public import ApusRings

/// A packet in a frame that this value owns.
///
/// Noncopyable: it is in one place, and dropping it gives the frame back to its pool. One word in
/// size. Reading and writing go through spans that cannot outlive it, so that a packet which was
/// sent can't be touched any more.
///
/// A packet longer than one frame (jumbo, `XDP_USE_SG`) continues in further segments; `bytes` is
/// then the first of them, which holds at least all headers. See ``segmentCount``.
///
/// Cost: moving it is moving a word; dropping it is a push on the pool's stack.
@safe
@frozen
public struct Packet: ~Copyable, @unchecked Sendable {
    // Sendable: nothing else leads to the frame, and it can be given back on any thread.
    @usableFromInline var frame: Frame

    /// Takes over a frame that nothing else owns.
    @unsafe
    @inlinable
    public init(adopting frame: Frame) { unsafe self.frame = frame }

    @inlinable
    deinit { unsafe frame.release() }

    /// Gives up the frame, which the caller then owes an owner.
    @unsafe
    @inlinable
    public consuming func takeFrame() -> Frame {
        let frame = unsafe self.frame
        discard self
        return unsafe frame
    }

    /// The raw handle, for a driver that looks at it and leaves it where it is.
    @unsafe
    @inlinable
    public var rawFrame: Frame { unsafe frame }
}

extension Packet {
    /// Bytes in the first segment: all of the packet, unless it is a jumbo.
    @inlinable
    public var count: Int { Int(truncatingIfNeeded: unsafe frame.header.pointee.length) }

    /// The bytes of the first segment, from the first of the link-layer header.
    @inlinable
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // Sound: offset and length are within the slot (every mutator below and every driver
            // keeps that), and the span can't outlive the borrow of this packet, which owns the slot.
            let span = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(frame.data), byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// The bytes of the first segment, to write to.
    @inlinable
    public var mutableBytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get {
            // Sound: as for `bytes`, and exclusive because the packet is borrowed mutably.
            let span = unsafe MutableRawSpan(_unsafeStart: frame.data, byteCount: count)
            return unsafe _overrideLifetime(span, mutating: &self)
        }
    }

    /// Bytes that can be prepended.
    @inlinable
    public var headroom: Int {
        Int(truncatingIfNeeded: unsafe frame.header.pointee.offset) &- FramePool.headerSize
    }

    /// Bytes that can be appended to the first segment.
    @inlinable
    public var tailroom: Int {
        let header = unsafe frame.header.pointee
        return unsafe Int(truncatingIfNeeded: header.slotSize) &- Int(truncatingIfNeeded: header.offset)
            &- Int(truncatingIfNeeded: header.length)
    }

    /// Makes room for `count` bytes in front, whose values are whatever the frame held there.
    ///
    /// - Returns: `false`, and nothing changed, when there is not that much headroom.
    @inlinable
    public mutating func prepend(_ count: Int) -> Bool {
        guard count >= 0, count <= headroom else { return false }
        unsafe frame.header.pointee.offset &-= UInt32(truncatingIfNeeded: count)
        unsafe frame.header.pointee.length &+= UInt32(truncatingIfNeeded: count)
        return true
    }

    /// Makes room for `count` bytes behind the data of the first segment.
    ///
    /// - Returns: `false`, and nothing changed, when there is not that much tailroom.
    @inlinable
    public mutating func append(_ count: Int) -> Bool {
        guard count >= 0, count <= tailroom else { return false }
        unsafe frame.header.pointee.length &+= UInt32(truncatingIfNeeded: count)
        return true
    }

    /// Takes `count` bytes off the front.
    ///
    /// - Returns: `false`, and nothing changed, when the first segment is shorter than that.
    @inlinable
    public mutating func trimFront(_ count: Int) -> Bool {
        guard count >= 0, count <= self.count else { return false }
        unsafe frame.header.pointee.offset &+= UInt32(truncatingIfNeeded: count)
        unsafe frame.header.pointee.length &-= UInt32(truncatingIfNeeded: count)
        return true
    }

    /// Puts `new` bytes, whose values are whatever the frame held there, in place of the first `old` ones, and cuts off
    /// what follows the next `kept`: ``trimFront(_:)``, ``trimBack(_:)`` and ``prepend(_:)`` in one step, for a packet
    /// in one segment.
    ///
    /// - Returns: `false`, and nothing changed, when the packet is shorter than `old` and `kept`, there is not that much
    ///   headroom, or it goes on in further segments.
    @inlinable @inline(__always)
    public mutating func replaceFront(_ old: Int, by new: Int, keeping kept: Int) -> Bool {
        guard old >= 0, new >= 0, kept >= 0, !isSegmented else { return false }
        let (end, isBeyond) = old.addingReportingOverflow(kept)
        guard !isBeyond, end <= count, new &- old <= headroom else { return false }
        unsafe frame.header.pointee.offset &+= UInt32(truncatingIfNeeded: old &- new)
        unsafe frame.header.pointee.length = UInt32(truncatingIfNeeded: new &+ kept)
        return true
    }

    /// Takes `count` bytes off the end of the first segment.
    ///
    /// - Returns: `false`, and nothing changed, when it is shorter than that.
    @inlinable
    public mutating func trimBack(_ count: Int) -> Bool {
        guard count >= 0, count <= self.count else { return false }
        unsafe frame.header.pointee.length &-= UInt32(truncatingIfNeeded: count)
        return true
    }
}

extension Packet {
    /// When it was received, in nanoseconds since 1970; 0 when the driver did not say.
    @inlinable
    public var timestamp: UInt64 {
        get { unsafe frame.header.pointee.timestamp }
        set { unsafe frame.header.pointee.timestamp = newValue }
    }

    /// The number the application gave the port that received it.
    @inlinable
    public var port: UInt16 {
        get { unsafe frame.header.pointee.port }
        set { unsafe frame.header.pointee.port = newValue }
    }

    /// The receive queue it came from.
    @inlinable
    public var queue: UInt16 { unsafe frame.header.pointee.queue }

    /// What the driver knows of it.
    @inlinable
    public var flags: FrameFlags {
        get { unsafe frame.header.pointee.flags }
        set { unsafe frame.header.pointee.flags = newValue }
    }

    /// The control information (priority, drop eligible indicator, VLAN) of the packet's outermost 802.1Q tag where it is
    /// not among the ``bytes``: a port that strips tags took it off, and whatever sends the packet puts it back. `nil` when
    /// there is none, or it is among the bytes.
    @inlinable
    public var vlan: UInt16? {
        get {
            let header = unsafe frame.header.pointee
            return unsafe header.flags.contains(.vlanTag) ? header.vlan : nil
        }
        set {
            if let newValue {
                unsafe frame.header.pointee.vlan = newValue
                unsafe frame.header.pointee.flags.insert(.vlanTag)
            } else {
                unsafe frame.header.pointee.flags.remove(.vlanTag)
            }
        }
    }

    /// The hash of the flow that the packet was of when it was received, the same for both directions; `nil` when the driver
    /// did not say.
    @inlinable
    public var flowHash: UInt32? {
        let header = unsafe frame.header.pointee
        return unsafe header.flags.contains(.flowHash) ? header.flowHash : nil
    }
}
