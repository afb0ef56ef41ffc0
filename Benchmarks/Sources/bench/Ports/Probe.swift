import Apus

/// The frames of the suite: UDP over IPv4 from `peer` to `near`.
enum Probe {
    /// The link-layer address of the ports that are measured.
    static let near = MACAddress("02:00:00:00:01:02")!
    /// That of the interface at the far end, to which no frame of the suite is sent.
    static let far = MACAddress("02:00:00:00:02:02")!
    /// Whom the answers are for.
    static let peer = MACAddress("02:00:00:00:01:01")!
    /// Its address.
    static let peerAddress = IPAddress.v4(IPv4Address("192.0.2.1")!)
    /// Where the datagrams are sent to.
    static let listen = Endpoint(.v4(IPv4Address("192.0.2.2")!), port: 5004)

    /// What comes in.
    static func arriving(_ size: Int) -> [UInt8] {
        frame(
            size,
            UDPEncapsulation(
                nextHop: near, interface: peer, source: IPv4Address("192.0.2.1")!, sourcePort: 40_000,
                destination: IPv4Address("192.0.2.2")!, destinationPort: listen.port))
    }

    /// What is sent by who only sends.
    static func leaving(_ size: Int) -> [UInt8] {
        frame(
            size,
            UDPEncapsulation(
                nextHop: peer, interface: near, source: IPv4Address("192.0.2.2")!, sourcePort: 5004,
                destination: IPv4Address("192.0.2.1")!, destinationPort: 40_000))
    }

    private static func frame(_ size: Int, _ headers: UDPEncapsulation) -> [UInt8] {
        let payload = (0..<size - headers.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var bytes = [UInt8](repeating: 0, count: headers.byteCount) + payload
        let checksum = headers.checksum(of: unsafe payload.span.bytes)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        do {
            try headers.encode(into: &raw, payloadLength: payload.count, udpChecksum: checksum)
        } catch {
            fatalError("the headers fit: \(error)")
        }
        return bytes
    }
}
