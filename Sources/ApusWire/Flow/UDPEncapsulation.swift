/// The headers a UDP datagram is sent behind: Ethernet, up to two VLAN tags, IPv4 or IPv6, UDP.
///
/// Made once for a destination and written in front of each payload. IPv4 packets are written without
/// options, may not be fragmented, and have identification 0, as RFC 6864 section 4.1 allows for these.
@frozen
public struct UDPEncapsulation: Hashable, Sendable, BitwiseCopyable {
    /// The link-layer address of the next hop.
    public var nextHop: MACAddress
    /// The link-layer address of the sending interface.
    public var interface: MACAddress
    /// The VLAN tags to write.
    public var tags: VLANTags
    /// Whether the packets are IPv6.
    public let isIPv6: Bool
    /// Time to live, or hop limit.
    public var hopLimit: UInt8
    /// Differentiated services code point in the upper 6 bits, ECN in the lower 2.
    public var trafficClass: UInt8
    /// The UDP port to send from.
    public var sourcePort: UInt16
    /// The UDP port to send to.
    public var destinationPort: UInt16
    /// The flow label of IPv6, 20 bits (RFC 6437).
    public var flowLabel: UInt32
    @usableFromInline let sourceAddress: IPv6Address
    @usableFromInline let destinationAddress: IPv6Address

    /// Headers of an IPv4 packet.
    @inlinable
    public init(
        nextHop: MACAddress, interface: MACAddress, tags: VLANTags = VLANTags(),
        source: IPv4Address, sourcePort: UInt16, destination: IPv4Address, destinationPort: UInt16,
        hopLimit: UInt8 = 64, trafficClass: UInt8 = 0
    ) {
        (self.nextHop, self.interface, self.tags) = (nextHop, interface, tags)
        (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
        (self.hopLimit, self.trafficClass, flowLabel) = (hopLimit, trafficClass, 0)
        isIPv6 = false
        sourceAddress = IPv6Address(high: 0, low: UInt64(source.bits))
        destinationAddress = IPv6Address(high: 0, low: UInt64(destination.bits))
    }

    /// Headers of an IPv6 packet. The low 20 bits of `flowLabel` count.
    @inlinable
    public init(
        nextHop: MACAddress, interface: MACAddress, tags: VLANTags = VLANTags(),
        source: IPv6Address, sourcePort: UInt16, destination: IPv6Address, destinationPort: UInt16,
        hopLimit: UInt8 = 64, trafficClass: UInt8 = 0, flowLabel: UInt32 = 0
    ) {
        (self.nextHop, self.interface, self.tags) = (nextHop, interface, tags)
        (self.sourcePort, self.destinationPort) = (sourcePort, destinationPort)
        (self.hopLimit, self.trafficClass, self.flowLabel) = (hopLimit, trafficClass, flowLabel & 0xf_ffff)
        isIPv6 = true
        (sourceAddress, destinationAddress) = (source, destination)
    }

    /// Headers from one endpoint to another, or nil if one is IPv4 and the other IPv6.
    @inlinable
    public init?(
        nextHop: MACAddress, interface: MACAddress, tags: VLANTags = VLANTags(),
        source: Endpoint, destination: Endpoint, hopLimit: UInt8 = 64, trafficClass: UInt8 = 0
    ) {
        switch (source.address, destination.address) {
        case (.v4(let from), .v4(let to)):
            self.init(
                nextHop: nextHop, interface: interface, tags: tags, source: from, sourcePort: source.port,
                destination: to, destinationPort: destination.port, hopLimit: hopLimit,
                trafficClass: trafficClass)
        case (.v6(let from), .v6(let to)):
            self.init(
                nextHop: nextHop, interface: interface, tags: tags, source: from, sourcePort: source.port,
                destination: to, destinationPort: destination.port, hopLimit: hopLimit,
                trafficClass: trafficClass)
        default: return nil
        }
    }

    /// The octets of all headers: 42 to 70.
    @inlinable @inline(__always)
    public var byteCount: Int { 14 &+ tags.byteCount &+ (isIPv6 ? 48 : 28) }

    /// The most payload a packet can carry: 65507 octets over IPv4, 65527 over IPv6.
    @inlinable
    public var maximumPayloadLength: Int { isIPv6 ? 65527 : 65507 }

    /// The frame's VLAN tags with Ethernet addresses and type.
    @inlinable @inline(__always)
    var ethernet: EthernetHeader {
        EthernetHeader(
            destination: nextHop, source: interface, tags: tags, etherType: isIPv6 ? .ipv6 : .ipv4)
    }
}
