public import ApusWire

/// What an interface without a kernel is to be: its addresses, its routes and its limits.
public struct EndHostConfiguration: Hashable, Sendable {
    /// The link-layer address of the interface.
    public var mac: MACAddress
    /// The largest IP packet of the link, in octets: 68 to 65535. Below 1280 there is no IPv6 (RFC 8200 section 5).
    public var mtu = 1500
    /// The VLAN tags of frames that the host sends by itself. Answers have the tags of what they answer; but of neighbors
    /// only those of this VLAN are learned.
    public var tags = VLANTags()
    /// The addresses of the interface, each with the prefix that is on the link.
    ///
    /// The IPv6 link-local address of ``mac`` comes by itself, unless another link-local one is among these.
    public var addresses: [AddressPrefix]
    /// The router for all IPv4 destinations that no longer prefix has.
    public var gatewayIPv4: IPv4Address?
    /// The router for all IPv6 destinations that no longer prefix has.
    public var gatewayIPv6: IPv6Address?
    /// Further networks.
    public var routes: [StaticRoute] = []
    /// The most neighbors to be kept, 16 to 65536. Of these, half may be unresolved at a time, and a quarter may be such
    /// that only made themselves known.
    public var neighborLimit = 1024
    /// How many ICMP errors are sent (RFC 4443 section 2.4(f)).
    public var errorLimit = RateLimit(perSecond: 100, burst: 50)
    /// How many echo requests are answered.
    public var echoLimit = RateLimit(perSecond: 1000, burst: 200)
    /// How many ARP requests and neighbor solicitations are answered. A host asks for a neighbor once a second at most (RFC 4861
    /// section 10, RFC 1122 section 2.3.2.1), so by default the questions of ten thousand are. Beyond it, another 1000 a second of
    /// neighbors that packets are sent to, and of probes for duplicates.
    public var answerLimit = RateLimit(perSecond: 10_000, burst: 1000)
    /// What random intervals are made of, and how neighbors are spread in memory; unknown to peers.
    public var seed: UInt64

    /// Settings with the defaults above.
    public init(mac: MACAddress, addresses: [AddressPrefix], seed: UInt64) {
        (self.mac, self.addresses, self.seed) = (mac, addresses, seed)
    }
}

/// A network, and the router on the link by which it is reached.
public struct StaticRoute: Hashable, Sendable {
    /// The network.
    public var destination: AddressPrefix
    /// The router; nil if the network is on the link.
    public var gateway: IPAddress?

    /// Joins the values.
    public init(to destination: AddressPrefix, by gateway: IPAddress?) {
        (self.destination, self.gateway) = (destination, gateway)
    }
}

/// How often something may happen: a token bucket (RFC 1812 section 4.3.2.8).
public struct RateLimit: Hashable, Sendable {
    /// How many a second in the long run; 0 for none at all.
    public var perSecond: UInt32
    /// How many at once after a rest.
    public var burst: UInt32

    /// Joins the values.
    public init(perSecond: UInt32, burst: UInt32) { (self.perSecond, self.burst) = (perSecond, burst) }
}
