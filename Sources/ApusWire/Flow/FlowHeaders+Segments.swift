extension FlowHeaders {
    /// Finds the datagram of an Ethernet frame of `byteCount` octets, of which only the first segment is at
    /// hand, as multi-buffer AF_XDP gives it.
    ///
    /// All headers have to be in the segment; lengths are compared with the whole frame's. What
    /// `payload(of:)` and `udpChecksumState(in:)` need is not there.
    ///
    /// - Throws: also `truncatedIP`, `badExtensionHeader` and `truncatedUDP` if a header is not in the segment.
    @inlinable
    public init(checkingFirstSegment segment: RawSpan, byteCount: Int) throws(ParseFailure) {
        let (tags, type) = try EthernetView.tagsAndType(segment)
        let offset = 14 &+ tags.byteCount
        // The tags were found there, so the segment is at least `offset` long.
        let packet = unsafe segment.slice(offset, segment.byteCount)
        let left = max(byteCount, segment.byteCount) &- offset
        switch type {
        case .ipv4: try self.init(firstIPv4: packet, of: left, offset, tags)
        case .ipv6: try self.init(firstIPv6: packet, of: left, offset, tags)
        default: throw .notIP
        }
    }

    @usableFromInline
    init(firstIPv4 bytes: RawSpan, of byteCount: Int, _ offset: Int, _ tags: VLANTags) throws(ParseFailure) {
        let packet = try IPv4View(firstSegment: bytes, of: byteCount)
        guard packet.isHeaderChecksumValid else { throw .badIPHeaderChecksum }
        if packet.isFragment { throw packet.fragmentOffset == 0 ? .firstFragment : .laterFragment }
        guard packet.protocolNumber == .udp else { throw .notUDP }
        var flags: Flags = packet.dontFragment ? .dontFragment : []
        if packet.hasOptions {
            try packet.options.check()
            flags.insert(.options)
        }
        // Twenty octets are there.
        let total = unsafe Int(bytes.big16(2))
        let udp = try UDPHeader(firstSegment: packet.payload, of: total &- packet.headerByteCount)
        self.init(
            source: IPv6Address(high: 0, low: UInt64(packet.source.bits)),
            destination: IPv6Address(high: 0, low: UInt64(packet.destination.bits)), udp,
            networkOffset: offset, transportOffset: offset &+ packet.headerByteCount, tags,
            hopLimit: packet.timeToLive, trafficClass: packet.trafficClass, flags)
    }

    @usableFromInline
    init(firstIPv6 bytes: RawSpan, of byteCount: Int, _ offset: Int, _ tags: VLANTags) throws(ParseFailure) {
        let packet = try IPv6View(firstSegment: bytes, of: byteCount)
        let upper = try packet.upperLayer()
        if upper.isFragment { throw upper.fragmentOffset == 0 ? .firstFragment : .laterFragment }
        guard upper.protocolNumber == .udp else { throw .notUDP }
        // Forty octets are there, and the walk never goes beyond the view's end.
        let total = unsafe Int(bytes.big16(4)) &+ 40
        let rest = unsafe packet.bytes.slice(upper.offset, packet.bytes.byteCount)
        let udp = try UDPHeader(firstSegment: rest, of: total &- upper.offset)
        self.init(
            source: packet.source, destination: packet.destination, udp, networkOffset: offset,
            transportOffset: offset &+ upper.offset, tags, hopLimit: packet.hopLimit,
            trafficClass: packet.trafficClass,
            upper.extensionCount == 0 ? [.ipv6, .dontFragment] : [.ipv6, .dontFragment, .options])
    }
}

extension IPv4View {
    /// A packet of which `bytes` are the first octets, out of `byteCount` there may be. The header is whole.
    @_lifetime(copy bytes)
    init(firstSegment bytes: RawSpan, of byteCount: Int) throws(ParseFailure) {
        guard bytes.byteCount >= 20 else { throw .truncatedIP }
        // The loads are inside the 20 octets that are there.
        let first = unsafe bytes.octet(0)
        guard first >> 4 == 4 else { throw .badIPVersion }
        headerByteCount = Int(first & 0xf) &* 4
        let total = unsafe Int(bytes.big16(2))
        guard headerByteCount >= 20 else { throw .badIPHeaderLength }
        guard total >= headerByteCount else { throw .badIPTotalLength }
        guard total <= byteCount, headerByteCount <= bytes.byteCount else { throw .truncatedIP }
        self.bytes = unsafe bytes.slice(0, min(total, bytes.byteCount))
    }
}

extension IPv6View {
    /// A packet of which `bytes` are the first octets, out of `byteCount` there may be. The header is whole.
    @_lifetime(copy bytes)
    init(firstSegment bytes: RawSpan, of byteCount: Int) throws(ParseFailure) {
        guard bytes.byteCount >= 40 else { throw .truncatedIP }
        // The loads are inside the 40 octets that are there.
        guard unsafe bytes.octet(0) >> 4 == 6 else { throw .badIPVersion }
        let length = unsafe Int(bytes.big16(4))
        if length == 0 {
            guard unsafe bytes.octet(6) != IPProtocol.hopByHop.rawValue else { throw .jumbogram }
        }
        guard length <= byteCount &- 40 else { throw .truncatedIP }
        self.bytes = unsafe bytes.slice(0, min(40 &+ length, bytes.byteCount))
    }
}

extension UDPHeader {
    /// The header of a datagram of which `bytes` are the first octets, out of the `byteCount` of an IP payload.
    init(firstSegment bytes: RawSpan, of byteCount: Int) throws(ParseFailure) {
        guard bytes.byteCount >= 8 else { throw .truncatedUDP }
        // Eight octets are there.
        let length = unsafe bytes.big16(4)
        guard length >= 8, Int(length) <= byteCount else { throw .badUDPLength }
        self.init(
            sourcePort: unsafe bytes.big16(0), destinationPort: unsafe bytes.big16(2), length: length,
            checksum: unsafe bytes.big16(6))
    }
}
