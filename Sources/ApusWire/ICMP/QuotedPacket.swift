/// What an ICMP error tells of the packet that it is about (RFC 792, RFC 4443 section 3): its headers, of which routers give
/// the first octets only.
public struct QuotedPacket: Hashable, Sendable, BitwiseCopyable {
    /// Who sent the packet.
    public let source: IPAddress
    /// Where it was to go.
    public let destination: IPAddress
    /// What it carries.
    public let protocolNumber: IPProtocol
    /// The octets it had, IP header included.
    public let totalLength: Int
    /// Source and destination port of a UDP or TCP header that is quoted; nil for another protocol, for a fragment that is
    /// not the first, and when too little is quoted.
    public var ports: (source: UInt16, destination: UInt16)? {
        guard hasPorts else { return nil }
        return (sourcePort, destinationPort)
    }

    private let hasPorts: Bool
    private let sourcePort: UInt16
    private let destinationPort: UInt16

    /// Reads an IPv4 packet that may be cut short behind its header, as in ``ICMPv4View/body``.
    ///
    /// - Throws: `truncatedIP`, `badIPVersion`, `badIPHeaderLength`, `badIPTotalLength`.
    public init(checkingIPv4 bytes: RawSpan) throws(ParseFailure) {
        // Whatever the packet's length was, the rest of it may be missing.
        let packet = try IPv4View(firstSegment: bytes, of: .max)
        self.init(
            source: .v4(packet.source), destination: .v4(packet.destination), packet.protocolNumber,
            totalLength: unsafe Int(bytes.big16(2)), transport: packet.payload,
            isFirst: packet.fragmentOffset == 0)
    }

    /// Reads an IPv6 packet that may be cut short behind its first header, as in ``ICMPv6View/body``.
    ///
    /// - Throws: `truncatedIP`, `badIPVersion`, `jumbogram`, and what ``IPv6View/upperLayer()`` does.
    public init(checkingIPv6 bytes: RawSpan) throws(ParseFailure) {
        let packet = try IPv6View(firstSegment: bytes, of: .max)
        let upper = try packet.upperLayer()
        self.init(
            source: .v6(packet.source), destination: .v6(packet.destination), upper.protocolNumber,
            totalLength: unsafe Int(bytes.big16(4)) &+ 40,
            transport: unsafe packet.bytes.slice(upper.offset, packet.bytes.byteCount),
            isFirst: upper.fragmentOffset == 0)
    }

    private init(
        source: IPAddress, destination: IPAddress, _ protocolNumber: IPProtocol, totalLength: Int,
        transport: RawSpan, isFirst: Bool
    ) {
        (self.source, self.destination) = (source, destination)
        (self.protocolNumber, self.totalLength) = (protocolNumber, totalLength)
        hasPorts =
            isFirst && (protocolNumber == .udp || protocolNumber == .tcp) && transport.byteCount >= 4
        // Four octets are there if it has ports.
        sourcePort = hasPorts ? unsafe transport.big16(0) : 0
        destinationPort = hasPorts ? unsafe transport.big16(2) : 0
    }
}
