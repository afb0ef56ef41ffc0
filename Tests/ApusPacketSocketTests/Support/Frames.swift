import Testing

/// UDP datagrams in Ethernet frames, written octet by octet from the RFCs.
struct Datagram {
    var to: [UInt8] = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff]
    /// EtherType and control information of each VLAN tag, the outer one first.
    var tags: [(type: UInt16, control: UInt16)] = []
    var isIPv6 = false
    var sourcePort: UInt16 = 4000
    var port: UInt16 = 5004
    var payload: [UInt8] = Array("apus".utf8)
    /// Flags and fragment offset of IPv4.
    var fragment: UInt16 = 0
    /// IPv4 options, a multiple of four octets.
    var options: [UInt8] = []
    /// The IPv6 extension header in front of UDP, if any: 8 octets of this type.
    var extensionHeader: UInt8?
    var proto: UInt8 = 17

    var frame: [UInt8] {
        let udp = octets(sourcePort) + octets(port) + octets(UInt16(8 + payload.count)) + [0, 0] + payload
        var frame = to + [2, 0, 0, 0, 0, 9]
        for tag in tags { frame += octets(tag.type) + octets(tag.control) }
        if isIPv6 {
            let chain: [UInt8] = extensionHeader == nil ? [] : [proto, 0, 1, 4, 0, 0, 0, 0]
            frame += [0x86, 0xdd, 0x60, 0, 0, 0] + octets(UInt16(chain.count + udp.count))
            frame += [extensionHeader ?? proto, 64]
            frame += [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
            frame += [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [2]
            return frame + chain + udp
        }
        frame += [0x08, 0x00, 0x45 + UInt8(options.count / 4), 0]
        frame += octets(UInt16(20 + options.count + udp.count)) + [0, 1] + octets(fragment)
        frame += [64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2] + options
        return frame + udp
    }
}

/// A frame of a type that nobody answers, of so many octets, most of which are that number.
func frame(_ length: Int, _ number: UInt8 = 0) -> [UInt8] {
    [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 9, 0x88, 0xb5]
        + [UInt8](repeating: number, count: length - 14)
}

/// Compares frames without printing them all.
func expectSame(_ received: [[UInt8]], _ expected: [[UInt8]], _ location: SourceLocation = #_sourceLocation) {
    #expect(received.count == expected.count, sourceLocation: location)
    for (position, (one, other)) in zip(received, expected).enumerated() where one != other {
        Issue.record(
            "frame \(position) is not the one expected:\n\(hex(one))\n\(hex(other))", sourceLocation: location
        )
        return
    }
}

func octets(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }
