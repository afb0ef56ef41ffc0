/// An RTP packet (RFC 3550 section 5.1): fixed header, CSRC list, header extension, payload, padding.
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct RTPView: ~Escapable, BitwiseCopyable {
    /// The whole packet.
    public let bytes: RawSpan
    /// Where the payload begins, in octets: behind fixed header, CSRC list and extension.
    public let payloadOffset: Int
    /// The octets of padding at the end, its length octet included; 0 if there is none.
    public let paddingByteCount: Int

    /// Octets of a header without CSRC list and extension.
    @inlinable public static var minimumHeaderByteCount: Int { 12 }

    /// Checks version, CSRC list, header extension and padding (RFC 3550 appendix A.1).
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        let count = bytes.byteCount
        guard count >= 12 else { throw .truncatedRTP }
        // Each load is of octets that a guard before it found.
        let first = unsafe bytes.octet(0)
        guard first >> 6 == 2 else { throw .badRTPVersion }
        var offset = 12 &+ Int(first & 0xf) &* 4
        guard offset <= count else { throw .truncatedRTP }
        if first & 0x10 != 0 {
            guard count &- offset >= 4 else { throw .truncatedRTP }
            offset &+= 4 &+ (unsafe Int(bytes.big16(offset &+ 2))) &* 4
            guard offset <= count else { throw .truncatedRTP }
        }
        var padding = 0
        if first & 0x20 != 0 {
            padding = unsafe Int(bytes.octet(count &- 1))
            guard padding > 0, padding <= count &- offset else { throw .badRTPPadding }
        }
        (self.bytes, payloadOffset, paddingByteCount) = (bytes, offset, padding)
    }

    /// Whether a packet that came to a port shared by RTP and RTCP is RTCP (RFC 5761 section 4): the packet
    /// type, 192 to 223, stands where RTP has the marker and a payload type of 64 to 95, which it must not use.
    @inlinable @inline(__always)
    public static func isRTCP(_ bytes: RawSpan) -> Bool {
        guard bytes.byteCount >= 8 else { return false }
        // Eight octets are there.
        return unsafe bytes.octet(0) >> 6 == 2 && bytes.octet(1) & 0xe0 == 0xc0
    }

    // The accessors are sound because a view has at least 12 octets, 4 more for each CSRC, and an extension
    // if its bit is set; and 12 <= payloadOffset <= bytes.byteCount - paddingByteCount.

    /// Whether the padding bit is set.
    @inlinable public var hasPadding: Bool { unsafe bytes.octet(0) & 0x20 != 0 }
    /// Whether there is a header extension.
    @inlinable public var hasExtension: Bool { unsafe bytes.octet(0) & 0x10 != 0 }
    /// How many contributing sources there are, 0 to 15.
    @inlinable public var csrcCount: Int { unsafe Int(bytes.octet(0) & 0xf) }
    /// The marker bit.
    @inlinable public var marker: Bool { unsafe bytes.octet(1) & 0x80 != 0 }
    /// The payload type, 0 to 127.
    @inlinable public var payloadType: UInt8 { unsafe bytes.octet(1) & 0x7f }
    /// The sequence number.
    @inlinable public var sequenceNumber: UInt16 { unsafe bytes.big16(2) }
    /// The timestamp, in units of the payload's clock.
    @inlinable public var timestamp: UInt32 { unsafe bytes.big32(4) }
    /// The synchronization source.
    @inlinable public var ssrc: UInt32 { unsafe bytes.big32(8) }
    /// The octets of payload, without padding.
    @inlinable
    public var payloadByteCount: Int { bytes.byteCount &- payloadOffset &- paddingByteCount }

    /// The payload, without padding.
    @inlinable
    public var payload: RawSpan {
        @_lifetime(copy self) get {
            unsafe bytes.slice(payloadOffset, bytes.byteCount &- paddingByteCount)
        }
    }

    /// The contributing source of that index; `index` must be at least 0 and below `csrcCount`.
    @inlinable
    public func csrc(_ index: Int) -> UInt32 {
        precondition(index >= 0 && index < csrcCount, "there is no contributing source of that index")
        return unsafe bytes.big32(12 &+ index &* 4)
    }

    @inlinable var extensionOffset: Int { 12 &+ csrcCount &* 4 }

    /// The "defined by profile" number of the header extension, or nil if there is none.
    @inlinable
    public var extensionProfile: UInt16? { hasExtension ? unsafe bytes.big16(extensionOffset) : nil }

    /// The header extension's data, a multiple of four octets; empty if there is none.
    @inlinable
    public var extensionBytes: RawSpan {
        @_lifetime(copy self) get {
            unsafe bytes.slice(hasExtension ? extensionOffset &+ 4 : payloadOffset, payloadOffset)
        }
    }
}
