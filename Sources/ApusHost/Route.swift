public import ApusWire
import CLinux
import CMNL
import Glibc

/// Where the kernel would send a datagram: the answer to `ip route get`.
public struct Route: Hashable, Sendable {
    /// What becomes of the datagram.
    public enum Kind: String, Hashable, Sendable {
        /// It goes to a gateway or to the destination itself.
        case unicast
        /// The destination is an address of this host, or an anycast address of it.
        case local
        /// It goes to all on a link.
        case broadcast
        /// It goes to a group.
        case multicast
    }

    /// A question: which way to a destination.
    public struct Query: Hashable, Sendable {
        /// Where to.
        public var destination: IPAddress
        /// The source address the datagram will have, where that is fixed already; rules may look at it.
        public var source: IPAddress?
        /// The interface it must leave by; link-local and multicast destinations need one.
        public var interface: Int32?
        /// The UDP destination port, as some rules look at it, and the choice among several next hops may.
        public var port: UInt16?
        /// The UDP port the datagram is sent from, for the same reason.
        public var sourcePort: UInt16?

        /// Asks for the way to an address, and by what the rules of the host may choose it.
        public init(
            to destination: IPAddress, from source: IPAddress? = nil, by interface: Int32? = nil,
            port: UInt16? = nil, sourcePort: UInt16? = nil
        ) {
            (self.destination, self.source, self.interface) = (destination, source, interface)
            (self.port, self.sourcePort) = (port, sourcePort)
        }
    }

    /// What becomes of the datagram.
    public let kind: Kind
    /// The index of the interface it leaves by.
    public let interface: Int32
    /// The gateway it goes to first, on that interface; nil where the destination is on the link. An IPv4
    /// destination may have an IPv6 gateway (RFC 5549).
    public let gateway: IPAddress?
    /// The source address the kernel would give it.
    public let source: IPAddress?
    /// The largest IP packet to there, in bytes, where the route or path MTU discovery sets one.
    public let mtu: Int?
    /// Whether the kernel would put another header on it first (`encap` of ip-route(8)): MPLS, a tunnel, SRv6.
    public let isEncapsulated: Bool
}

extension Route.Query {
    /// RTM_GETROUTE: struct rtmsg, then RTA_ attributes (linux/rtnetlink.h).
    var request: NetlinkRequest {
        var header = [UInt8](repeating: 0, count: 12)
        header[0] = UInt8(destination.family)
        header[1] = UInt8(destination.octets.count * 8)
        if let source { header[2] = UInt8(source.octets.count * 8) }
        var request = NetlinkRequest(type: Int(RTM_GETROUTE), header: header)
        request.put(Int(RTA_DST.rawValue), destination.octets)
        if let source { request.put(Int(RTA_SRC.rawValue), source.octets) }
        if let interface {
            request.put(Int(RTA_OIF.rawValue), NetlinkRequest.native(UInt32(bitPattern: interface)))
        }
        if port != nil || sourcePort != nil {
            request.put(Int(RTA_IP_PROTO.rawValue), [UInt8(APUS_IPPROTO_UDP)])
        }
        if let port { request.put(Int(RTA_DPORT.rawValue), NetlinkRequest.native(port.bigEndian)) }
        if let sourcePort {
            request.put(Int(RTA_SPORT.rawValue), NetlinkRequest.native(sourcePort.bigEndian))
        }
        return request
    }
}

extension Route {
    /// Reads RTM_NEWROUTE as the answer to `Query`; nil for kinds that carry no traffic.
    init?(_ message: NetlinkMessage, query: Query) {
        let payload = message.payload
        guard message.type == Int(RTM_NEWROUTE), let type: UInt8 = payload.load(at: 7) else { return nil }
        let attributes = payload.from(12).attributes
        func value(_ attribute: rtattr_type_t) -> NetlinkBytes? { attributes[Int(attribute.rawValue)] }
        guard let index: UInt32 = value(RTA_OIF)?.load() else { return nil }
        switch Int(type) {
        case Int(RTN_UNICAST): kind = .unicast
        case Int(RTN_LOCAL), Int(RTN_ANYCAST): kind = .local
        case Int(RTN_BROADCAST): kind = .broadcast
        case Int(RTN_MULTICAST): kind = .multicast
        default: return nil
        }
        interface = Int32(bitPattern: index)
        // RTA_VIA is a family of 16 bits and an address, used where the families differ.
        gateway = value(RTA_GATEWAY)?.ipAddress ?? value(RTA_VIA)?.from(2).ipAddress
        source = value(RTA_PREFSRC)?.ipAddress ?? query.source
        let metrics = value(RTA_METRICS)?.attributes
        mtu = metrics?[Int(RTAX_MTU)]?.load(as: UInt32.self).map(Int.init)
        isEncapsulated = value(RTA_ENCAP_TYPE) != nil || value(RTA_ENCAP) != nil
    }
}

extension IPAddress {
    /// AF_INET or AF_INET6.
    var family: CInt {
        switch self {
        case .v4: AF_INET
        case .v6: AF_INET6
        }
    }

    /// The octets as they are on the wire.
    var octets: [UInt8] {
        switch self {
        case .v4(let address):
            (0..<4).map { UInt8(truncatingIfNeeded: address.bits >> (24 - 8 * UInt32($0))) }
        case .v6(let address):
            [address.high, address.low].flatMap { half in
                (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64($0))) }
            }
        }
    }
}
