/// An ICMPv6 message (RFC 4443).
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct ICMPv6View: ~Escapable, BitwiseCopyable {
    /// The whole message: the upper layer of its IPv6 packet.
    public let bytes: RawSpan

    /// Octets of the header that every message here has, the word behind the checksum included.
    @inlinable public static var headerByteCount: Int { 8 }

    /// Checks that the header is there. The checksum is not verified here.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard bytes.byteCount >= 8 else { throw .truncatedICMP }
        self.bytes = bytes
    }

    // The accessors are sound because a view has at least 8 octets.

    /// The type of message (IANA "ICMPv6 type Numbers").
    @inlinable public var type: UInt8 { unsafe bytes.octet(0) }
    /// What kind of that type.
    @inlinable public var code: UInt8 { unsafe bytes.octet(1) }
    /// The checksum as it stands.
    @inlinable public var checksum: UInt16 { unsafe bytes.big16(2) }

    /// Whether the checksum is right for a message between these addresses. Reads the whole message.
    @inlinable
    public func isChecksumValid(source: IPv6Address, destination: IPv6Address) -> Bool {
        var checksum = InternetChecksum(
            pseudoHeader: source, destination, .icmpv6, length: bytes.byteCount)
        checksum.add(bytes)
        return checksum.isValid
    }

    /// Whether this reports what became of a packet; other messages inform.
    @inlinable public var isError: Bool { type < 128 }
    /// Whether this is an echo request (128).
    @inlinable public var isEchoRequest: Bool { type == 128 && code == 0 }
    /// Whether this is an echo reply (129).
    @inlinable public var isEchoReply: Bool { type == 129 && code == 0 }
    /// Whose echo this is; of meaning in echo messages.
    @inlinable public var identifier: UInt16 { unsafe bytes.big16(4) }
    /// Which echo this is; of meaning in echo messages.
    @inlinable public var sequenceNumber: UInt16 { unsafe bytes.big16(6) }

    /// The largest packet the next hop takes, in octets, in a packet-too-big message (RFC 4443 section 3.2).
    @inlinable public var mtu: UInt32? { type == 2 ? unsafe bytes.big32(4) : nil }

    /// What follows the header: echoed data, or as much as fits of the packet that an error is about.
    @inlinable
    public var body: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(8, bytes.byteCount) }
    }
}
