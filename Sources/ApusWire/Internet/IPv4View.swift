/// An IPv4 packet (RFC 791 section 3.1): header, options and payload, without what follows its total length.
///
/// `init(checking:)` compares lengths once; nothing after it can fail.
@frozen
public struct IPv4View: ~Escapable, BitwiseCopyable {
    /// The packet from its first octet to its total length.
    public let bytes: RawSpan
    /// The octets of header and options: 20 to 60.
    public let headerByteCount: Int

    /// Octets of a header without options.
    @inlinable public static var minimumHeaderByteCount: Int { 20 }

    /// Checks version, header length and total length of the packet at the start of `bytes`. What follows its
    /// total length, as Ethernet's padding does, is left out. The header checksum is not verified here.
    @inlinable @inline(__always)
    @_lifetime(copy bytes)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard _fastPath(bytes.byteCount >= 20) else { throw .truncatedIP }
        // The loads are inside the 20 octets that are there.
        let first = unsafe bytes.octet(0)
        guard _fastPath(first >> 4 == 4) else { throw .badIPVersion }
        headerByteCount = Int(first & 0xf) &* 4
        let total = unsafe Int(bytes.big16(2))
        guard _fastPath(headerByteCount >= 20) else { throw .badIPHeaderLength }
        guard _fastPath(total >= headerByteCount) else { throw .badIPTotalLength }
        guard _fastPath(total <= bytes.byteCount) else { throw .truncatedIP }
        self.bytes = unsafe bytes.part(0, total)
    }

    // The accessors are sound because 20 <= headerByteCount <= bytes.byteCount.

    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2 (RFC 2474, RFC 3168).
    @inlinable public var trafficClass: UInt8 { unsafe bytes.octet(1) }
    /// The octets of the whole packet.
    @inlinable public var totalLength: Int { bytes.byteCount }
    /// Which datagram a fragment belongs to.
    @inlinable public var identification: UInt16 { unsafe bytes.big16(4) }
    /// Flags in the upper 3 bits, fragment offset in units of 8 octets in the lower 13.
    @inlinable public var fragmentField: UInt16 { unsafe bytes.big16(6) }
    /// Whether routers may not fragment the packet.
    @inlinable public var dontFragment: Bool { fragmentField & 0x4000 != 0 }
    /// Whether fragments of higher offset exist.
    @inlinable public var moreFragments: Bool { fragmentField & 0x2000 != 0 }
    /// Where this fragment's payload belongs in the datagram, in octets.
    @inlinable public var fragmentOffset: Int { Int(fragmentField & 0x1fff) &* 8 }
    /// Whether this is one fragment of several.
    @inlinable public var isFragment: Bool { fragmentField & 0x3fff != 0 }
    /// The time to live.
    @inlinable public var timeToLive: UInt8 { unsafe bytes.octet(8) }
    /// What the payload is.
    @inlinable public var protocolNumber: IPProtocol { unsafe IPProtocol(rawValue: bytes.octet(9)) }
    /// The header checksum as it stands.
    @inlinable public var headerChecksum: UInt16 { unsafe bytes.big16(10) }
    /// The source address.
    @inlinable public var source: IPv4Address { unsafe bytes.ipv4(12) }
    /// The destination address.
    @inlinable public var destination: IPv4Address { unsafe bytes.ipv4(16) }
    /// Whether there are options.
    @inlinable public var hasOptions: Bool { headerByteCount > 20 }

    /// Whether the header checksum is right. A few nanoseconds.
    @inlinable @inline(__always)
    public var isHeaderChecksumValid: Bool {
        let (a, b) = unsafe (bytes.native64(0), bytes.native64(8))
        // Four halves of 32 bits and a fifth can't carry out of 64 bits.
        var checksum = InternetChecksum()
        checksum.sum = (a & 0xffff_ffff) &+ (a >> 32) &+ (b & 0xffff_ffff) &+ (b >> 32)
        checksum.sum &+= UInt64(unsafe bytes.native32(16))
        if _slowPath(hasOptions) { checksum.add(optionBytes) }
        return checksum.isValid
    }

    /// The octets of the options.
    @inlinable
    public var optionBytes: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.slice(20, headerByteCount) }
    }

    /// Goes through the options.
    @inlinable
    public var options: IPv4Options {
        @_lifetime(copy self) get { IPv4Options(optionBytes) }
    }

    /// Goes through all options; apart from the data path, where there are none.
    @usableFromInline @inline(never)
    func checkOptions() throws(ParseFailure) { try options.check() }

    /// What follows header and options.
    @inlinable
    public var payload: RawSpan {
        @_lifetime(copy self) get { unsafe bytes.part(headerByteCount, bytes.byteCount) }
    }

    /// The pseudo header that the checksum of a payload of that protocol begins with.
    @inlinable
    public func pseudoHeader(_ protocolNumber: IPProtocol, length: Int) -> InternetChecksum {
        InternetChecksum(pseudoHeader: source, destination, protocolNumber, length: length)
    }
}
