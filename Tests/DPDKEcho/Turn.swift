import Apus

/// What is done with a packet before it goes back.
struct Turn {
    /// Whether its thread sleeps while there are none.
    var waits = false
    /// Whether the checksum of a datagram is left to the port that sends it.
    var isPartial = false
    /// Whether a line is written for each.
    var describes = false

    /// UDP datagrams go back to where they came from, all others as they came.
    func callAsFunction(_ packet: inout Packet) {
        if describes { describe(packet) }
        guard let headers = packet.udp else { return }
        packet.swapEndpoints(headers)
        guard isPartial else { return }
        var bytes = packet.mutableBytes
        bytes.storeBytes(
            of: headers.pseudoHeader.folded.bigEndian, toByteOffset: Int(headers.transportOffset) + 6,
            as: UInt16.self)
        packet.flags.insert(.checksumPartial)
    }

    /// `got queue 0 vlan 5 hash 123 timed octets 0200...`, with `-` for what is not known.
    private func describe(_ packet: borrowing Packet) {
        let bytes = packet.bytes
        let octets = (0..<bytes.byteCount).map { offset in
            let octet = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            return String(octet >> 4, radix: 16) + String(octet & 15, radix: 16)
        }
        let (tag, hash) = (packet.vlan.map { "\($0)" } ?? "-", packet.flowHash.map { "\($0)" } ?? "-")
        let time = packet.timestamp > 0 ? "timed" : "-"
        DPDKEcho.say("got queue \(packet.queue) vlan \(tag) hash \(hash) \(time) octets \(octets.joined())")
    }
}
