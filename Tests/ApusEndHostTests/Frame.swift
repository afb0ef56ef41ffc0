import ApusEndHost
import ApusWire
import Testing

/// An Ethernet frame, put together octet by octet from the RFCs, and taken apart by hand.
struct Frame: Hashable, CustomStringConvertible {
    var octets: [UInt8]

    init(_ octets: [UInt8]) { self.octets = octets }

    static let peer = MACAddress("02:00:00:00:00:01")!

    init(to: MACAddress, from: MACAddress = peer, tags: [UInt16] = [], type: UInt16, _ payload: [UInt8]) {
        octets = to.octets + from.octets + tags.flatMap { big(0x8100) + big($0) } + big(type) + payload
    }

    var description: String {
        octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    // MARK: ARP

    static func arp(
        _ operation: UInt16, _ senderMAC: MACAddress, _ sender: String, _ targetMAC: MACAddress,
        _ target: String,
        to: MACAddress = .broadcast, tags: [UInt16] = []
    ) -> Frame {
        Frame(
            to: to, from: senderMAC, tags: tags, type: 0x0806,
            big(1) + big(0x0800) + [6, 4] + big(operation) + senderMAC.octets + IPAddress(sender)!.octets
                + targetMAC.octets + IPAddress(target)!.octets)
    }

    static func arp(
        _ operation: UInt16, _ senderMAC: MACAddress, _ sender: String, _ target: String,
        to: MACAddress = .broadcast, tags: [UInt16] = []
    ) -> Frame { arp(operation, senderMAC, sender, .zero, target, to: to, tags: tags) }

    static func arp(
        _ operation: UInt16, _ sender: String, _ target: String, to: MACAddress = .broadcast,
        tags: [UInt16] = []
    )
        -> Frame
    { arp(operation, peer, sender, .zero, target, to: to, tags: tags) }

    static func arp(
        _ operation: UInt16, _ sender: String, _ targetMAC: MACAddress, _ target: String, to: MACAddress
    ) -> Frame { arp(operation, peer, sender, targetMAC, target, to: to) }

    // MARK: IP

    static func ipv4(
        _ proto: UInt8, _ payload: [UInt8], from source: String = "192.0.2.1",
        to destination: String = "192.0.2.2", mac: MACAddress = Rig.mac, sender: MACAddress = peer,
        tags: [UInt16] = [], fragment: UInt16 = 0, tos: UInt8 = 0
    ) -> Frame {
        let head: [UInt8] =
            [0x45, tos] + big(UInt16(20 + payload.count)) + big(0x1234) + big(fragment) + [64, proto]
        let addresses = IPAddress(source)!.octets + IPAddress(destination)!.octets
        let sum = checksum(head + [0, 0] + addresses)
        return Frame(to: mac, from: sender, tags: tags, type: 0x0800, head + sum + addresses + payload)
    }

    static func ipv6(
        _ next: UInt8, _ payload: [UInt8], from source: String = "2001:db8::1",
        to destination: String = "2001:db8::2", mac: MACAddress = Rig.mac, sender: MACAddress = peer,
        tags: [UInt16] = [], hops: UInt8 = 255
    ) -> Frame {
        let head: [UInt8] = [0x60, 0, 0, 0] + big(UInt16(payload.count)) + [next, hops]
        let addresses = IPAddress(source)!.octets + IPAddress(destination)!.octets
        return Frame(to: mac, from: sender, tags: tags, type: 0x86dd, head + addresses + payload)
    }

    static func icmp(_ type: UInt8, _ code: UInt8, _ rest: [UInt8]) -> [UInt8] {
        [type, code] + checksum([type, code, 0, 0] + rest) + rest
    }

    static func icmpv6(_ type: UInt8, _ code: UInt8, _ rest: [UInt8], _ source: String, _ destination: String)
        -> [UInt8]
    {
        let pseudo =
            IPAddress(source)!.octets + IPAddress(destination)!.octets + long(UInt32(rest.count + 4))
            + [0, 0, 0, 58]
        return [type, code] + checksum(pseudo + [type, code, 0, 0] + rest) + rest
    }

    static func echo(
        _ data: [UInt8] = Array("apus".utf8), from: String = "192.0.2.1", to: String = "192.0.2.2",
        mac: MACAddress = Rig.mac, tags: [UInt16] = [], fragment: UInt16 = 0, tos: UInt8 = 0
    ) -> Frame {
        .ipv4(
            1, icmp(8, 0, [0x12, 0x34, 0, 7] + data), from: from, to: to, mac: mac, tags: tags,
            fragment: fragment, tos: tos)
    }

    static func echo6(
        _ data: [UInt8] = Array("apus".utf8), from: String = "2001:db8::1", to: String = "2001:db8::2",
        mac: MACAddress = Rig.mac, tags: [UInt16] = []
    ) -> Frame {
        .ipv6(
            58, icmpv6(128, 0, [0x12, 0x34, 0, 7] + data, from, to), from: from, to: to, mac: mac, tags: tags,
            hops: 64)
    }

    static func udp(_ length: Int = 100) -> [UInt8] {
        big(4000) + big(5004) + big(UInt16(8 + length)) + [0, 0] + [UInt8](repeating: 7, count: length)
    }

    // MARK: Neighbor discovery

    /// A solicitation; to the solicited-node group of `target` unless said otherwise.
    static func solicitation(
        _ target: String, from source: String = "2001:db8::1", option: MACAddress? = peer,
        to destination: String? = nil, hops: UInt8 = 255, sender: MACAddress = peer, tags: [UInt16] = []
    ) -> Frame {
        let group = "\(IPv6Address(target)!.solicitedNode)"
        let to = destination ?? group
        let rest = [0, 0, 0, 0] + IPAddress(target)!.octets + (option.map { [1, 1] + $0.octets } ?? [])
        return .ipv6(
            58, icmpv6(135, 0, rest, source, to), from: source, to: to,
            mac: destination == nil ? MACAddress(multicast: .v6(IPv6Address(group)!)) : Rig.mac,
            sender: sender, tags: tags, hops: hops)
    }

    /// An advertisement; flags are R 0x80, S 0x40, O 0x20.
    static func advertisement(
        _ target: String, flags: UInt8, option: MACAddress? = peer, to destination: String = "2001:db8::2",
        sender: MACAddress = peer, tags: [UInt16] = []
    ) -> Frame {
        let rest = [flags, 0, 0, 0] + IPAddress(target)!.octets + (option.map { [2, 1] + $0.octets } ?? [])
        let address = IPAddress(destination)!
        return .ipv6(
            58, icmpv6(136, 0, rest, target, destination), from: target, to: destination,
            mac: address.isMulticast ? MACAddress(multicast: address) : Rig.mac, sender: sender, tags: tags)
    }

    // MARK: What was answered

    var destination: MACAddress { MACAddress(bits: octets[0..<6].reduce(0) { $0 << 8 | UInt64($1) }) }
    var source: MACAddress { MACAddress(bits: octets[6..<12].reduce(0) { $0 << 8 | UInt64($1) }) }
    /// The octets behind Ethernet and its tags, their EtherType in front.
    var inner: [UInt8] {
        var offset = 12
        while octets[offset...].starts(with: [0x81, 0]) { offset += 4 }
        return Array(octets[offset...])
    }
    var tags: [UInt16] {
        stride(from: 12, to: octets.count - inner.count, by: 4).map {
            UInt16(octets[$0 + 2]) << 8 | UInt16(octets[$0 + 3])
        }
    }
    /// The IP packet, without padding.
    var packet: [UInt8] {
        let packet = Array(inner.dropFirst(2))
        if inner.starts(with: [0x08, 0x00]) {
            return Array(packet[..<(Int(packet[2]) << 8 | Int(packet[3]))])
        }
        if inner.starts(with: [0x86, 0xdd]) {
            return Array(packet[..<(40 + (Int(packet[4]) << 8 | Int(packet[5])))])
        }
        return packet
    }
    /// The ICMP message, after its sums, lengths and addresses are found right.
    func icmp(from: String, to: String, _ location: SourceLocation = #_sourceLocation) -> [UInt8] {
        let packet = packet
        let is6 = IPAddress(from)!.octets.count == 16
        let (header, at) = is6 ? (40, 8) : (20, 12)
        guard packet.count > header else {
            Issue.record("no packet: \(self)", sourceLocation: location)
            return []
        }
        let addresses = IPAddress(from)!.octets + IPAddress(to)!.octets
        #expect(Array(packet[at..<at + addresses.count]) == addresses, sourceLocation: location)
        let message = Array(packet[header...])
        if is6 {
            let pseudo = addresses + long(UInt32(message.count)) + [0, 0, 0, 58]
            #expect(packet[6] == 58 && checksum(pseudo + message) == [0, 0], sourceLocation: location)
        } else {
            #expect(packet[9] == 1 && checksum(message) == [0, 0], sourceLocation: location)
            #expect(checksum(Array(packet[..<20])) == [0, 0], sourceLocation: location)
        }
        return message
    }
}
