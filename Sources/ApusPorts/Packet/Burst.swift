public import ApusRings

/// Up to 64 packets, in place: what a driver hands over in one call.
///
/// A queue: drivers and applications append at the end and take from the front. It has no heap
/// memory; make one before the loop and use it again and again. Dropping it drops the packets.
///
/// ```swift
/// var burst = Burst()
/// port.receive(into: &burst)
/// burst.forEach { packet in
///     var bytes = packet.mutableBytes
///     if bytes.byteCount > 0 { bytes.storeBytes(of: 0, toByteOffset: 0, as: UInt8.self) }
/// }
/// port.transmit(&burst)
/// ```
@safe
@frozen
public struct Burst: ~Copyable, @unchecked Sendable {
    // Sendable: as a packet is, so are the packets in it.
    // Addresses of frame headers rather than packets: an InlineArray can't give up one element.
    // Valid in [start, end).
    @usableFromInline var frames = InlineArray<64, UInt>(repeating: 0)
    @usableFromInline var start = 0
    @usableFromInline var end = 0

    /// An empty burst.
    @inlinable
    public init() {}

    @inlinable
    deinit {
        if start == end { return }
        // A copy, since a span of what is about to go is not allowed here.
        let addresses = frames
        unsafe Frame.release(addresses.span.extracting(start..<end))
    }

    /// The most packets a burst holds.
    @inlinable
    public static var capacity: Int { 64 }

    /// Packets in it.
    @inlinable
    public var count: Int { end &- start }

    /// Whether there are none.
    @inlinable
    public var isEmpty: Bool { start == end }

    /// Packets that can be appended.
    @inlinable
    public var room: Int { Self.capacity &- count }

    /// Adds a packet at the end. The burst must have ``room``.
    @inlinable
    public mutating func append(_ packet: consuming Packet) {
        unsafe append(packet.takeFrame())
    }

    /// Takes the first packet out; `nil` when there is none.
    @inlinable
    public mutating func popFirst() -> Packet? {
        guard start < end else { return nil }
        let frame = unsafe frame(atSlot: start)
        start &+= 1
        return unsafe Packet(adopting: frame)
    }

    /// The packet at a position from 0 to ``count`` - 1, in place.
    @inlinable
    public subscript(_ position: Int) -> Packet {
        _read {
            guard position >= 0 && position < count else { Self.stopForPosition() }
            // Optional, so that the frame stays in the burst also when the access ends by an error.
            var packet: Packet? = unsafe Packet(
                adopting: Self.frame(at: frames[unchecked: start &+ position]))
            defer { unsafe _ = packet.take()!.takeFrame() }
            switch packet {
            case .some(let packet): yield packet
            case .none: preconditionFailure("it was just made")
            }
        }
        _modify {
            guard position >= 0 && position < count else { Self.stopForPosition() }
            let slot = start &+ position
            // Optional, so that it can be moved out also when the access ends by an error.
            var packet: Packet? = unsafe Packet(adopting: frame(atSlot: slot))
            defer { unsafe frames[unchecked: slot] = UInt(bitPattern: packet.take()!.takeFrame().header) }
            yield &packet!
        }
    }

    /// Calls `body` with each packet in turn, in place; an error ends it, and all packets stay.
    @inlinable
    public mutating func forEach<Failure: Error>(
        _ body: (inout Packet) throws(Failure) -> Void
    ) throws(Failure) {
        var position = 0
        while position < count {
            try body(&self[position])
            position &+= 1
        }
    }

    /// Drops each packet for which `body` gives `false` and closes the gaps.
    ///
    /// An error ends it: the packet it was thrown for stays, and so do those behind it.
    @inlinable
    public mutating func keep<Failure: Error>(
        where body: (inout Packet) throws(Failure) -> Bool
    ) throws(Failure) {
        var (position, kept) = (start, start)
        while position < end {
            var packet = unsafe Packet(adopting: frame(atSlot: position))
            position &+= 1
            let isKept: Bool
            do throws(Failure) {
                isKept = try body(&packet)
            } catch {
                unsafe frames[unchecked: kept] = UInt(bitPattern: packet.takeFrame().header)
                closeGap(from: position, to: kept &+ 1)
                throw error
            }
            if isKept {
                unsafe frames[unchecked: kept] = UInt(bitPattern: packet.takeFrame().header)
                kept &+= 1
            }
        }
        end = kept
    }

    /// Moves what is in the slots from `position` on to those from `target` on.
    @usableFromInline @inline(never)
    mutating func closeGap(from position: Int, to target: Int) {
        for slot in position..<end { frames[target + slot - position] = frames[slot] }
        end = target + end - position
    }

    /// Drops the packet at a position from 0 to ``count`` - 1, and closes the gap.
    @usableFromInline @inline(never)
    mutating func remove(at position: Int) {
        guard position >= 0 && position < count else { Self.stopForPosition() }
        let slot = start + position
        unsafe frame(atSlot: slot).release()
        closeGap(from: slot + 1, to: slot)
    }

    /// Drops all packets: cheaper than one by one, see ``FramePool``.
    @inlinable
    public mutating func removeAll() {
        if start < end { unsafe Frame.release(frames.span.extracting(start..<end)) }
        (start, end) = (0, 0)
    }
}

/// The drivers' side: raw frames, for which the caller answers.
extension Burst {
    // Mutating, as is what calls it: reading an element of a burst that is only borrowed copies all 512
    // bytes first, once a packet.
    @inlinable
    mutating func frame(atSlot slot: Int) -> Frame { unsafe Self.frame(at: frames[unchecked: slot]) }

    @inlinable
    static func frame(at address: UInt) -> Frame {
        // Sound: slots in [start, end) hold addresses that `append` stored.
        unsafe Frame(header: UnsafeMutablePointer(bitPattern: address).unsafelyUnwrapped)
    }

    /// The frame at a position from 0 to ``count`` - 1, which stays in the burst.
    @unsafe
    @inlinable
    public mutating func rawFrame(at position: Int) -> Frame {
        guard position >= 0 && position < count else { Self.stopForPosition() }
        return unsafe frame(atSlot: start &+ position)
    }

    /// The addresses of the headers of all frames, which stay in the burst, during `body`. They may be followed while nothing is
    /// taken out.
    @unsafe
    @inlinable @inline(__always)
    package mutating func withRawFrames<Result>(_ body: (UnsafePointer<UInt>) -> Result) -> Result {
        let start = start
        // Sound: the slots from `start` on hold what `append` stored.
        return unsafe withUnsafePointer(to: &frames) { frames in
            unsafe body(UnsafeRawPointer(frames).assumingMemoryBound(to: UInt.self) + start)
        }
    }

    /// Takes out the first frame of a burst that is not empty, which the caller knows: ``popFirst()`` without the look.
    @unsafe
    @inlinable @inline(__always)
    public mutating func popFirstFrame() -> Frame {
        let frame = unsafe frame(atSlot: start)
        start &+= 1
        return unsafe frame
    }

    /// Adds a frame that nothing else owns. The burst must have ``room``.
    @unsafe
    @inlinable
    public mutating func append(_ frame: Frame) {
        if _slowPath(end == Self.capacity) { compact() }
        unsafe frames[unchecked: end] = UInt(bitPattern: frame.header)
        end &+= 1
    }

    /// Begins to place frames behind the packets, of which nobody knows before ``endPlacing(at:)``: a loop that
    /// places many keeps the position in a register.
    ///
    /// - Returns: the position of the first. As many as there is ``room`` for can be placed.
    @unsafe
    @inlinable @inline(__always)
    public mutating func beginPlacing() -> Int {
        if start != 0 { compact() }
        return end
    }

    /// Puts a frame that nothing else owns at a position, from that which ``beginPlacing()`` gave on.
    @unsafe
    @inlinable @inline(__always)
    public mutating func place(_ frame: Frame, at position: Int) {
        guard position >= 0 && position < Self.capacity else { Self.stopForPosition() }
        unsafe frames[unchecked: position] = UInt(bitPattern: frame.header)
    }

    /// The same at a position that the caller has made sure of, by taking no more than there is ``room`` for.
    @unsafe
    @inlinable @inline(__always)
    package mutating func place(_ frame: Frame, unchecked position: Int) {
        unsafe frames[unchecked: position] = UInt(bitPattern: frame.header)
    }

    /// Takes up what was placed in front of that position, without a gap.
    @unsafe
    @inlinable @inline(__always)
    public mutating func endPlacing(at position: Int) {
        guard position >= end && position <= Self.capacity else { Self.stopForPosition() }
        end = position
    }

    /// Forgets the first `count` packets, which the driver now owns.
    @unsafe
    @inlinable
    public mutating func forgetFirst(_ count: Int) {
        guard count >= 0 && count <= self.count else { Self.stopForPosition() }
        start &+= count
        if start == end { (start, end) = (0, 0) }
    }

    @usableFromInline
    @inline(never)
    mutating func compact() {
        if start == 0 { fatalError("a burst holds 64 packets; ask for its room before appending") }
        closeGap(from: start, to: 0)
        start = 0
    }

    // Apart, for its text: that of a `precondition` is left out of release builds.
    @usableFromInline
    @inline(never)
    static func stopForPosition() -> Never {
        fatalError("a position in a burst is from 0 to one less than its count")
    }
}
