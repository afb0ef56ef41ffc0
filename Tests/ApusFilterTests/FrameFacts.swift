import ApusWire

/// What a frame is, read from the RFCs octet by octet, without the code under test.
struct FrameFacts {
    enum Kind { case ip, neighbor, arp, notIP, malformed }

    var kind = Kind.malformed
    var source: IPAddress?
    var destination: IPAddress?
    var ipProtocol: UInt8 = 0
    var ports: (source: UInt16, destination: UInt16)?
    var isFragment = false
    /// A later fragment of IPv6: what its header says of the protocol nobody looks at.
    var mayBeAnyProtocol = false

    init(_ frame: [UInt8]) {
        guard frame.count >= 14 else { return }
        var at = 12
        func word(_ place: Int) -> Int { Int(frame[place]) << 8 | Int(frame[place + 1]) }
        var type = word(at)
        at += 2
        for _ in 0..<2 where type == 0x8100 || type == 0x88a8 {
            guard frame.count >= at + 4 else { return }
            type = word(at + 2)
            at += 4
        }
        switch type {
        case 0x0800: readIPv4(Array(frame[at...]))
        case 0x86dd: readIPv6(Array(frame[at...]))
        case 0x0806: readARP(Array(frame[at...]))
        case 0x8100, 0x88a8: kind = .malformed
        default: kind = .notIP
        }
    }

    private mutating func readARP(_ packet: [UInt8]) {
        kind = .arp
        guard packet.count >= 28, packet[2] == 8, packet[3] == 0, packet[4] == 6, packet[5] == 4 else {
            return
        }
        func address(_ place: Int) -> IPAddress {
            .v4(IPv4Address(bits: packet[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }))
        }
        (source, destination) = (address(14), address(24))
    }

    private mutating func readIPv4(_ packet: [UInt8]) {
        guard packet.count >= 20, packet[0] >> 4 == 4 else { return }
        let length = Int(packet[0] & 15) * 4
        let total = Int(packet[2]) << 8 | Int(packet[3])
        // Frames of more than 64 KiB, which have a length of 0, are not among those of the tests.
        guard length >= 20, total >= length, total <= packet.count else { return }
        source = .v4(IPv4Address(bits: packet[12..<16].reduce(0) { $0 << 8 | UInt32($1) }))
        destination = .v4(IPv4Address(bits: packet[16..<20].reduce(0) { $0 << 8 | UInt32($1) }))
        ipProtocol = packet[9]
        let fragment = Int(packet[6]) << 8 | Int(packet[7])
        isFragment = fragment & 0x3fff != 0
        if fragment & 0x1fff != 0 {
            kind = .ip
        } else {
            readUpper(Array(packet[length..<total]))
        }
    }

    private mutating func readIPv6(_ packet: [UInt8]) {
        guard packet.count >= 40, packet[0] >> 4 == 6 else { return }
        let whole = packet
        let total = 40 + (Int(packet[4]) << 8 | Int(packet[5]))
        guard total <= packet.count else { return }
        let packet = Array(whole.prefix(total))
        func address(_ start: Int) -> IPv6Address {
            IPv6Address(
                high: packet[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) },
                low: packet[start + 8..<start + 16].reduce(0) { $0 << 8 | UInt64($1) })
        }
        guard !address(8).isIPv4Mapped else { return }
        (source, destination) = (.v6(address(8)), .v6(address(24)))
        var (next, at, headers) = (packet[6], 40, 0)
        var isInFragmentHeader = false
        while [0, 43, 44, 60].contains(next) {
            guard headers < 8, packet.count >= at + 8 else { return }
            headers += 1
            let here = next
            next = packet[at]
            if here == 44 {
                let offset = Int(packet[at + 2]) << 8 | Int(packet[at + 3])
                at += 8
                isInFragmentHeader = true
                isFragment = isFragment || offset & 0xfff9 != 0
                if offset & 0xfff8 != 0 {
                    (ipProtocol, kind, mayBeAnyProtocol) = (next, .ip, true)
                    return
                }
            } else {
                at += (Int(packet[at + 1]) + 1) * 8
                guard packet.count >= at else { return }
            }
        }
        ipProtocol = next
        if next == 58, !isInFragmentHeader {
            guard packet.count >= at + 4 else { return }
            let (type, code, hops, length) = (packet[at], packet[at + 1], packet[7], packet.count - at)
            let isLinkLocal = packet[8] == 0xfe && packet[9] & 0xc0 == 0x80
            // RFC 4861 sections 4.1 to 4.5, RFC 2710 section 3, RFC 3810 section 5.2: their shortest.
            let discovery: [UInt8: Int] = [133: 8, 134: 16, 135: 24, 136: 24, 137: 40]
            let listeners: [UInt8: Int] = [130: 24, 131: 24, 132: 24, 143: 8]
            if code == 0, hops == 255, let least = discovery[type], length >= least { kind = .neighbor }
            if code == 0, hops == 1, isLinkLocal, let least = listeners[type], length >= least {
                kind = .neighbor
            }
            if kind == .neighbor { return }
        }
        readUpper(Array(packet[at...]))
    }

    private mutating func readUpper(_ segment: [UInt8]) {
        switch ipProtocol {
        case 6: guard segment.count >= 20, segment[12] >> 4 >= 5 else { return }
        case 17: guard segment.count >= 8 else { return }
        default:
            kind = .ip
            return
        }
        kind = .ip
        ports = (
            UInt16(segment[0]) << 8 | UInt16(segment[1]), UInt16(segment[2]) << 8 | UInt16(segment[3])
        )
    }
}
