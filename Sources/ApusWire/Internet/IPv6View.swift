/// An IPv6 packet (RFC 8200 section 3): header and payload, without what follows its payload length.
///
/// `init(checking:)` compares lengths once; nothing after it can fail but the walk over extension headers.
@frozen
public struct IPv6View: ~Escapable, BitwiseCopyable {
    /// The packet from its first octet to its payload length.
    public let bytes: RawSpan

    /// Octets of the header without extension headers.
    @inlinable public static var headerByteCount: Int { 40 }

    /// Checks version and payload length of the packet at the start of `bytes`. What follows its payload
    /// length is left out. Jumbograms (RFC 2675) are refused.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard bytes.byteCount >= 40 else { throw .truncatedIP }
        // The loads are inside the 40 octets that are there.
        guard unsafe bytes.octet(0) >> 4 == 6 else { throw .badIPVersion }
        let length = unsafe Int(bytes.big16(4))
        if length == 0 {
            guard unsafe bytes.octet(6) != IPProtocol.hopByHop.rawValue else { throw .jumbogram }
        }
        guard length <= bytes.byteCount &- 40 else { throw .truncatedIP }
        self.bytes = unsafe bytes.part(0, 40 &+ length)
    }

    // The accessors are sound because a view has at least 40 octets.

    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2 (RFC 2474, RFC 3168).
    @inlinable
    public var trafficClass: UInt8 { unsafe UInt8(truncatingIfNeeded: bytes.big16(0) >> 4) }
    /// The flow label, 20 bits (RFC 6437).
    @inlinable public var flowLabel: UInt32 { unsafe bytes.big32(0) & 0xf_ffff }
    /// The octets after the header.
    @inlinable public var payloadLength: Int { bytes.byteCount &- 40 }
    /// What follows the header: an extension header or the upper layer.
    @inlinable public var nextHeader: IPProtocol { unsafe IPProtocol(rawValue: bytes.octet(6)) }
    /// The hop limit.
    @inlinable public var hopLimit: UInt8 { unsafe bytes.octet(7) }
    /// The source address.
    @inlinable public var source: IPv6Address { unsafe bytes.ipv6(8) }
    /// The destination address.
    @inlinable public var destination: IPv6Address { unsafe bytes.ipv6(24) }

    /// What follows the header, extension headers included.
    @inlinable
    public var payload: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(40, bytes.byteCount) }
    }

    /// The pseudo header that the checksum of an upper layer of that protocol begins with.
    @inlinable
    public func pseudoHeader(_ protocolNumber: IPProtocol, length: Int) -> InternetChecksum {
        InternetChecksum(pseudoHeader: source, destination, protocolNumber, length: length)
    }
}
