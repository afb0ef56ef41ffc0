extension UDPEncapsulation {
    /// Writes the headers at the start of `bytes`, for a payload of `payloadLength` octets that follows, or
    /// will follow, them.
    ///
    /// `udpChecksum` is what `checksum(of:)` or `checksum(replacing:)` gave, or 0 for none, which only IPv4
    /// allows: receivers drop such packets over IPv6. Below 10 ns, whatever the payload's length.
    ///
    /// - Throws: `noRoom` if `bytes` is shorter than `byteCount`, `payloadTooLong` beyond
    ///   `maximumPayloadLength`. Nothing is written then.
    @inlinable @inline(__always)
    public func encode(
        into bytes: inout MutableRawSpan, payloadLength: Int, udpChecksum: UInt16
    ) throws(EncodeFailure) {
        guard bytes.byteCount >= byteCount else { throw .noRoom }
        guard payloadLength >= 0, payloadLength <= maximumPayloadLength else { throw .payloadTooLong }
        let udpLength = UInt16(truncatingIfNeeded: payloadLength &+ 8)
        var offset = 14 &+ tags.byteCount
        // There are byteCount octets: Ethernet, 20 or 40 of IP, 8 of UDP.
        unsafe ethernet.write(&bytes)
        if isIPv6 {
            let header = IPv6Header(
                trafficClass: trafficClass, flowLabel: flowLabel, nextHeader: .udp, hopLimit: hopLimit,
                source: sourceAddress, destination: destinationAddress)
            unsafe header.write(&bytes, offset, payloadLength: udpLength)
            offset &+= 40
        } else {
            let header = IPv4Header(
                trafficClass: trafficClass, timeToLive: hopLimit, protocolNumber: .udp,
                source: IPv4Address(bits: UInt32(truncatingIfNeeded: sourceAddress.low)),
                destination: IPv4Address(bits: UInt32(truncatingIfNeeded: destinationAddress.low)))
            unsafe header.write(&bytes, offset, totalLength: udpLength &+ 20)
            offset &+= 20
        }
        let ports = UInt64(sourcePort) << 48 | UInt64(destinationPort) << 32
        unsafe bytes.put64(ports | UInt64(udpLength) << 16 | UInt64(udpChecksum), offset)
    }

    /// The pseudo header for a datagram of that length.
    @inlinable @inline(__always)
    func pseudoHeader(udpLength: Int) -> InternetChecksum {
        isIPv6
            ? InternetChecksum(pseudoHeader: sourceAddress, destinationAddress, .udp, length: udpLength)
            : InternetChecksum(
                pseudoHeader: IPv4Address(bits: UInt32(truncatingIfNeeded: sourceAddress.low)),
                IPv4Address(bits: UInt32(truncatingIfNeeded: destinationAddress.low)), .udp,
                length: udpLength)
    }

    /// The UDP checksum for that payload, never 0. Reads all of it: about eight octets a clock cycle.
    @inlinable
    public func checksum(of payload: RawSpan) -> UInt16 {
        var sum = checksumStart(payloadLength: payload.byteCount)
        sum.add(payload)
        return sum.udpValue
    }

    /// The sum of all that the UDP checksum covers but the payload, for one that lies in pieces.
    @inlinable
    public func checksumStart(payloadLength: Int) -> InternetChecksum {
        let udpLength = payloadLength &+ 8
        var sum = pseudoHeader(udpLength: udpLength)
        sum.add(UInt32(sourcePort) << 16 | UInt32(destinationPort))
        sum.add(UInt16(truncatingIfNeeded: udpLength))
        return sum
    }

    /// The UDP checksum that goes with these headers when the payload is taken over from a datagram that had
    /// `headers`: what differs in addresses and ports is put right, IPv4 and IPv6 and across them, and
    /// damage to the payload stays visible (RFC 1624 equation 3). A few nanoseconds; the payload is not read.
    ///
    /// Nil if the datagram had no checksum. One that was `.partial` must be computed afresh.
    @inlinable @inline(__always)
    public func checksum(replacing headers: FlowHeaders) -> UInt16? {
        if headers.udpChecksum == 0 { return nil }
        var sum = InternetChecksum(resuming: headers.udpChecksum)
        // Length and protocol are the same before and after. All ones are a zero of this arithmetic too: so
        // the upper halves of IPv4 addresses, which are 0, change nothing, and a field of 0xffff, which
        // stands for 0 (RFC 768), may be taken as it is.
        sum.replace(
            IPv6Address(high: headers.sourceHigh, low: headers.sourceLow), with: sourceAddress)
        sum.replace(
            IPv6Address(high: headers.destinationHigh, low: headers.destinationLow), with: destinationAddress)
        sum.replace(
            UInt32(headers.sourcePort) << 16 | UInt32(headers.destinationPort),
            with: UInt32(sourcePort) << 16 | UInt32(destinationPort))
        return sum.udpValue
    }
}
