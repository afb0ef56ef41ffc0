import ApusWire
import Seeds
import Testing

@Suite struct InternetTests {
    @Test func `IPv4 headers are read as they were written, with a right checksum`() throws {
        var random = Seeded(31)
        for _ in 0..<2000 {
            let header = IPv4Header(
                trafficClass: random.number(), identification: random.number(),
                fragmentField: random.number(),
                timeToLive: random.number(), protocolNumber: IPProtocol(rawValue: random.number()),
                source: IPv4Address(bits: random.number()), destination: IPv4Address(bits: random.number()))
            var octets = [UInt8](repeating: 0xa5, count: 25)
            try write(&octets) { try header.encode(into: &$0, payloadLength: 3) }
            let view = try IPv4View(checking: octets.raw)
            #expect(IPv4Header(view) == header)
            #expect(view.isHeaderChecksumValid == true)
            #expect(
                view.headerChecksum == referenceChecksum(Array(octets[..<10] + [0, 0] + octets[12..<20])))
            #expect(view.totalLength == 23)
            #expect(array(view.payload) == [0xa5, 0xa5, 0xa5])
        }
    }

    @Test func `IPv6 headers are read as they were written`() throws {
        var random = Seeded(32)
        for _ in 0..<2000 {
            let header = IPv6Header(
                trafficClass: random.number(), flowLabel: random.number(UInt32.self) & 0xf_ffff,
                nextHeader: .udp, hopLimit: random.number(),
                source: IPv6Address(high: random.number(), low: random.number()),
                destination: IPv6Address(high: random.number(), low: random.number()))
            var octets = [UInt8](repeating: 0xa5, count: 45)
            try write(&octets) { try header.encode(into: &$0, payloadLength: 3) }
            let view = try IPv6View(checking: octets.raw)
            #expect(IPv6Header(view) == header)
            #expect(view.payloadLength == 3)
            #expect(array(view.payload) == [0xa5, 0xa5, 0xa5])
        }
    }

    @Test func `headers with no room or for too much payload are not written`() {
        let v4 = IPv4Header(protocolNumber: .udp, source: .any, destination: .any)
        let v6 = IPv6Header(nextHeader: .udp, source: .any, destination: .any)
        for (room, failure) in [(19, EncodeFailure.noRoom), (20, .payloadTooLong)] {
            var octets = [UInt8](repeating: 0xa5, count: room)
            #expect(throws: failure) { try write(&octets) { try v4.encode(into: &$0, payloadLength: 65516) } }
            #expect(octets.allSatisfy { $0 == 0xa5 })
        }
        for (room, failure) in [(39, EncodeFailure.noRoom), (40, .payloadTooLong)] {
            var octets = [UInt8](repeating: 0xa5, count: room)
            #expect(throws: failure) { try write(&octets) { try v6.encode(into: &$0, payloadLength: 65536) } }
            #expect(octets.allSatisfy { $0 == 0xa5 })
        }
    }

    @Test func `fragments tell their place in the datagram`() throws {
        let octets = Handmade.ipv4([1, 2, 3, 4, 5, 6, 7, 8], fragment: 0x2003)
        let view = try IPv4View(checking: octets.raw)
        #expect(view.isFragment && view.moreFragments && !view.dontFragment)
        #expect(view.fragmentOffset == 24)
        #expect(view.identification == 0x1234)
        let whole = Handmade.ipv4([], fragment: 0x4000)
        #expect(try IPv4View(checking: whole.raw).isFragment == false)
    }

    @Test func `options are given one by one`() throws {
        let octets = Handmade.ipv4([], options: hex("01 94040000 4405 050000 00 000000"))
        let view = try IPv4View(checking: octets.raw)
        var options = view.options
        var seen: [[UInt8]] = []
        while let option = try options.next() { seen.append([option.type] + array(option.body)) }
        #expect(seen == [[1], [0x94, 0, 0], [0x44, 5, 0, 0]])
    }

    @Test func `a packet changed in place keeps its checksum right`() throws {
        var random = Seeded(33)
        for _ in 0..<3000 {
            var octets = Handmade.ipv4(
                [1, 2, 3], options: [[], hex("94040000")][Int(random.next() & 1)], fragment: random.number(),
                source: random.octets(4), destination: random.octets(4))
            octets[8] = random.number()
            (octets[10], octets[11]) = (0, 0)
            let length = Int(octets[0] & 0xf) * 4
            octets.replaceSubrange(10..<12, with: big(referenceChecksum(Array(octets[..<length]))))
            let before = octets[8]
            let (source, destination) = (
                IPv4Address(bits: random.number()), IPv4Address(bits: random.number())
            )
            let trafficClass: UInt8 = random.number()
            var left: UInt8 = 0
            try write(&octets) { bytes in
                var view = try MutableIPv4View(checking: bytes._mutatingExtracting(0..<bytes.byteCount))
                left = view.decrementTimeToLive()
                view.setSource(source)
                view.setDestination(destination)
                view.setTrafficClass(trafficClass)
            }
            let view = try IPv4View(checking: octets.raw)
            #expect(left == (before == 0 ? 0 : before - 1))
            #expect(view.timeToLive == left)
            #expect(view.source == source && view.destination == destination)
            #expect(view.trafficClass == trafficClass)
            let header = Array(octets[..<10] + [0, 0] + octets[12..<length])
            #expect(view.headerChecksum == referenceChecksum(header))
        }
    }

    @Test func `a UDP header and its checksum are read from a packet of either family`() throws {
        let v4 = hex("47b80027432140003f1174acc0000201c63364079404000001000000138c138e000b191d6f6464")
        let packet = try IPv4View(checking: v4.raw)
        let udp = try UDPView(checking: packet.payload)
        #expect(udp.checksumState(over: packet) == .valid)
        #expect(
            UDPHeader(udp) == UDPHeader(sourcePort: 5004, destinationPort: 5006, length: 11, checksum: 0x191d)
        )
        #expect(array(udp.payload) == Array("odd".utf8))
        var written = [UInt8](repeating: 0, count: 8)
        let header = UDPHeader(udp)
        try write(&written) { try header.encode(into: &$0) }
        #expect(written == Array(v4[28..<36]))

        let none = Handmade.ipv6(Handmade.udp([1], checksum: 0))
        let packet6 = try IPv6View(checking: none.raw)
        #expect(try UDPView(checking: packet6.payload).checksumState(over: packet6) == .wrong)
        let none4 = Handmade.ipv4(Handmade.udp([1], checksum: 0))
        let other = try IPv4View(checking: none4.raw)
        #expect(try UDPView(checking: other.payload).checksumState(over: other) == .absent)
    }

    @Test(arguments: [
        ("0.1.2.3", "192.0.2.1", ParseFailure.martianSource), ("127.0.0.1", "192.0.2.1", .martianSource),
        ("224.0.0.1", "192.0.2.1", .martianSource), ("255.255.255.255", "192.0.2.1", .martianSource),
        ("240.0.0.1", "192.0.2.1", .martianSource), ("192.0.2.1", "0.0.0.0", .martianDestination),
        ("192.0.2.1", "127.0.0.1", .martianDestination), ("192.0.2.1", "241.0.0.1", .martianDestination),
        ("192.0.2.1", "224.0.0.1", nil), ("192.0.2.1", "255.255.255.255", nil), ("10.0.0.1", "10.0.0.2", nil),
        ("::", "2001:db8::1", .martianSource), ("::1", "2001:db8::1", .martianSource),
        ("ff02::1", "2001:db8::1", .martianSource), ("::ffff:192.0.2.1", "2001:db8::1", .martianSource),
        ("2001:db8::1", "::1", .martianDestination), ("2001:db8::1", "::", .martianDestination),
        ("2001:db8::1", "::ffff:192.0.2.1", .martianDestination),
        ("2001:db8::1", "ff01::1", .martianDestination),
        ("2001:db8::1", "ff0e::1", nil), ("fe80::1", "ff02::1", nil), ("2001:db8::1", "2001:db8::2", nil),
    ])
    func `martian addresses are refused, others are not`(
        source: String, destination: String, reason: ParseFailure?
    ) throws {
        let headers = try #require(
            UDPEncapsulation(
                nextHop: .zero, interface: .zero, source: Endpoint(IPAddress(source)!, port: 1),
                destination: Endpoint(IPAddress(destination)!, port: 2)))
        var octets = [UInt8](repeating: 0, count: headers.byteCount)
        try write(&octets) { try headers.encode(into: &$0, payloadLength: 0, udpChecksum: 0) }
        let flow = try FlowHeaders(checking: octets.raw)
        if let reason {
            #expect(throws: reason) { try flow.checkAddresses() }
        } else {
            try flow.checkAddresses()
        }
    }

    @Test func `each reason has a label and a sentence of its own`() {
        #expect(ParseFailure.count == ParseFailure.allCases.count)
        #expect(Set(ParseFailure.allCases.map(\.label)).count == ParseFailure.count)
        #expect(Set(ParseFailure.allCases.map(\.description)).count == ParseFailure.count)
        for (index, reason) in ParseFailure.allCases.enumerated() { #expect(Int(reason.rawValue) == index) }
        #expect(ParseFailure.badUDPLength.label == "bad_udp_length")
        #expect(
            ParseFailure.allCases.allSatisfy {
                $0.label.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" }
            })
    }
}
