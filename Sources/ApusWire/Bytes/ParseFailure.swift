/// Why octets were refused: every reason a parser of this module can give, usable as the index of a drop
/// counter (`rawValue` runs from 0 to `allCases.count - 1`).
@frozen
public enum ParseFailure: UInt8, Error, Hashable, Sendable, CaseIterable {
    /// Fewer than 14 octets, or a VLAN tag cut short.
    case truncatedEthernet
    /// More than two VLAN tags.
    case tooManyVLANTags
    /// The EtherType is neither IPv4 nor IPv6.
    case notIP
    /// An ARP message cut short.
    case truncatedARP
    /// An ARP message that is not for IPv4 over Ethernet.
    case unsupportedARP
    /// The IP header is cut short, or the frame is shorter than the header says.
    case truncatedIP
    /// The version nibble contradicts the EtherType.
    case badIPVersion
    /// The IPv4 header length is below 20 octets or beyond the total length.
    case badIPHeaderLength
    /// The IPv4 total length is shorter than the header.
    case badIPTotalLength
    /// The IPv4 header checksum is wrong.
    case badIPHeaderChecksum
    /// An IPv4 option has an impossible length.
    case badIPOption
    /// An IPv4 source route option, or an IPv6 routing header with segments left.
    case sourceRoute
    /// The first fragment of a datagram.
    case firstFragment
    /// A fragment that is not the first.
    case laterFragment
    /// An IPv6 jumbogram (RFC 2675).
    case jumbogram
    /// An IPv6 extension header that runs past the payload, or a hop-by-hop header that is not the first.
    case badExtensionHeader
    /// More IPv6 extension headers than are looked at.
    case tooManyExtensionHeaders
    /// An IPv6 option nobody here knows, whose type asks that the packet be discarded (RFC 8200 section 4.2).
    case unrecognizedIPv6Option
    /// The IP payload is not UDP.
    case notUDP
    /// The IP payload is shorter than a UDP header.
    case truncatedUDP
    /// The UDP length is below 8, or beyond the IP payload.
    case badUDPLength
    /// The UDP checksum is wrong.
    case badUDPChecksum
    /// A UDP datagram over IPv6 without checksum (RFC 8200 section 8.1).
    case missingUDPChecksum
    /// A source address that no host on a network has.
    case martianSource
    /// A destination address that no packet on a network has.
    case martianDestination
    /// An ICMP message cut short.
    case truncatedICMP
    /// The ICMP or ICMPv6 checksum is wrong.
    case badICMPChecksum
    /// Not the type of ICMP message that was asked for.
    case otherICMPType
    /// A neighbor discovery message that RFC 4861 section 7.1 says must be discarded.
    case badNeighborMessage
    /// Fewer than 12 octets, or a CSRC list or header extension cut short.
    case truncatedRTP
    /// The RTP version is not 2.
    case badRTPVersion
    /// The RTP padding length is zero or longer than the payload.
    case badRTPPadding
    /// An RTCP packet cut short, or of a length that is no multiple of four.
    case truncatedRTCP
    /// The RTCP version is not 2.
    case badRTCPVersion
    /// A compound RTCP packet that begins with neither a sender nor a receiver report.
    case badRTCPFirstPacket
    /// RTCP padding on a packet that is not the last, or of impossible length.
    case badRTCPPadding
    /// The body of an RTCP packet is shorter than its count says, or its items are malformed.
    case badRTCPBody
    /// Not the type of RTCP packet that was asked for.
    case otherRTCPType

    /// How many reasons there are: the size of an array of drop counters.
    @inlinable
    public static var count: Int { Int(ParseFailure.otherRTCPType.rawValue) + 1 }
}
