public import ApusWire

/// Why there can be no host with such a configuration.
public enum EndHostError: Error, Hashable, Sendable {
    /// The link-layer address is a group's, or zero.
    case unusableMAC(MACAddress)
    /// The MTU is out of range.
    case mtuOutOfRange(Int)
    /// IPv6 needs a link of at least 1280 octets.
    case mtuTooSmallForIPv6(Int, IPAddress)
    /// Nobody can have this address.
    case unusableAddress(AddressPrefix)
    /// A prefix has more bits than its address.
    case prefixTooLong(AddressPrefix)
    /// An address is given twice.
    case repeatedAddress(IPAddress)
    /// A router is in no network of the interface.
    case gatewayNotOnLink(IPAddress)
    /// A router would be the host itself.
    case gatewayIsOwnAddress(IPAddress)
    /// A router can't have this address.
    case unusableGateway(IPAddress)
    /// A network is reached by a router of the other IP version.
    case gatewayOfOtherFamily(AddressPrefix, IPAddress)
    /// A network has bits behind its prefix.
    case routeIsNoNetwork(AddressPrefix)
    /// A network is given twice.
    case repeatedRoute(AddressPrefix)
    /// There is no address to send from.
    case noSourceAddress(AddressPrefix)
    /// The limit is out of range.
    case neighborLimitOutOfRange(Int)
}

extension EndHostError: CustomStringConvertible {
    /// What is wrong, and what to give instead.
    public var description: String {
        switch self {
        case .unusableMAC(let mac):
            "\(mac) is no link-layer address of an interface; give one whose first octet is even, and not zero"
        case .mtuOutOfRange(let mtu): "an MTU of \(mtu) can't be; give 68 to 65535 octets"
        case .mtuTooSmallForIPv6(let mtu, let address):
            "an MTU of \(mtu) is too small for \(address): IPv6 needs 1280 octets; raise it, or leave the address out"
        case .unusableAddress(let prefix):
            "\(prefix) is no address of a host; give one that is neither a network's, a group's nor a loopback address"
        case .prefixTooLong(let prefix):
            "\(prefix) has a prefix that is too long: one of \(prefix.address) has 0 to \(prefix.address.bitCount) bits"
        case .repeatedAddress(let address): "the address \(address) is given twice; leave one out"
        case .gatewayNotOnLink(let gateway):
            "the gateway \(gateway) is in no network of the interface's addresses; give one that is, or add an address "
                + "of its network"
        case .gatewayIsOwnAddress(let gateway):
            "the gateway \(gateway) is the interface's own address; give that of a router"
        case .unusableGateway(let gateway):
            "the gateway \(gateway) is no address of a host; give one that is neither a network's, a group's nor a "
                + "loopback address"
        case .gatewayOfOtherFamily(let network, let gateway):
            "the route to \(network) can't go by \(gateway), which is of the other IP version; give a router of its own"
        case .routeIsNoNetwork(let prefix):
            "the route to \(prefix) has bits behind its prefix; did you mean \(prefix.network)?"
        case .repeatedRoute(let prefix): "the route to \(prefix) is given twice; leave one out"
        case .noSourceAddress(let prefix):
            "the route to \(prefix) needs an address of the interface of the same IP version; add one"
        case .neighborLimitOutOfRange(let limit): "a limit of \(limit) neighbors can't be; give 16 to 65536"
        }
    }
}
