/// What a host has dropped of what came for it, and why.
public enum EndHostDrop: Int, Error, Sendable, CaseIterable {
    /// A frame of its own came back.
    case ownFrame
    /// A source that no packet can have: a group, loopback, the host itself.
    case badSource
    /// An IP destination that is not the host's, and no group that it belongs to.
    case otherDestination
    /// A claim to an address of the host's, or a word on a path of its packets, in another VLAN than its own.
    case otherVLAN
    /// A packet for the host alone in a frame for all (RFC 1122 section 3.3.6).
    case groupFrame
    /// An echo request to an IPv4 group or broadcast address, which need not be answered (RFC 1122 section 3.2.2.6).
    case groupEcho
    /// A fragment: nothing is put together again.
    case fragment
    /// An answer would be longer than the MTU.
    case tooLong
    /// More echo requests, or questions for addresses of the host's, than are answered.
    case rateLimited
    /// The caller's buffer is too short for the answer.
    case noRoom
    /// An ARP message for somebody else that tells nothing of a known neighbor.
    case otherARP
    /// An ARP reply or an advertisement of a neighbor that nobody has asked for, or that changes nothing.
    case unsolicited
    /// A router advertisement or solicitation: routes are the configuration's.
    case routerMessage
    /// A redirect: the same.
    case redirect
    /// An echo reply: the host asks nobody.
    case echoReply
    /// An ICMP message of a type that a host may ignore.
    case otherType
    /// An ICMP error about a packet that the host can't have sent.
    case foreignError
    /// A question for groups that no router of the link can have asked.
    case badQuery
    /// A "packet too big" with an MTU that it can't have met.
    case badMTU
}
