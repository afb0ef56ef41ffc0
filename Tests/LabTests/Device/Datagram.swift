/// An Ethernet frame with a UDP datagram over IPv4, written here from the RFCs: what Apus makes of one is held against
/// it.
struct Datagram {
    /// One end of it.
    struct End {
        var mac: [UInt8]
        var address: [UInt8]
        var port: UInt16
    }

    var from, to: End
    var payload: [UInt8]
    /// The hop limit.
    var hops: UInt8 = 64

    /// What comes back when it is turned round.
    var reply: Datagram { Datagram(from: to, to: from, payload: payload, hops: hops) }

    var frame: [UInt8] {
        let length = payload.count + 8
        let ports = Self.octets(from.port) + Self.octets(to.port)
        // RFC 768: the pseudo header, and 0xffff for 0.
        let pseudo = from.address + to.address + [0, 17] + Self.octets(UInt16(length))
        let sum = Self.checksum(pseudo + ports + Self.octets(UInt16(length)) + [0, 0] + payload)
        let udp = ports + Self.octets(UInt16(length)) + Self.octets(sum == 0 ? 0xffff : sum) + payload
        return Self.packet(from, to, 17, hops, udp)
    }

    /// A frame with an ICMP echo request (8) or reply (0) of RFC 792.
    static func echo(from: End, to: End, type: UInt8, count: Int = 56) -> [UInt8] {
        let rest: [UInt8] = [0x12, 0x34, 0, 1] + (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        return packet(from, to, 1, 64, [type, 0] + octets(checksum([type, 0, 0, 0] + rest)) + rest)
    }

    private static func packet(
        _ from: End, _ to: End, _ kind: UInt8, _ hops: UInt8, _ body: [UInt8]
    ) -> [UInt8] {
        // RFC 791: version and header length, length, identification, DF, protocol.
        let front: [UInt8] = [0x45, 0] + octets(UInt16(body.count + 20)) + [0, 0, 0x40, 0, hops, kind]
        let header = octets(checksum(front + [0, 0] + from.address + to.address))
        return to.mac + from.mac + [8, 0] + front + header + from.address + to.address + body
    }

    private static func octets(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    /// RFC 1071.
    private static func checksum(_ octets: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for position in octets.indices {
            sum += UInt32(octets[position]) << (position % 2 == 0 ? 8 : 0)
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}
