extension EndHostDrop: CustomStringConvertible {
    /// The reason as the label of a metric: `own_frame`.
    public var label: String { text.label }

    /// The reason in a sentence.
    public var description: String { text.sentence }

    private var text: (label: String, sentence: String) {
        switch self {
        case .ownFrame:
            (
                "own_frame",
                "it has the device's own link-layer address as its source: a loop, or a neighbor "
                    + "with the same one"
            )
        case .badSource:
            ("bad_source", "its source is none that a packet can have: a group, loopback, the host itself")
        case .otherDestination:
            ("other_destination", "its IP destination is not the host's, and no group that it is in")
        case .otherVLAN:
            (
                "other_vlan",
                "it claims an address of the host's, or tells of a path, in another VLAN than the "
                    + "host's own"
            )
        case .groupFrame:
            ("group_frame", "it is for the host alone, in a frame for all (RFC 1122 section 3.3.6)")
        case .groupEcho:
            (
                "group_echo",
                "it is an echo request to an IPv4 group or broadcast address, which is not "
                    + "answered"
            )
        case .fragment: ("fragment", "it is a fragment, and nothing is put together again")
        case .tooLong: ("too_long", "its answer would be longer than the MTU")
        case .rateLimited:
            (
                "rate_limited",
                "more echo requests, or questions for the host's addresses, came than are "
                    + "answered"
            )
        case .noRoom: ("no_room", "the frame for the answer was too short for it")
        case .otherARP:
            ("other_arp", "it is an ARP message for somebody else that tells nothing of a known neighbor")
        case .unsolicited:
            (
                "unsolicited",
                "it is an ARP reply or an advertisement that nobody has asked for, or that changes "
                    + "nothing"
            )
        case .routerMessage:
            ("router_message", "it is a router advertisement or solicitation: routes are the configuration's")
        case .redirect: ("redirect", "it is a redirect: routes are the configuration's")
        case .echoReply: ("echo_reply", "it is an echo reply: the host asks nobody")
        case .otherType: ("other_type", "it is an ICMP message of a type that a host may ignore")
        case .foreignError:
            ("foreign_error", "it is an ICMP error about a packet that the host can't have sent")
        case .badQuery: ("bad_query", "it is a question for groups that no router of the link can have asked")
        case .badMTU: ("bad_mtu", "it is a \"packet too big\" with an MTU that the packet can't have met")
        }
    }
}
