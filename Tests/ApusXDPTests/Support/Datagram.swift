import ApusWire

/// Frames for the tests, written octet by octet from the RFCs.
struct Datagram {
    var destination = Endpoint("192.0.2.2:5004")!
    var source = Endpoint("192.0.2.1:4000")!
    var tags: [UInt16] = []
    var payload: [UInt8] = Array("apus".utf8)
    /// The flags and fragment offset field of IPv4.
    var fragment: UInt16 = 0
    /// Octets of IPv4 options, a multiple of four.
    var options: [UInt8] = []
    /// IPv6 extension headers: their type and whole content but for the next-header octet.
    var extensions: [(type: UInt8, body: [UInt8])] = []
    var proto: UInt8 = 17
    var destinationMAC = MACAddress.broadcast

    /// The whole Ethernet frame. Checksums are left 0: nothing on the way looks at them.
    var frame: [UInt8] {
        let udp: [UInt8] =
            bytes(source.port) + bytes(destination.port) + bytes(UInt16(8 + payload.count)) + [0, 0] + payload
        var packet: [UInt8] = []
        var type: UInt16 = 0x0800
        switch (source.address, destination.address) {
        case (.v4(let from), .v4(let to)):
            packet = [0x45 + UInt8(options.count / 4), 0]
            packet += bytes(UInt16(20 + options.count + udp.count)) + [0, 1] + bytes(fragment)
            packet += [64, proto, 0, 0] + bytes(from.bits) + bytes(to.bits) + options
            let sum = checksum(packet)
            packet[10] = UInt8(sum >> 8)
            packet[11] = UInt8(sum & 0xff)
        case (.v6(let from), .v6(let to)):
            type = 0x86dd
            var chain: [UInt8] = []
            for (index, one) in extensions.enumerated() {
                chain += [index + 1 < extensions.count ? extensions[index + 1].type : proto] + one.body
            }
            packet = [0x60, 0, 0, 0] + bytes(UInt16(chain.count + udp.count))
            packet += [extensions.first?.type ?? proto, 64]
            packet += bytes(from.high) + bytes(from.low) + bytes(to.high) + bytes(to.low) + chain
        default: fatalError("addresses of two families")
        }
        let macs = (0..<6).map { UInt8(truncatingIfNeeded: destinationMAC.bits >> UInt64(40 - 8 * $0)) }
        var frame = macs + [2, 0, 0, 0, 0, 9]
        for tag in tags { frame += [0x81, 0x00] + bytes(tag) }
        return frame + bytes(type) + packet + udp
    }
}

func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    stride(from: Number.bitWidth - 8, through: 0, by: -8).map {
        UInt8(truncatingIfNeeded: number >> Number($0))
    }
}

private func checksum(_ header: [UInt8]) -> UInt16 {
    var sum = stride(from: 0, to: header.count, by: 2).reduce(UInt32(0)) {
        $0 + UInt32(header[$1]) << 8 + UInt32(header[$1 + 1])
    }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}
