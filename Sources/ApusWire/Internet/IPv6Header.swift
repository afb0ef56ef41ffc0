/// The values of an IPv6 header (RFC 8200 section 3), to be written.
@frozen
public struct IPv6Header: Hashable, Sendable, BitwiseCopyable {
    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2.
    public var trafficClass: UInt8
    /// The flow label, 20 bits (RFC 6437).
    public var flowLabel: UInt32
    /// What follows the header.
    public var nextHeader: IPProtocol
    /// The hop limit.
    public var hopLimit: UInt8
    /// The source address.
    public var source: IPv6Address
    /// The destination address.
    public var destination: IPv6Address

    /// Joins the values; of `flowLabel` the low 20 bits are written.
    @inlinable
    public init(
        trafficClass: UInt8 = 0, flowLabel: UInt32 = 0, nextHeader: IPProtocol, hopLimit: UInt8 = 64,
        source: IPv6Address, destination: IPv6Address
    ) {
        (self.trafficClass, self.flowLabel) = (trafficClass, flowLabel)
        (self.nextHeader, self.hopLimit) = (nextHeader, hopLimit)
        (self.source, self.destination) = (source, destination)
    }

    /// The values a packet has.
    @inlinable
    public init(_ view: IPv6View) {
        self.init(
            trafficClass: view.trafficClass, flowLabel: view.flowLabel, nextHeader: view.nextHeader,
            hopLimit: view.hopLimit, source: view.source, destination: view.destination)
    }

    /// Writes 40 octets at the start of `bytes`, for a payload of `payloadLength` octets.
    ///
    /// - Throws: `noRoom`, or `payloadTooLong` beyond 65535 octets.
    @inlinable
    public func encode(
        into bytes: inout MutableRawSpan, payloadLength: Int
    ) throws(EncodeFailure) {
        guard bytes.byteCount >= 40 else { throw .noRoom }
        guard payloadLength >= 0, payloadLength <= 65535 else { throw .payloadTooLong }
        // 40 octets are there.
        unsafe write(&bytes, 0, payloadLength: UInt16(truncatingIfNeeded: payloadLength))
    }

    @unsafe @inlinable @inline(__always)
    func write(_ bytes: inout MutableRawSpan, _ offset: Int, payloadLength: UInt16) {
        let first = 6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xf_ffff
        let second = UInt32(payloadLength) << 16 | UInt32(nextHeader.rawValue) << 8 | UInt32(hopLimit)
        unsafe bytes.put64(UInt64(first) << 32 | UInt64(second), offset)
        unsafe bytes.putIPv6(source, offset &+ 8)
        unsafe bytes.putIPv6(destination, offset &+ 24)
    }
}
