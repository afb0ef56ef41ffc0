import ApusWire

/// Frames put together octet by octet, without the module's own encoders.
enum Handmade {
    static let ethernet = hex("020000000002 020000000001")

    /// An IPv4 packet, its header checksum computed.
    static func ipv4(
        _ payload: [UInt8], options: [UInt8] = [], protocolNumber: UInt8 = 17, fragment: UInt16 = 0x4000,
        totalLength: Int? = nil, source: [UInt8] = [192, 0, 2, 1], destination: [UInt8] = [198, 51, 100, 7]
    ) -> [UInt8] {
        let headerLength = 20 + options.count
        var header: [UInt8] = [0x40 | UInt8(headerLength / 4), 0xb9]
        header += big(UInt16(totalLength ?? headerLength + payload.count)) + [0x12, 0x34] + big(fragment)
        header += [63, protocolNumber, 0, 0] + source + destination + options
        header.replaceSubrange(10..<12, with: big(referenceChecksum(header)))
        return header + payload
    }

    /// An IPv6 packet whose payload is `payload`, extension headers included.
    static func ipv6(_ payload: [UInt8], next: UInt8 = 17, payloadLength: Int? = nil) -> [UInt8] {
        hex("6b912345") + big(UInt16(payloadLength ?? payload.count)) + [next, 62]
            + hex("20010db8000000000000000000000001 20010db8000000000000000000000002") + payload
    }

    /// A UDP datagram from port 5004 to 5006.
    static func udp(_ payload: [UInt8], length: Int? = nil, checksum: UInt16 = 0xabcd) -> [UInt8] {
        big(5004) + big(5006) + big(UInt16(length ?? payload.count + 8)) + big(checksum) + payload
    }

    static func frame(ipv4 packet: [UInt8], tags: [UInt8] = []) -> [UInt8] {
        ethernet + tags + [8, 0] + packet
    }
    static func frame(ipv6 packet: [UInt8], tags: [UInt8] = []) -> [UInt8] {
        ethernet + tags + [0x86, 0xdd] + packet
    }

    /// An RTP packet with two contributing sources, a one-byte header extension and padding.
    static let rtp = hex(
        """
        b2e1 1234 00010203 a1a2a3a4 c1c1c1c1 c2c2c2c2
        bede 0002 10aa 3301020304 00
        64617461 646174 00000000 05
        """)
}
