/// The values of an IPv4 header without options (RFC 791 section 3.1), to be written.
@frozen
public struct IPv4Header: Hashable, Sendable, BitwiseCopyable {
    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2.
    public var trafficClass: UInt8
    /// Which datagram a fragment belongs to.
    public var identification: UInt16
    /// Flags in the upper 3 bits, fragment offset in units of 8 octets in the lower 13.
    public var fragmentField: UInt16
    /// The time to live.
    public var timeToLive: UInt8
    /// What the payload is.
    public var protocolNumber: IPProtocol
    /// The source address.
    public var source: IPv4Address
    /// The destination address.
    public var destination: IPv4Address

    /// Joins the values; without `identification` and `fragmentField` the packet is whole and may not be
    /// fragmented (RFC 6864 section 4.1).
    @inlinable
    public init(
        trafficClass: UInt8 = 0, identification: UInt16 = 0, fragmentField: UInt16 = 0x4000,
        timeToLive: UInt8 = 64, protocolNumber: IPProtocol, source: IPv4Address, destination: IPv4Address
    ) {
        (self.trafficClass, self.identification) = (trafficClass, identification)
        (self.fragmentField, self.timeToLive) = (fragmentField, timeToLive)
        self.protocolNumber = protocolNumber
        (self.source, self.destination) = (source, destination)
    }

    /// The values a packet has; its options are left out.
    @inlinable
    public init(_ view: IPv4View) {
        self.init(
            trafficClass: view.trafficClass, identification: view.identification,
            fragmentField: view.fragmentField, timeToLive: view.timeToLive,
            protocolNumber: view.protocolNumber, source: view.source, destination: view.destination)
    }

    /// Writes 20 octets at the start of `bytes`, checksum included, for a payload of `payloadLength` octets.
    ///
    /// - Throws: `noRoom`, or `payloadTooLong` beyond 65515 octets.
    @inlinable
    public func encode(
        into bytes: inout MutableRawSpan, payloadLength: Int
    ) throws(EncodeFailure) {
        guard bytes.byteCount >= 20 else { throw .noRoom }
        guard payloadLength >= 0, payloadLength <= 65515 else { throw .payloadTooLong }
        // 20 octets are there.
        unsafe write(&bytes, 0, totalLength: UInt16(truncatingIfNeeded: payloadLength &+ 20))
    }

    /// Writes the header as two words of 64 bits and one of 32, its checksum summed in registers.
    @unsafe @inlinable @inline(__always)
    func write(_ bytes: inout MutableRawSpan, _ offset: Int, totalLength: UInt16) {
        let first = 0x45 << 24 | UInt32(trafficClass) << 16 | UInt32(totalLength)
        let second = UInt32(identification) << 16 | UInt32(fragmentField)
        let third = UInt32(timeToLive) << 24 | UInt32(protocolNumber.rawValue) << 16
        var checksum = InternetChecksum()
        // Five numbers of 32 bits can't carry out of 64.
        checksum.sum = UInt64(first) &+ UInt64(second) &+ UInt64(third)
        checksum.sum &+= UInt64(source.bits) &+ UInt64(destination.bits)
        // The numbers were summed as such, not as they lie in memory, so the fold is swapped back.
        let field = ~UInt16(bigEndian: checksum.folded)
        unsafe bytes.put64(UInt64(first) << 32 | UInt64(second), offset)
        unsafe bytes.put64(UInt64(third | UInt32(field)) << 32 | UInt64(source.bits), offset &+ 8)
        unsafe bytes.put32(destination.bits, offset &+ 16)
    }
}
