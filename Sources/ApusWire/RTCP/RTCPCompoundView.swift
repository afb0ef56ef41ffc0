/// The RTCP packets of one UDP datagram (RFC 3550 section 6.1), found to fill it exactly, and a walk over
/// them.
///
/// `init(checking:)` compares all lengths; the walk can't fail.
@frozen
public struct RTCPCompoundView: ~Escapable, BitwiseCopyable {
    /// All packets.
    public let bytes: RawSpan
    @usableFromInline var offset = 0

    /// Checks every header of the compound (RFC 3550 appendix A.2): version 2, a report first, lengths that
    /// sum to the datagram's, padding on the last packet only.
    ///
    /// With `reducedSize` any packet may be first (RFC 5506). The cost grows with the number of packets, of
    /// which a datagram of 1500 octets holds 375.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan, reducedSize: Bool = false) throws(ParseFailure) {
        guard bytes.byteCount >= 4 else { throw .truncatedRTCP }
        var offset = 0
        while offset < bytes.byteCount {
            guard bytes.byteCount &- offset >= 4 else { throw .truncatedRTCP }
            // Four octets are there, and `length` of them once it has been compared.
            let header = unsafe bytes.big32(offset)
            guard header >> 30 == 2 else { throw .badRTCPVersion }
            let type = UInt8(truncatingIfNeeded: header >> 16)
            if offset == 0, !reducedSize, type != 200, type != 201 { throw .badRTCPFirstPacket }
            let length = Int(header & 0xffff) &* 4 &+ 4
            guard length <= bytes.byteCount &- offset else { throw .truncatedRTCP }
            if header & 0x2000_0000 != 0 {
                guard offset &+ length == bytes.byteCount else { throw .badRTCPPadding }
                let padding = unsafe Int(bytes.octet(bytes.byteCount &- 1))
                guard padding > 0, padding & 3 == 0, padding <= length &- 4 else { throw .badRTCPPadding }
            }
            offset &+= length
        }
        self.bytes = bytes
    }

    /// The next packet, or nil behind the last.
    @inlinable
    @_lifetime(copy self)
    public mutating func next() -> RTCPPacketView? {
        guard offset < bytes.byteCount else { return nil }
        // The walk of the initializer found all that is read here.
        let header = unsafe bytes.big32(offset)
        let end = offset &+ Int(header & 0xffff) &* 4 &+ 4
        let padding = header & 0x2000_0000 != 0 ? unsafe Int(bytes.octet(end &- 1)) : 0
        let packet = unsafe RTCPPacketView(bytes: bytes.slice(offset, end), paddingByteCount: padding)
        offset = end
        return packet
    }
}

/// One RTCP packet of a compound.
@frozen
public struct RTCPPacketView: ~Escapable, BitwiseCopyable {
    /// The packet with its header and padding.
    public let bytes: RawSpan
    /// The octets of padding at the end; 0 if there is none.
    public let paddingByteCount: Int

    @inlinable
    @_lifetime(copy bytes)
    init(bytes: RawSpan, paddingByteCount: Int) {
        (self.bytes, self.paddingByteCount) = (bytes, paddingByteCount)
    }

    // The accessors are sound because a packet has at least 4 octets besides its padding.

    /// What the packet is.
    @inlinable public var type: RTCPPacketType { unsafe RTCPPacketType(rawValue: bytes.octet(1)) }
    /// Five bits whose meaning the type gives: a count, a subtype or a feedback format.
    @inlinable public var count: Int { unsafe Int(bytes.octet(0) & 0x1f) }

    /// What follows the four octets of the header, without padding.
    @inlinable
    public var body: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(4, bytes.byteCount &- paddingByteCount) }
    }

    /// The body, if the packet is of that type and the body long enough.
    @inlinable
    @_lifetime(copy self)
    func body(_ type: RTCPPacketType, atLeast length: Int) throws(ParseFailure) -> RawSpan {
        guard self.type == type else { throw .otherRTCPType }
        let body = self.body
        guard body.byteCount >= length else { throw .badRTCPBody }
        return body
    }
}
