import ApusWire
import Testing

/// What a host has to look at, and what it writes and reads beside neighbor discovery. Vectors were made by Scapy 2.5.
@Suite struct HostMessageTests {
    private func kind(_ frame: [UInt8]) -> HostMessage? { HostMessage(in: frame.raw) }

    private let ping6 = hex("80002e1012340007 61707573")

    @Test(arguments: [[], hex("81000005"), hex("88a8000581000007")])
    func `ARP, ICMP and ICMPv6 are a host's, behind tags too`(tags: [UInt8]) {
        let arp = Handmade.ethernet + tags + [8, 6] + [UInt8](repeating: 0, count: 28)
        #expect(kind(arp) == .arp)
        #expect(kind(Handmade.frame(ipv4: Handmade.ipv4([8, 0], protocolNumber: 1), tags: tags)) == .icmpv4)
        #expect(kind(Handmade.frame(ipv6: Handmade.ipv6(ping6, next: 58), tags: tags)) == .icmpv6)
        let options = [58, 0, 5, 2, 0, 0, 1, 0] + ping6
        #expect(kind(Handmade.frame(ipv6: Handmade.ipv6(options, next: 0), tags: tags)) == .icmpv6)
        #expect(kind(Handmade.frame(ipv6: Handmade.ipv6(options, next: 60), tags: tags)) == .icmpv6)
    }

    @Test func `data, fragments of ICMPv6 and what is cut short are nobody's`() {
        let udp = Handmade.udp([1, 2, 3])
        let fragment = [58, 0, 0, 1, 0, 0, 0, 1] + ping6
        let frames = [
            Handmade.frame(ipv4: Handmade.ipv4(udp)), Handmade.frame(ipv6: Handmade.ipv6(udp)),
            Handmade.frame(ipv6: Handmade.ipv6(fragment, next: 44)),
            Handmade.frame(ipv6: Handmade.ipv6([44, 0, 1, 4, 0, 0, 0, 0] + fragment, next: 60)),
            Handmade.frame(ipv6: Handmade.ipv6([17, 0, 1, 4, 0, 0, 0, 0] + udp, next: 60)),
            Handmade.ethernet + [0x88, 0xb5] + [UInt8](repeating: 1, count: 60),
        ]
        for frame in frames {
            for length in 0...frame.count { #expect(kind(Array(frame[..<length])) == nil) }
        }
    }

    @Test func `messages are written as others write them`() throws {
        var octets = [UInt8](repeating: 0xff, count: 12)
        let message = ICMPMessage(type: 8, code: 0, word: 0x1234_0007)
        let body = Array("apus".utf8)
        try write(&octets) { try message.encodeICMPv4(into: &$0, body: body.raw) }
        #expect(Array(octets[0..<2]) == [8, 0] && Array(octets[4...]) == hex("12340007 61707573"))
        #expect(referenceChecksum(octets) == 0)
        let (from, to) = (IPv6Address("2001:db8::1")!, IPv6Address("2001:db8::2")!)
        let message6 = ICMPMessage(type: 128, code: 0, word: 0x1234_0007)
        try write(&octets) {
            try message6.encodeICMPv6(into: &$0, body: body.raw, source: from, destination: to)
        }
        let view = try ICMPv6View(checking: octets.raw)
        let isValid = view.isChecksumValid(source: from, destination: to)
        #expect(isValid)
        let answer = ICMPMessage(answering: view)
        #expect(answer == ICMPMessage(type: 129, code: 0, word: 0x1234_0007))
        #expect(throws: EncodeFailure.noRoom) {
            var short = [UInt8](repeating: 0, count: 11)
            try write(&short) { try message.encodeICMPv4(into: &$0, body: body.raw) }
        }
    }

    /// Scapy's `IPv6(src="::", dst="ff02::1:ff00:2", hlim=255) / ICMPv6ND_NS(tgt="2001:db8::2")`.
    @Test func `a probe for duplicates has no address of its sender`() throws {
        let target = IPv6Address("2001:db8::2")!
        let message = NeighborMessage(probing: target)
        var octets = [UInt8](repeating: 0xff, count: 24)
        try write(&octets) { try message.encode(into: &$0, source: .any, destination: target.solicitedNode) }
        #expect(octets == hex("87004ceb00000000 20010db8000000000000000000000002"))
        #expect(message.byteCount == 24)
    }

    @Test func `the packet that an error is about is read as far as it is quoted`() throws {
        let packet = Handmade.ipv4(Handmade.udp([UInt8](repeating: 7, count: 1000)))
        for length in [24, 28, 100, packet.count] {
            let quoted = try QuotedPacket(checkingIPv4: Array(packet[..<length]).raw)
            #expect(
                quoted.source == IPAddress("192.0.2.1") && quoted.destination == IPAddress("198.51.100.7"))
            #expect(quoted.totalLength == 1028 && quoted.protocolNumber == .udp)
            #expect(quoted.ports?.source == 5004 && quoted.ports?.destination == 5006)
        }
        #expect(try QuotedPacket(checkingIPv4: Array(packet[..<23]).raw).ports == nil)
        #expect(refusal(Array(packet[..<19])) { _ = try QuotedPacket(checkingIPv4: $0) } == .truncatedIP)
        #expect(try QuotedPacket(checkingIPv4: Handmade.ipv4([1, 2, 3, 4], fragment: 5).raw).ports == nil)
        #expect(
            try QuotedPacket(checkingIPv4: Handmade.ipv4([1, 2, 3, 4], protocolNumber: 1).raw).ports == nil)

        let packet6 = Handmade.ipv6(
            [17, 0, 1, 4, 0, 0, 0, 0] + Handmade.udp([UInt8](repeating: 7, count: 1000)), next: 60)
        for length in [52, 60, packet6.count] {
            let quoted = try QuotedPacket(checkingIPv6: Array(packet6[..<length]).raw)
            #expect(quoted.totalLength == 1056 && quoted.protocolNumber == .udp)
            #expect(quoted.ports?.source == 5004 && quoted.ports?.destination == 5006)
        }
        #expect(refusal(Array(packet6[..<39])) { _ = try QuotedPacket(checkingIPv6: $0) } == .truncatedIP)
        #expect(
            refusal(Array(packet6[..<47])) { _ = try QuotedPacket(checkingIPv6: $0) } == .badExtensionHeader)
    }
}
