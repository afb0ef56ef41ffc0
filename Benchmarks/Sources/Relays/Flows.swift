import Apus

/// The flows that are relayed, and their packets.
struct Flows {
    static let count = 20
    /// Addresses and ports of the four interfaces: camera — relay — screen.
    static let camera = IPv4Address("10.77.1.1")!
    static let relayIn = IPv4Address("10.77.1.2")!
    static let relayOut = IPv4Address("10.77.2.2")!
    static let screen = IPv4Address("10.77.2.1")!
    static let cameraMAC = "02:00:00:00:01:01"
    static let relayInMAC = "02:00:00:00:01:02"
    static let relayOutMAC = "02:00:00:00:02:02"
    static let screenMAC = "02:00:00:00:02:01"

    static func cameraPort(_ flow: Int) -> UInt16 { 6000 + 2 * UInt16(flow) }
    static func screenPort(_ flow: Int) -> UInt16 { 7000 + 2 * UInt16(flow) }

    /// Octets of an RTP packet.
    let payload: Int
    /// Octets of a frame: Ethernet, IPv4 and UDP in front.
    var frameSize: Int { payload + 42 }
    /// One frame for each flow, one behind the other; the sender writes numbers and times into copies.
    private(set) var frames: [UInt8] = []
    /// How many packets were sent so far: sequence numbers go on from there.
    var sent = 0

    /// Packets to the relay, or straight to the screen.
    init(payload: Int, to address: IPv4Address, nextHop: String, ports: [UInt16]) throws {
        self.payload = payload
        for flow in 0..<Self.count {
            let headers = UDPEncapsulation(
                nextHop: MACAddress(nextHop)!, interface: MACAddress(Self.cameraMAC)!,
                source: Self.camera, sourcePort: Self.cameraPort(flow), destination: address,
                destinationPort: ports[flow])
            frames += try Self.frame(Self.packet(flow, of: payload), behind: headers)
        }
    }

    /// RTP of version 2 and payload type 0, in the form that `traffic_send` asks for.
    private static func packet(_ flow: Int, of count: Int) -> [UInt8] {
        var packet = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        for octet in 0..<8 { packet[octet] = octet == 0 ? 0x80 : 0 }
        packet.replaceSubrange(8..<12, with: [0x41, 0x70, 0x75, UInt8(flow)])
        for octet in 0..<8 { packet[16 + octet] = ~packet[octet] }
        for octet in 24..<32 { packet[octet + 8] = ~packet[octet] }
        return packet
    }

    /// Whether an RTP packet is the one that was sent as number `number` of all, in that flow.
    func isPacket(_ packet: [UInt8], of flow: Int, number: Int) -> Bool {
        let sequence = number / Self.count
        var sent = Array(frames[flow * frameSize + 42..<(flow + 1) * frameSize])
        let head: UInt64 =
            2 << 62 | UInt64(sequence & 0xffff) << 32 | UInt64(truncatingIfNeeded: sequence &* 160)
            & 0xffff_ffff
        for octet in 0..<8 {
            sent[octet] = UInt8(truncatingIfNeeded: head >> UInt64(56 - octet * 8))
            sent[16 + octet] = ~sent[octet]
        }
        guard packet.count == sent.count else { return false }
        // The clock, which only the sender knows, and itself upside down.
        for octet in 24..<32 {
            guard packet[octet] == ~packet[octet + 8] else { return false }
            (sent[octet], sent[octet + 8]) = (packet[octet], packet[octet + 8])
        }
        return packet == sent
    }

    private static func frame(_ packet: [UInt8], behind headers: UDPEncapsulation) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: headers.byteCount) + packet
        let checksum = headers.checksum(of: unsafe packet.span.bytes)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        try headers.encode(into: &raw, payloadLength: packet.count, udpChecksum: checksum)
        return bytes
    }
}
