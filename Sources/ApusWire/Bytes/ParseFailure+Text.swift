extension ParseFailure: CustomStringConvertible {
    /// The reason in lower-case words with underscores, as the label of a metric: `bad_udp_length`.
    public var label: String { text.label }

    /// The reason in a sentence.
    public var description: String { text.sentence }

    private var text: (label: String, sentence: String) {
        switch self {
        case .truncatedEthernet: ("truncated_ethernet", "the frame is shorter than its Ethernet header")
        case .tooManyVLANTags: ("too_many_vlan_tags", "the frame has more than two VLAN tags")
        case .notIP: ("not_ip", "the EtherType is neither IPv4 nor IPv6")
        case .truncatedARP: ("truncated_arp", "the ARP message is cut short")
        case .unsupportedARP: ("unsupported_arp", "the ARP message is not for IPv4 over Ethernet")
        case .truncatedIP: ("truncated_ip", "the frame is shorter than its IP header says")
        case .badIPVersion: ("bad_ip_version", "the IP version contradicts the EtherType")
        case .badIPHeaderLength: ("bad_ip_header_length", "the IPv4 header length is below 20 octets")
        case .badIPTotalLength: ("bad_ip_total_length", "the IPv4 total length is shorter than the header")
        case .badIPHeaderChecksum: ("bad_ip_header_checksum", "the IPv4 header checksum is wrong")
        case .badIPOption: ("bad_ip_option", "an IPv4 option has an impossible length")
        case .sourceRoute: ("source_route", "the packet carries a source route")
        case .firstFragment: ("first_fragment", "the packet is the first fragment of a datagram")
        case .laterFragment: ("later_fragment", "the packet is a later fragment of a datagram")
        case .jumbogram: ("jumbogram", "the packet is an IPv6 jumbogram")
        case .badExtensionHeader:
            ("bad_extension_header", "an IPv6 extension header is malformed or misplaced")
        case .tooManyExtensionHeaders:
            ("too_many_extension_headers", "the packet has more than eight IPv6 extension headers")
        case .unrecognizedIPv6Option:
            ("unrecognized_ipv6_option", "an unknown IPv6 option asks that the packet be discarded")
        case .notUDP: ("not_udp", "the IP payload is not UDP")
        case .truncatedUDP: ("truncated_udp", "the IP payload is shorter than a UDP header")
        case .badUDPLength: ("bad_udp_length", "the UDP length is below 8 or beyond the IP payload")
        case .badUDPChecksum: ("bad_udp_checksum", "the UDP checksum is wrong")
        case .missingUDPChecksum: ("missing_udp_checksum", "the UDP datagram over IPv6 has no checksum")
        case .martianSource: ("martian_source", "the source address belongs to no host on a network")
        case .martianDestination:
            ("martian_destination", "the destination address is none that a packet may have")
        case .truncatedICMP: ("truncated_icmp", "the ICMP message is cut short")
        case .badICMPChecksum: ("bad_icmp_checksum", "the ICMP checksum is wrong")
        case .otherICMPType: ("other_icmp_type", "the ICMP message is of another type")
        case .badNeighborMessage:
            ("bad_neighbor_message", "the neighbor discovery message breaks RFC 4861 section 7.1")
        case .truncatedRTP: ("truncated_rtp", "the RTP header, CSRC list or header extension is cut short")
        case .badRTPVersion: ("bad_rtp_version", "the RTP version is not 2")
        case .badRTPPadding: ("bad_rtp_padding", "the RTP padding is empty or longer than the payload")
        case .truncatedRTCP: ("truncated_rtcp", "the RTCP packet is cut short")
        case .badRTCPVersion: ("bad_rtcp_version", "the RTCP version is not 2")
        case .badRTCPFirstPacket:
            ("bad_rtcp_first_packet", "the compound RTCP packet does not begin with a report")
        case .badRTCPPadding: ("bad_rtcp_padding", "the RTCP padding is misplaced or of impossible length")
        case .badRTCPBody: ("bad_rtcp_body", "the body of the RTCP packet is shorter than its count says")
        case .otherRTCPType: ("other_rtcp_type", "the RTCP packet is of another type")
        }
    }
}
