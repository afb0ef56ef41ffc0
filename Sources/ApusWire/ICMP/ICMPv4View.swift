/// An ICMP message (RFC 792).
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct ICMPv4View: ~Escapable, BitwiseCopyable {
    /// The whole message: the payload of its IPv4 packet.
    public let bytes: RawSpan

    /// Octets of the header that every message has.
    @inlinable public static var headerByteCount: Int { 8 }

    /// Checks that the header is there. The checksum is not verified here.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard bytes.byteCount >= 8 else { throw .truncatedICMP }
        self.bytes = bytes
    }

    // The accessors are sound because a view has at least 8 octets.

    /// The type of message (IANA "ICMP Type Numbers").
    @inlinable public var type: UInt8 { unsafe bytes.octet(0) }
    /// What kind of that type.
    @inlinable public var code: UInt8 { unsafe bytes.octet(1) }
    /// The checksum as it stands.
    @inlinable public var checksum: UInt16 { unsafe bytes.big16(2) }
    /// Whether the checksum is right. Reads the whole message.
    @inlinable
    public var isChecksumValid: Bool {
        var checksum = InternetChecksum()
        checksum.add(bytes)
        return checksum.isValid
    }

    /// Whether this is an echo request (8).
    @inlinable public var isEchoRequest: Bool { type == 8 && code == 0 }
    /// Whether this is an echo reply (0).
    @inlinable public var isEchoReply: Bool { type == 0 && code == 0 }
    /// Whose echo this is; of meaning in echo messages.
    @inlinable public var identifier: UInt16 { unsafe bytes.big16(4) }
    /// Which echo this is; of meaning in echo messages.
    @inlinable public var sequenceNumber: UInt16 { unsafe bytes.big16(6) }
    /// Whether this reports what became of a packet: destination unreachable (3), source quench (4),
    /// redirect (5), time exceeded (11) or parameter problem (12).
    @inlinable public var isError: Bool { type >= 3 && type <= 5 || type == 11 || type == 12 }

    /// The largest packet the next hop takes, in octets, if that is what the message is about
    /// (RFC 1191 section 4); 0 from routers older than that.
    @inlinable
    public var nextHopMTU: UInt16? { type == 3 && code == 4 ? unsafe bytes.big16(6) : nil }

    /// What follows the header: echoed data, or the packet that an error is about, its first octets at least.
    @inlinable
    public var body: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(8, bytes.byteCount) }
    }
}
