extension FlowHeaders {
    /// Whether the packet is IPv6.
    @inlinable @inline(__always)
    public var isIPv6: Bool { flags.contains(.ipv6) }

    /// The source address.
    @inlinable
    public var sourceAddress: IPAddress {
        isIPv6
            ? .v6(IPv6Address(high: sourceHigh, low: sourceLow))
            : .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: sourceLow)))
    }

    /// The destination address.
    @inlinable
    public var destinationAddress: IPAddress {
        isIPv6
            ? .v6(IPv6Address(high: destinationHigh, low: destinationLow))
            : .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: destinationLow)))
    }

    /// Where the datagram came from.
    @inlinable public var source: Endpoint { Endpoint(sourceAddress, port: sourcePort) }
    /// Where the datagram goes to.
    @inlinable public var destination: Endpoint { Endpoint(destinationAddress, port: destinationPort) }

    /// Differentiated services code point, 0 to 63 (RFC 2474).
    @inlinable public var dscp: UInt8 { trafficClass >> 2 }
    /// Explicit congestion notification, 0 to 3 (RFC 3168).
    @inlinable public var ecn: UInt8 { trafficClass & 3 }
    /// Whether there are IPv4 options or IPv6 extension headers.
    @inlinable public var hasOptions: Bool { flags.contains(.options) }
    /// Where the UDP payload begins in the frame, in octets.
    @inlinable @inline(__always) public var payloadOffset: Int { Int(transportOffset) &+ 8 }
    /// The octets of UDP payload.
    @inlinable @inline(__always) public var payloadLength: Int { Int(udpLength) &- 8 }

    /// The UDP payload in `frame`, which must be the frame these headers were found in: a shorter one traps.
    @inlinable @inline(__always)
    @_lifetime(copy frame)
    public func payload(of frame: RawSpan) -> RawSpan {
        // Checked, because another frame may have come in.
        frame.extracting(payloadOffset..<payloadOffset &+ payloadLength)
    }

    /// A number of 32 bits that is the same for all datagrams from one endpoint to another, to spread flows
    /// over workers or buckets. `seed` must be unknown to peers, who could else make all flows meet.
    @inlinable
    public func hash(seed: UInt64) -> UInt32 {
        let ports = UInt64(sourcePort) << 16 | UInt64(destinationPort)
        let low = Self.mix(sourceLow ^ seed, destinationLow ^ 0x9e37_79b9_7f4a_7c15)
        let high = Self.mix(sourceHigh ^ seed ^ 0xd1b5_4a32_d192_ed03, destinationHigh ^ low)
        return UInt32(truncatingIfNeeded: Self.mix(high ^ low ^ seed, ports ^ 0xeb44_acca_b455_d165))
    }

    /// Both halves of a product, folded: each bit of either factor reaches most bits of the result.
    @inlinable @inline(__always)
    static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}
