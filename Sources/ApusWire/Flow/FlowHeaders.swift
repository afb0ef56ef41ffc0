/// Where everything is in a frame that carries a UDP datagram, found in one pass: Ethernet, up to two VLAN
/// tags, IPv4 with options or IPv6 with extension headers, UDP.
///
/// A plain value that outlives the frame. Addresses of either family are kept in one form, so that a table
/// of flows needs one key.
@frozen
public struct FlowHeaders: Hashable, Sendable, BitwiseCopyable {
    /// The upper half of the source address; 0 for IPv4.
    public let sourceHigh: UInt64
    /// The lower half of the source address; for IPv4 the address, in the lower 32 bits.
    public let sourceLow: UInt64
    /// The upper half of the destination address; 0 for IPv4.
    public let destinationHigh: UInt64
    /// The lower half of the destination address; for IPv4 the address, in the lower 32 bits.
    public let destinationLow: UInt64
    /// The UDP source port.
    public let sourcePort: UInt16
    /// The UDP destination port.
    public let destinationPort: UInt16
    /// Where the IP header begins in the frame, in octets.
    public let networkOffset: UInt16
    /// Where the UDP header begins in the frame, in octets.
    public let transportOffset: UInt16
    /// The octets of UDP header and payload, at least 8.
    public let udpLength: UInt16
    /// The UDP checksum as it stands; 0 means that there is none. It is not verified yet.
    public let udpChecksum: UInt16
    /// Time to live, or hop limit.
    public let hopLimit: UInt8
    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2.
    public let trafficClass: UInt8
    /// What else is to know.
    public let flags: Flags
    /// The VLAN tags in the frame.
    public let tags: VLANTags

    /// Properties of a frame that carries a UDP datagram.
    @frozen
    public struct Flags: OptionSet, Hashable, Sendable, BitwiseCopyable {
        /// The flags as bits.
        public let rawValue: UInt8

        /// The flags of these bits.
        @inlinable @inline(__always)
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// The addresses are IPv6's.
        @inlinable public static var ipv6: Flags { Flags(rawValue: 1) }
        /// There are IPv4 options, all of possible length, or IPv6 extension headers.
        @inlinable public static var options: Flags { Flags(rawValue: 2) }
        /// Routers may not fragment the packet; always so over IPv6.
        @inlinable public static var dontFragment: Flags { Flags(rawValue: 4) }
    }

    @inlinable @inline(__always)
    init(
        source: IPv6Address, destination: IPv6Address, _ udp: UDPHeader, networkOffset: Int,
        transportOffset: Int, _ tags: VLANTags, hopLimit: UInt8, trafficClass: UInt8, _ flags: Flags
    ) {
        (sourceHigh, sourceLow) = (source.high, source.low)
        (destinationHigh, destinationLow) = (destination.high, destination.low)
        (sourcePort, destinationPort) = (udp.sourcePort, udp.destinationPort)
        (udpLength, udpChecksum) = (udp.length, udp.checksum)
        // Offsets are below 2^16: eight extension headers of 2048 octets are the most.
        self.networkOffset = UInt16(truncatingIfNeeded: networkOffset)
        self.transportOffset = UInt16(truncatingIfNeeded: transportOffset)
        (self.hopLimit, self.trafficClass, self.flags, self.tags) = (hopLimit, trafficClass, flags, tags)
    }

    /// Finds the datagram of an Ethernet frame.
    ///
    /// The IPv4 header checksum is verified, the UDP checksum is not. Padding behind the packet is ignored.
    /// Fragments and source routes are refused. Below 10 ns without options or extension headers, whatever
    /// the frame's length.
    @inlinable @inline(__always)
    public init(checking frame: RawSpan) throws(ParseFailure) {
        let (tags, type) = try EthernetView.tagsAndType(frame)
        let offset = 14 &+ tags.byteCount
        // The tags were found there, so the frame is at least `offset` long.
        let packet = unsafe frame.part(offset, frame.byteCount)
        switch type {
        case .ipv4: try self.init(ipv4: packet, offset, tags)
        case .ipv6: try self.init(ipv6: packet, offset, tags)
        default: throw .notIP
        }
    }

    /// Finds the datagram of an IP packet without a link-layer header, as a TUN interface gives it.
    @inlinable
    public init(checkingIP packet: RawSpan) throws(ParseFailure) {
        guard packet.byteCount > 0 else { throw .truncatedIP }
        // One octet is there.
        switch unsafe packet.octet(0) >> 4 {
        case 4: try self.init(ipv4: packet, 0, VLANTags())
        case 6: try self.init(ipv6: packet, 0, VLANTags())
        default: throw .badIPVersion
        }
    }

    @inlinable @inline(__always)
    init(ipv4 bytes: RawSpan, _ offset: Int, _ tags: VLANTags) throws(ParseFailure) {
        let packet = try IPv4View(checking: bytes)
        guard _fastPath(packet.isHeaderChecksumValid) else { throw .badIPHeaderChecksum }
        if _slowPath(packet.isFragment) { throw packet.fragmentOffset == 0 ? .firstFragment : .laterFragment }
        guard _fastPath(packet.protocolNumber == .udp) else { throw .notUDP }
        var flags: Flags = packet.dontFragment ? .dontFragment : []
        if _slowPath(packet.hasOptions) {
            try packet.checkOptions()
            flags.insert(.options)
        }
        let udp = try UDPView(checking: packet.payload)
        self.init(
            source: IPv6Address(high: 0, low: UInt64(packet.source.bits)),
            destination: IPv6Address(high: 0, low: UInt64(packet.destination.bits)), UDPHeader(udp),
            networkOffset: offset, transportOffset: offset &+ packet.headerByteCount, tags,
            hopLimit: packet.timeToLive, trafficClass: packet.trafficClass, flags)
    }

    @inlinable @inline(__always)
    init(ipv6 bytes: RawSpan, _ offset: Int, _ tags: VLANTags) throws(ParseFailure) {
        let packet = try IPv6View(checking: bytes)
        let upper = try packet.upperLayer()
        if upper.isFragment { throw upper.fragmentOffset == 0 ? .firstFragment : .laterFragment }
        guard upper.protocolNumber == .udp else { throw .notUDP }
        // The walk never goes beyond the packet's end.
        let udp = try UDPView(checking: unsafe packet.bytes.part(upper.offset, packet.bytes.byteCount))
        self.init(
            source: packet.source, destination: packet.destination, UDPHeader(udp), networkOffset: offset,
            transportOffset: offset &+ upper.offset, tags, hopLimit: packet.hopLimit,
            trafficClass: packet.trafficClass,
            upper.extensionCount == 0 ? [.ipv6, .dontFragment] : [.ipv6, .dontFragment, .options])
    }
}
