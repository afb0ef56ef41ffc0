extension FlowHeaders {
    /// The pseudo header that the UDP checksum begins with.
    @inlinable @inline(__always)
    public var pseudoHeader: InternetChecksum {
        if isIPv6 {
            return InternetChecksum(
                pseudoHeader: IPv6Address(high: sourceHigh, low: sourceLow),
                IPv6Address(high: destinationHigh, low: destinationLow), .udp, length: Int(udpLength))
        }
        return InternetChecksum(
            pseudoHeader: IPv4Address(bits: UInt32(truncatingIfNeeded: sourceLow)),
            IPv4Address(bits: UInt32(truncatingIfNeeded: destinationLow)), .udp, length: Int(udpLength))
    }

    /// Verifies the UDP checksum. `frame` must be the frame these headers were found in.
    ///
    /// Reads the whole datagram: about eight octets a clock cycle.
    @inlinable @inline(__always)
    public func udpChecksumState(in frame: RawSpan) -> UDPChecksumState {
        if _slowPath(udpChecksum == 0) { return isIPv6 ? .wrong : .absent }
        let start = Int(transportOffset)
        let sum = pseudoHeader
        var whole = sum
        // Another frame may have come in.
        precondition(start &+ Int(udpLength) <= frame.byteCount)
        whole.add(unsafe frame.part(start, start &+ Int(udpLength)))
        if _fastPath(whole.isValid) { return .valid }
        return udpChecksum == sum.folded ? .partial : .wrong
    }

    /// Refuses addresses that a packet from a network cannot have: a source that is unspecified, loopback,
    /// multicast, broadcast, reserved or IPv4-mapped (RFC 1812 section 5.3.7, RFC 4291 section 2.7), and a
    /// destination that is unspecified, loopback, reserved or IPv4-mapped.
    ///
    /// - Throws: `martianSource` or `martianDestination`.
    @inlinable @inline(__always)
    public func checkAddresses() throws(ParseFailure) {
        switch (sourceAddress, destinationAddress) {
        case (.v4(let source), .v4(let destination)):
            guard _fastPath(!source.isMartian && !source.isMulticast && source.bits != .max) else {
                throw .martianSource
            }
            guard _fastPath(!destination.isMartian) else { throw .martianDestination }
        case (.v6(let source), .v6(let destination)):
            guard !source.isMartian, !source.isMulticast else { throw .martianSource }
            // Interface-local multicast (scope 1) and scope 0 stay inside a host (RFC 4291 section 2.7).
            guard !destination.isMartian, !(destination.isMulticast && destination.high >> 48 & 0xf < 2)
            else { throw .martianDestination }
        default: break
        }
    }
}

extension IPv4Address {
    /// Whether the address is neither source nor destination of a packet on a network: `0.0.0.0/8`,
    /// `127.0.0.0/8`, and `240.0.0.0/4` but for the broadcast address.
    @inlinable
    public var isMartian: Bool {
        bits >> 24 == 0 || isLoopback || bits >> 28 == 0xf && self != IPv4Address(bits: .max)
    }
}

extension IPv6Address {
    /// Whether the address is neither source nor destination of a packet on a network: `::`, `::1`, and
    /// `::ffff:0:0/96`.
    @inlinable
    public var isMartian: Bool { high == 0 && (low <= 1 || low >> 32 == 0xffff) }
}
