import Apus

/// Frames to measure with.
enum Datagram {
    static let headers = UDPEncapsulation(
        nextHop: MACAddress("02:00:00:00:01:02")!, interface: MACAddress("02:00:00:00:01:01")!,
        source: IPv4Address("192.0.2.1")!, sourcePort: 40_000, destination: IPv4Address("192.0.2.2")!,
        destinationPort: 5004)

    /// An Ethernet frame with an RTP packet of that many octets behind these headers, its UDP checksum right.
    ///
    /// Sequence number and timestamp may be changed (``write(sequence:into:at:)``): octets 16 to 23 of the packet are its
    /// first eight upside down, so they add nothing to the checksum as long as they are changed together. Octets 24 to 27
    /// are 0.
    static func bytes(
        payload count: Int, behind headers: UDPEncapsulation = headers, ssrc: UInt32 = 0x4170_7573
    ) -> [UInt8] {
        var payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let head: UInt64 = 2 << 62
        for octet in 0..<8 {
            payload[octet] = UInt8(truncatingIfNeeded: head >> UInt64(56 - octet * 8))
            payload[16 + octet] = ~payload[octet]
        }
        for octet in 24..<28 { payload[octet] = 0 }
        for octet in 0..<4 { payload[8 + octet] = UInt8(truncatingIfNeeded: ssrc >> UInt32(24 - octet * 8)) }
        var bytes = [UInt8](repeating: 0, count: headers.byteCount) + payload
        let checksum = headers.checksum(of: unsafe payload.span.bytes)
        var span = bytes.mutableSpan
        var raw = unsafe span.mutableBytes
        do {
            try headers.encode(into: &raw, payloadLength: count, udpChecksum: checksum)
        } catch {
            fatalError("the headers fit: \(error)")
        }
        return bytes
    }

    /// Writes a sequence number, and the timestamp that goes with it, into such a frame without VLAN tags, which begins at
    /// `start`; its checksum stays right.
    static func write(sequence: UInt16, into frames: inout MutableRawSpan, at start: Int = 0) {
        let head = 2 << 62 | UInt64(sequence) << 32 | UInt64(UInt32(sequence) * 160)
        frames.storeBytes(of: head.bigEndian, toByteOffset: start + 42, as: UInt64.self)
        frames.storeBytes(of: ~head.bigEndian, toByteOffset: start + 42 + 16, as: UInt64.self)
    }
}
