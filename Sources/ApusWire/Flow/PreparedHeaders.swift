/// A ``UDPEncapsulation`` laid out to be written: what is the same for each packet is in the order of the wire and
/// summed already.
///
/// For what sends many packets behind the same headers. Hop limit, traffic class, lengths and checksums come with
/// each packet.
@frozen
public struct PreparedHeaders: Hashable, Sendable, BitwiseCopyable {
    // Those of IPv4 without VLAN tags lie in the first 56 bytes.

    /// The sum of addresses and ports, folded.
    @usableFromInline let endpointSum: UInt16
    /// Whether the packets are IPv6.
    public let isIPv6: Bool
    @usableFromInline let linkLength: UInt8
    // In parts, each small enough to stay in registers.
    @usableFromInline let link: Link
    @usableFromInline let network: Network
    /// The eight octets behind the link's first, which count when there are tags.
    @usableFromInline let tagWord: UInt64

    /// Prepares these headers. Their hop limit and traffic class are not kept.
    public init(_ headers: UDPEncapsulation) {
        (isIPv6, network) = (headers.isIPv6, Network(headers))
        linkLength = UInt8(headers.ethernet.byteCount)
        var bytes = InlineArray<24, UInt8>(repeating: 0)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        // 22 octets at most, into 24.
        unsafe headers.ethernet.write(&raw)
        link = unsafe Link(raw.bytes, byteCount: headers.ethernet.byteCount)
        tagWord = unsafe raw.bytes.native64(8)
        var sum = InternetChecksum()
        sum.add(headers.sourceAddress)
        sum.add(headers.destinationAddress)
        sum.add(UInt32(headers.sourcePort) << 16 | UInt32(headers.destinationPort))
        endpointSum = sum.folded
    }

    /// An Ethernet header in words as they lie in memory: its first eight octets and its last eight, which overlap.
    @usableFromInline @frozen
    struct Link: Hashable, Sendable, BitwiseCopyable {
        @usableFromInline let first: UInt64
        @usableFromInline let last: UInt64

        @unsafe
        init(_ bytes: RawSpan, byteCount: Int) {
            (first, last) = unsafe (bytes.native64(0), bytes.native64(byteCount - 8))
        }
    }

    /// The octets of the Ethernet header: 14, 18 or 22.
    @inlinable @inline(__always) var linkByteCount: Int { Int(linkLength) }

    /// IP and UDP header without what comes with each packet.
    @usableFromInline @frozen
    struct Network: Hashable, Sendable, BitwiseCopyable {
        /// The first eight octets as a number, without traffic class, length and hop limit.
        @usableFromInline let first: UInt64
        // IPv4: protocol and source as a number; destination and ports as they lie in memory.
        // IPv6: the addresses as they lie in memory.
        @usableFromInline let second: UInt64
        @usableFromInline let third: UInt64
        /// IPv6: the ports, in the upper half. IPv4: the sum of the header's fields that stay, folded.
        @usableFromInline let rest: UInt64
        @usableFromInline let fourth: UInt64
        @usableFromInline let fifth: UInt64

        init(_ headers: UDPEncapsulation) {
            let (from, to) = (headers.sourceAddress, headers.destinationAddress)
            let ports = UInt64(headers.sourcePort) << 16 | UInt64(headers.destinationPort)
            if headers.isIPv6 {
                first = 6 << 60 | UInt64(headers.flowLabel) << 32 | UInt64(IPProtocol.udp.rawValue) << 8
                (second, third) = (from.high.bigEndian, from.low.bigEndian)
                (fourth, fifth) = (to.high.bigEndian, to.low.bigEndian)
                rest = ports << 32
            } else {
                // Version and length; may not be fragmented.
                first = 0x45 << 56 | 0x4000
                second = UInt64(IPProtocol.udp.rawValue) << 48 | from.low
                third = (to.low << 32 | ports).bigEndian
                (fourth, fifth) = (0, 0)
                var sum = InternetChecksum()
                sum.add(IPv6Address(high: first, low: second))
                sum.add(UInt32(truncatingIfNeeded: to.low))
                rest = UInt64(sum.folded)
            }
        }
    }

    /// The octets of all headers: 42 to 70.
    @inlinable @inline(__always)
    public var byteCount: Int { linkByteCount &+ (isIPv6 ? 48 : 28) }

    /// The most payload a packet can carry: 65507 octets over IPv4, 65527 over IPv6.
    @inlinable @inline(__always)
    public var maximumPayloadLength: Int { isIPv6 ? 65527 : 65507 }

    /// Writes the headers at the start of `bytes`, for a payload of `payloadLength` octets that follows them.
    ///
    /// `udpChecksum` is what `checksum(carrying:)` gave, or was computed from `checksumStart(payloadLength:)` on, or 0
    /// for none, which only IPv4 allows. Some 50 instructions.
    ///
    /// - Throws: `noRoom` if `bytes` is shorter than `byteCount`, `payloadTooLong` beyond `maximumPayloadLength`.
    ///   Nothing is written then.
    @inlinable @inline(__always)
    public func encode(
        into bytes: inout MutableRawSpan, payloadLength: Int, hopLimit: UInt8, trafficClass: UInt8,
        udpChecksum: UInt16
    ) throws(EncodeFailure) {
        try Self.encode(
            self, into: &bytes, payloadLength: payloadLength, hopLimit: hopLimit, trafficClass: trafficClass,
            udpChecksum: udpChecksum)
    }

    /// The same of headers that lie in a table: each word is read when it is written, so that they need not all be in
    /// registers at once. `headers` must give the same ones each time.
    @inlinable @inline(__always)
    public static func encode(
        _ headers: @autoclosure () -> PreparedHeaders, into bytes: inout MutableRawSpan, payloadLength: Int,
        hopLimit: UInt8, trafficClass: UInt8, udpChecksum: UInt16
    ) throws(EncodeFailure) {
        let (isIPv6, link) = (headers().isIPv6, headers().linkByteCount)
        guard bytes.byteCount >= link &+ (isIPv6 ? 48 : 28) else { throw .noRoom }
        guard payloadLength >= 0, payloadLength <= (isIPv6 ? 65527 : 65507) else { throw .payloadTooLong }
        let length = UInt64(truncatingIfNeeded: payloadLength &+ 8)
        // There are as many octets as the headers have: Ethernet, 20 or 40 of IP, 8 of UDP.
        unsafe bytes.putNative64(headers().link.first, 0)
        if link > 14 { unsafe bytes.putNative64(headers().tagWord, 8) }
        unsafe bytes.putNative64(headers().link.last, link &- 8)
        if isIPv6 {
            let word = UInt64(trafficClass) << 52 | length << 16 | UInt64(hopLimit)
            unsafe bytes.put64(headers().network.first | word, link)
            unsafe bytes.putNative64(headers().network.second, link &+ 8)
            unsafe bytes.putNative64(headers().network.third, link &+ 16)
            unsafe bytes.putNative64(headers().network.fourth, link &+ 24)
            unsafe bytes.putNative64(headers().network.fifth, link &+ 32)
            unsafe bytes.put64(headers().network.rest | length << 16 | UInt64(udpChecksum), link &+ 40)
        } else {
            let total = length &+ 20
            // Below 0x3_0000, so that folded once it is at most 0x1_0001.
            var sum = UInt32(truncatingIfNeeded: headers().network.rest &+ total) &+ UInt32(trafficClass)
            sum &+= UInt32(hopLimit) << 8
            sum = (sum & 0xffff) &+ sum >> 16
            let field = UInt64(~UInt16(truncatingIfNeeded: sum &+ sum >> 16))
            unsafe bytes.put64(headers().network.first | UInt64(trafficClass) << 48 | total << 32, link)
            unsafe bytes.put64(headers().network.second | UInt64(hopLimit) << 56 | field << 32, link &+ 8)
            unsafe bytes.putNative64(headers().network.third, link &+ 16)
            unsafe bytes.put32(UInt32(truncatingIfNeeded: length << 16) | UInt32(udpChecksum), link &+ 24)
        }
    }

    /// The UDP checksum behind these headers of a datagram whose own says `rest` of what stays: see
    /// ``FlowHeaders/checksumRest``. A few instructions; the payload is not read.
    @inlinable @inline(__always)
    public func checksum(carrying rest: UInt16) -> UInt16 {
        let sum = UInt32(rest) &+ UInt32(endpointSum)
        let folded = UInt16(truncatingIfNeeded: (sum & 0xffff) &+ sum >> 16)
        return folded == 0xffff ? 0xffff : ~folded
    }

    /// The sum of all that the UDP checksum covers but the payload, to which that is to be added.
    @inlinable @inline(__always)
    public func checksumStart(payloadLength: Int) -> InternetChecksum {
        var sum = InternetChecksum()
        sum.add(endpointSum)
        sum.add(UInt16(IPProtocol.udp.rawValue))
        // Once in the pseudo header, where it has 32 bits, and once in the header.
        sum.add(UInt32(truncatingIfNeeded: payloadLength &+ 8))
        sum.add(UInt16(truncatingIfNeeded: payloadLength &+ 8))
        return sum
    }
}

extension FlowHeaders {
    /// What the UDP checksum says of length, protocol and payload: the sum of all it covers but addresses and ports, as
    /// a number, folded. It goes along when the payload is sent behind other headers (RFC 1624 equation 3), so that
    /// damage stays visible.
    ///
    /// Says nothing where the datagram has no checksum, or one that is `.partial`.
    @inlinable @inline(__always)
    public var checksumRest: UInt16 {
        var sum = addressSum
        sum.add(UInt32(sourcePort) << 16 | UInt32(destinationPort))
        // All ones less a number is its negative in this arithmetic.
        sum.sum = ~sum.sum
        sum.add(~udpChecksum)
        return sum.folded
    }

    /// The sum of both addresses.
    @inlinable @inline(__always)
    var addressSum: InternetChecksum {
        var sum = InternetChecksum()
        if isIPv6 {
            sum.add(IPv6Address(high: sourceHigh, low: sourceLow))
            sum.add(IPv6Address(high: destinationHigh, low: destinationLow))
        } else {
            sum.add(UInt32(truncatingIfNeeded: sourceLow))
            sum.add(UInt32(truncatingIfNeeded: destinationLow))
        }
        return sum
    }
}
