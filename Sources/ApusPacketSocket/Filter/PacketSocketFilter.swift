/// What of the interface's received traffic reaches the port. The rest is left out in the kernel, by
/// a classic BPF program, and costs neither a copy nor room in the ring.
///
/// A tap only ever gets a copy: what is left out goes its way as if no port were open, and what is
/// let through does so too.
public enum PacketSocketFilter: Sendable, Equatable {
    /// Every packet.
    case everything
    /// UDP to these ports, over IPv4 and IPv6, with up to two VLAN tags.
    ///
    /// The first fragment of a fragmented datagram counts as the datagram; later fragments name no
    /// port and don't pass. IPv6 packets whose UDP header lies behind an extension header pass
    /// whatever their port, and so do those with more than one extension header, whatever they carry. Where
    /// the program would be larger than the kernel takes, all UDP passes instead, and the grant says so.
    case udpPorts([UInt16])
    /// All UDP over IPv4 and IPv6, later fragments too, and IPv6 packets with more than one extension header.
    case allUDP
    /// No packet: for a port that only sends.
    case nothing
}

extension PacketSocketFilter {
    /// Whether it is UDP that is asked for.
    var isOfUDP: Bool { self != .everything }
}

extension PacketSocketFilter: CustomStringConvertible {
    /// Such as `UDP to 3 ports`.
    public var description: String {
        switch self {
        case .everything: "everything"
        case .udpPorts(let ports): "UDP to \(Set(ports).count) port\(Set(ports).count == 1 ? "" : "s")"
        case .allUDP: "all UDP"
        case .nothing: "nothing"
        }
    }
}
