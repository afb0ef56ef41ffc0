/// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words.
///
/// Octets are summed eight at a time in the machine's byte order, which RFC 1071 section 2(B) shows to give
/// the same sum with its octets swapped, and the swap is done once at the end. Any alignment will do.
@frozen
public struct InternetChecksum: Sendable, BitwiseCopyable {
    /// The sum so far, in the machine's byte order, not yet folded.
    @usableFromInline var sum: UInt64

    /// Begins with nothing summed.
    @inlinable @inline(__always)
    public init() { sum = 0 }

    /// Begins with the pseudo header of UDP, TCP or any other protocol over IPv4 (RFC 768).
    ///
    /// `length` is that of transport header and payload, in octets; its low 16 bits count.
    @inlinable @inline(__always)
    public init(
        pseudoHeader source: IPv4Address, _ destination: IPv4Address, _ protocolNumber: IPProtocol,
        length: Int
    ) {
        // None of these additions can carry out of 64 bits.
        sum = UInt64(source.bits.bigEndian) &+ UInt64(destination.bits.bigEndian)
        sum &+= UInt64(UInt16(protocolNumber.rawValue).bigEndian)
        sum &+= UInt64(UInt16(truncatingIfNeeded: length).bigEndian)
    }

    /// Begins with the pseudo header of RFC 8200 section 8.1.
    ///
    /// `length` is that of upper-layer header and payload, in octets; its low 32 bits count.
    @inlinable @inline(__always)
    public init(
        pseudoHeader source: IPv6Address, _ destination: IPv6Address, _ protocolNumber: IPProtocol,
        length: Int
    ) {
        sum = UInt64(UInt16(protocolNumber.rawValue).bigEndian)
        sum &+= UInt64(UInt32(truncatingIfNeeded: length).bigEndian)
        add(source)
        add(destination)
    }

    /// Adds a 16-bit word.
    @inlinable @inline(__always)
    public mutating func add(_ value: UInt16) { accumulate(UInt64(value.bigEndian)) }

    /// Adds two 16-bit words.
    @inlinable @inline(__always)
    public mutating func add(_ value: UInt32) { accumulate(UInt64(value.bigEndian)) }

    /// Adds an IPv6 address.
    @inlinable @inline(__always)
    public mutating func add(_ address: IPv6Address) {
        accumulate(address.high.bigEndian)
        accumulate(address.low.bigEndian)
    }

    /// Adds octets. If their number is odd, a zero octet is taken to follow (RFC 1071 section 4.1), so only
    /// the last piece of a message may be odd.
    ///
    /// About eight octets a clock cycle.
    @inlinable
    public mutating func add(_ bytes: RawSpan) {
        sum = unsafe Self.sum(bytes, from: 0, onto: sum)
    }

    /// The folded sum, not complemented, as the 16-bit number to write: what Linux leaves in the checksum
    /// field for hardware to complete (CHECKSUM_PARTIAL).
    @inlinable @inline(__always)
    public var folded: UInt16 {
        var short = (sum & 0xffff_ffff) &+ (sum >> 32)
        short = (short & 0xffff) &+ (short >> 16 & 0xffff) &+ (short >> 32)
        short = (short & 0xffff) &+ (short >> 16)
        short = (short & 0xffff) &+ (short >> 16)
        return UInt16(truncatingIfNeeded: short).bigEndian
    }

    /// The checksum: the number to write into the header.
    @inlinable @inline(__always)
    public var value: UInt16 { ~folded }

    /// The checksum as UDP writes it: never zero, which would mean that there is none (RFC 768).
    @inlinable @inline(__always)
    public var udpValue: UInt16 { folded == 0xffff ? 0xffff : ~folded }

    /// Whether what was summed contains its own right checksum.
    @inlinable @inline(__always)
    public var isValid: Bool { folded == 0xffff }

    /// The checksum of `bytes`.
    @inlinable
    public static func of(_ bytes: RawSpan) -> UInt16 {
        var checksum = InternetChecksum()
        checksum.add(bytes)
        return checksum.value
    }

    /// Adds with end-around carry, so that nothing is lost modulo 2^16 - 1.
    @inlinable @inline(__always)
    mutating func accumulate(_ word: UInt64) { sum = Self.plus(sum, word) }

    @inlinable @inline(__always)
    static func plus(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (partial, carry) = a.addingReportingOverflow(b)
        return partial &+ (carry ? 1 : 0)
    }
}
