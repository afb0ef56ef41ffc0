/// An Ethernet frame with a UDP datagram or a TCP segment, by seed, written from the RFCs.
public struct SeededFrame: Sendable {
    /// As it is on the wire, its checksum right.
    public let whole: [UInt8]
    /// As a sender leaves it to a device: in the checksum's place is the sum of the pseudo header.
    public let partial: [UInt8]

    /// - Parameters:
    ///   - tags: the protocol and control information of its VLAN tags, the outer one first.
    ///   - padding: octets behind the IP packet.
    public init(
        _ random: inout Seeded, tags: [(type: UInt16, control: UInt16)] = [],
        payload: ClosedRange<Int> = 0...1300, padding: Int = 0
    ) {
        func octets(_ count: Int) -> [UInt8] { (0..<count).map { _ in .random(in: 0...255, using: &random) } }
        let (isIPv6, isUDP) = (Bool.random(using: &random), Bool.random(using: &random))
        let body = octets(.random(in: payload, using: &random))
        let addresses = octets(isIPv6 ? 32 : 8)
        var transport = octets(4)
        if isUDP {
            transport += Self.octets(UInt16(8 + body.count)) + [0, 0]
        } else {
            transport += octets(8) + [0x50, 0x10] + octets(2) + [0, 0, 0, 0]
        }
        let place = isUDP ? 6 : 16
        let length = transport.count + body.count
        let kind: UInt8 = isUDP ? 17 : 6
        let pseudo = Self.sum(addresses + [0, kind] + Self.octets(UInt16(length)))
        let rest = ~Self.sum(Self.octets(pseudo) + transport + body)
        let checksum = isUDP && rest == 0 ? 0xffff : rest

        var front: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 9]
        for tag in tags { front += Self.octets(tag.type) + Self.octets(tag.control) }
        if isIPv6 {
            // RFC 8200, and sometimes a header of destination options, of one PadN.
            let hasOptions = Int.random(in: 0..<4, using: &random) == 0
            front += [0x86, 0xdd, 0x60, 0, 0, 0] + Self.octets(UInt16(length + (hasOptions ? 8 : 0)))
            front +=
                [hasOptions ? 60 : kind, 64] + addresses + (hasOptions ? [kind, 0, 1, 4, 0, 0, 0, 0] : [])
        } else {
            // RFC 791, with up to four words of options that do nothing.
            let options = [UInt8](repeating: 1, count: 4 * Int.random(in: 0...4, using: &random))
            let start =
                [UInt8(0x45 + options.count / 4), 0] + Self.octets(UInt16(20 + options.count + length))
            let header = start + [0, 0, 0x40, 0, 64, kind, 0, 0] + addresses + options
            let sum = Self.octets(~Self.sum(header))
            front += [8, 0] + header[..<10] + sum + header[12...]
        }
        func frame(_ checksum: UInt16) -> [UInt8] {
            var filled = transport
            filled.replaceSubrange(place..<place + 2, with: Self.octets(checksum))
            return front + filled + body
        }
        let trailer = octets(padding)
        (whole, partial) = (frame(checksum) + trailer, frame(pseudo) + trailer)
    }

    private static func octets(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

    /// RFC 1071, not complemented.
    private static func sum(_ octets: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for position in octets.indices { sum += UInt32(octets[position]) << (position % 2 == 0 ? 8 : 0) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return UInt16(sum)
    }
}

/// A frame with its outermost tag taken off, where that is one of 802.1Q and a type stands behind it: what a port that strips
/// tags makes of it.
public func stripped(_ frame: [UInt8]) -> (octets: [UInt8], tag: UInt16?) {
    guard frame.count >= 18, frame[12] == 0x81, frame[13] == 0 else { return (frame, nil) }
    return (Array(frame[..<12] + frame[16...]), UInt16(frame[14]) << 8 | UInt16(frame[15]))
}

/// Frames of all kinds of tags, by seed: none, one, two, of 802.1Q and 802.1ad, priority tags, and cut short anywhere.
public func taggedFrames(_ count: Int, _ random: inout Seeded, shortest: Int = 14) -> [[UInt8]] {
    let kinds: [[UInt16]] = [[], [0x8100], [0x88a8], [0x8100, 0x8100], [0x88a8, 0x8100], [0x8100, 0x88a8]]
    return (0..<count).map { number in
        let tags = kinds[number % kinds.count].map { type in
            // Of the lowest 12 bits all 0: a priority tag.
            (
                type: type,
                control: UInt16.random(in: 0 ... .max, using: &random) & (number % 5 == 0 ? 0xe000 : .max)
            )
        }
        let frame = SeededFrame(&random, tags: tags, payload: 60...1300).whole
        let isShort = number % 7 == 0
        return isShort ? Array(frame[..<Int.random(in: shortest...max(shortest, 40), using: &random)]) : frame
    }
}
