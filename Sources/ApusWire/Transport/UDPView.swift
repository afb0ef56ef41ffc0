/// A UDP datagram (RFC 768), without what follows its length.
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct UDPView: ~Escapable, BitwiseCopyable {
    /// Header and payload.
    public let bytes: RawSpan

    /// Octets of the header.
    @inlinable public static var headerByteCount: Int { 8 }

    /// Checks the length of the datagram at the start of `bytes`, an IP payload. A length of 0 is refused: it
    /// is only meant for jumbograms (RFC 2675).
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard _fastPath(bytes.byteCount >= 8) else { throw .truncatedUDP }
        // The load is inside the 8 octets that are there.
        let length = unsafe Int(bytes.big16(4))
        guard _fastPath(length >= 8 && length <= bytes.byteCount) else { throw .badUDPLength }
        self.bytes = unsafe bytes.part(0, length)
    }

    // The accessors are sound because a view has at least 8 octets.

    /// The source port.
    @inlinable public var sourcePort: UInt16 { unsafe bytes.big16(0) }
    /// The destination port.
    @inlinable public var destinationPort: UInt16 { unsafe bytes.big16(2) }
    /// The octets of header and payload.
    @inlinable public var length: Int { bytes.byteCount }
    /// The checksum as it stands; 0 means that there is none.
    @inlinable public var checksum: UInt16 { unsafe bytes.big16(6) }

    /// What follows the header.
    @inlinable
    public var payload: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(8, bytes.byteCount) }
    }

    /// Verifies the checksum against the pseudo header of the packet it came in. Reads the whole datagram.
    @inlinable
    public func checksumState(over packet: IPv4View) -> UDPChecksumState {
        if checksum == 0 { return .absent }
        return state(packet.pseudoHeader(.udp, length: length))
    }

    /// Verifies the checksum against the pseudo header of the packet it came in. Reads the whole datagram.
    /// Over IPv6 a checksum of 0 is wrong (RFC 8200 section 8.1).
    @inlinable
    public func checksumState(over packet: IPv6View) -> UDPChecksumState {
        if checksum == 0 { return .wrong }
        return state(packet.pseudoHeader(.udp, length: length))
    }

    @inlinable
    func state(_ pseudoHeader: InternetChecksum) -> UDPChecksumState {
        var sum = pseudoHeader
        sum.add(bytes)
        if sum.isValid { return .valid }
        return checksum == pseudoHeader.folded ? .partial : .wrong
    }
}

/// What verification says of a UDP checksum.
@frozen
public enum UDPChecksumState: UInt8, Hashable, Sendable, CaseIterable {
    /// It is right.
    case valid
    /// There is none, which IPv4 allows.
    case absent
    /// The field holds the folded sum of the pseudo header alone. A kernel left the rest to hardware
    /// (CHECKSUM_PARTIAL) and no hardware came, as on a veth: the payload is as good as the memory it was in.
    case partial
    /// It is wrong, or absent over IPv6.
    case wrong
}

/// The values of a UDP header, to be written.
@frozen
public struct UDPHeader: Hashable, Sendable, BitwiseCopyable {
    /// The source port.
    public var sourcePort: UInt16
    /// The destination port.
    public var destinationPort: UInt16
    /// The octets of header and payload.
    public var length: UInt16
    /// The checksum; 0 for none.
    public var checksum: UInt16

    /// Joins the values.
    @inlinable
    public init(sourcePort: UInt16, destinationPort: UInt16, length: UInt16, checksum: UInt16 = 0) {
        (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
        (self.length, self.checksum) = (length, checksum)
    }

    /// The values a datagram has.
    @inlinable @inline(__always)
    public init(_ view: UDPView) {
        self.init(
            sourcePort: view.sourcePort, destinationPort: view.destinationPort,
            length: UInt16(truncatingIfNeeded: view.length), checksum: view.checksum)
    }

    /// Writes the header at the start of `bytes`.
    @inlinable
    public func encode(into bytes: inout MutableRawSpan) throws(EncodeFailure) {
        guard bytes.byteCount >= 8 else { throw .noRoom }
        // Eight octets are there.
        unsafe bytes.put16(sourcePort, 0)
        unsafe bytes.put16(destinationPort, 2)
        unsafe bytes.put16(length, 4)
        unsafe bytes.put16(checksum, 6)
    }
}
