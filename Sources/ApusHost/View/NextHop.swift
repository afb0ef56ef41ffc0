public import ApusWire

/// All that a relay must write in front of a datagram to a destination, and where to send it.
public struct NextHop: Hashable, Sendable {
    /// The index of the interface that frames are sent on: beneath the VLAN interfaces, if there are any.
    public let interface: Int32
    /// Its name when this was resolved.
    public let interfaceName: String
    /// The tags to add, the outermost (first on the wire) first; at most two.
    public let vlans: [Link.VLAN]
    /// The source of the frames.
    public let sourceMAC: MACAddress
    /// The destination of the frames; nil as long as the neighbor is not resolved.
    public let destinationMAC: MACAddress?
    /// The source address that the kernel would choose.
    public let source: IPAddress
    /// The largest IP packet to this destination, in bytes.
    public let mtu: Int
    /// The gateway, or the destination itself where it is on the link, on the interface that the route
    /// names (the VLAN interface, if there is one); nil for groups, which need none.
    public let neighbor: Neighbor.Key?
    /// The age of what `destinationMAC` is taken from, as the kernel names it; nil without a neighbor.
    public let neighborState: Neighbor.State?
}

/// What is known about the way to a destination.
public enum Resolution: Hashable, Sendable {
    /// Packets can go.
    case resolved(NextHop)
    /// The neighbor's Ethernet address is not known yet: call `HostView.probe` and wait for a change of
    /// this neighbor. Its state is `failed` when it has not answered before.
    case unresolved(NextHop)
    /// Packets can't go; a later change of routes or links may mend it.
    case unreachable(UnreachableReason)

    /// The next hop, if packets can go.
    public var nextHop: NextHop? {
        if case .resolved(let hop) = self { hop } else { nil }
    }
}

/// Why a destination can't be reached.
public enum UnreachableReason: Hashable, Sendable {
    /// It is an address of this host.
    case ourselves(IPAddress)
    /// It means all hosts of a network.
    case broadcast(IPAddress)
    /// There is no route.
    case noRoute(IPAddress)
    /// A route of type prohibit, unreachable or blackhole covers it.
    case refusedByRoute(IPAddress)
    /// The route puts a header of its own on each packet, which Apus does not write.
    case encapsulated(IPAddress)
    /// The interface is down or has no carrier.
    case interfaceDown(String)
    /// The interface carries no Ethernet frames (a tunnel without them, for instance).
    case noEthernet(String)
    /// More than two VLAN interfaces lie on each other.
    case tooManyVLANTags(String)
    /// The interface has no address of the destination's family to send from.
    case noSourceAddress(String)
    /// The source address that was asked for is no address of this host.
    case sourceNotOnHost(IPAddress)
    /// The interface is gone, or what lies beneath it is in another namespace.
    case interfaceGone(Int32)
    /// It is a link-local or multicast address, and the interface was not given.
    case needsInterface(IPAddress)
}

extension UnreachableReason: CustomStringConvertible {
    /// The thing, the cause and the way out.
    public var description: String {
        switch self {
        case .ourselves(let address):
            "\(address) is an address of this host itself; packets to it would come back: name another host"
        case .broadcast(let address):
            "\(address) is a broadcast address, to which nothing is sent; name one host, or a multicast group"
        case .noRoute(let address): "there is no route to \(address); add one with `ip route add`"
        case .refusedByRoute(let address):
            "a route on this host refuses packets to \(address); `ip route get \(address)` shows which"
        case .encapsulated(let address):
            "the route to \(address) puts another header on each packet (encap), which Apus does not; give it a route without"
        case .interfaceDown(let name):
            "the interface \(name) is down or has no carrier; `ip link set \(name) up`, or look at the cable"
        case .noEthernet(let name):
            "the interface \(name) carries no Ethernet frames, so Apus can't send on it"
        case .tooManyVLANTags(let name): "the interface \(name) adds more than two VLAN tags"
        case .noSourceAddress(let name):
            "the interface \(name) has no address to send from; add one with `ip address add`"
        case .sourceNotOnHost(let address):
            "no interface has the address \(address) to send from; add it with `ip address add`"
        case .interfaceGone(let index):
            "the interface with index \(index) is gone, or the one beneath it is in another namespace"
        case .needsInterface(let address): "\(address) is meaningful on one link only: name the interface"
        }
    }
}
