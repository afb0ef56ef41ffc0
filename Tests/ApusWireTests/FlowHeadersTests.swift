import ApusWire
import Testing

@Suite struct FlowHeadersTests {
    private func parse(_ octets: [UInt8]) throws -> FlowHeaders {
        try FlowHeaders(checking: octets.raw)
    }

    private func refused(_ octets: [UInt8]) -> ParseFailure? {
        refusal(octets) { _ = try FlowHeaders(checking: $0) }
    }

    @Test func `a plain IPv4 frame is read field by field`() throws {
        let octets = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1, 2, 3])))
        let headers = try parse(octets)
        #expect(headers.source == Endpoint("192.0.2.1:5004"))
        #expect(headers.destination == Endpoint("198.51.100.7:5006"))
        #expect(headers.networkOffset == 14)
        #expect(headers.transportOffset == 34)
        #expect(headers.payloadOffset == 42)
        #expect(headers.udpLength == 11)
        #expect(headers.payloadLength == 3)
        #expect(headers.udpChecksum == 0xabcd)
        #expect(headers.hopLimit == 63)
        #expect(headers.dscp == 46)
        #expect(headers.ecn == 1)
        #expect(headers.flags == .dontFragment)
        #expect(headers.tags.count == 0)
        #expect(array(headers.payload(of: octets.raw)) == [1, 2, 3])
    }

    @Test func `a plain IPv6 frame is read field by field`() throws {
        let octets = Handmade.frame(ipv6: Handmade.ipv6(Handmade.udp([1, 2, 3])))
        let headers = try parse(octets)
        #expect(headers.source == Endpoint("[2001:db8::1]:5004"))
        #expect(headers.destination == Endpoint("[2001:db8::2]:5006"))
        #expect(headers.networkOffset == 14)
        #expect(headers.transportOffset == 54)
        #expect(headers.payloadOffset == 62)
        #expect(headers.payloadLength == 3)
        #expect(headers.hopLimit == 62)
        #expect(headers.trafficClass == 0xb9)
        #expect(headers.flags == [.ipv6, .dontFragment])
        #expect(array(headers.payload(of: octets.raw)) == [1, 2, 3])
    }

    @Test func `an IP packet without Ethernet is found too`() throws {
        let v4 = Handmade.ipv4(Handmade.udp([7]))
        #expect(try FlowHeaders(checkingIP: v4.raw).payloadOffset == 28)
        let v6 = Handmade.ipv6(Handmade.udp([7]))
        #expect(try FlowHeaders(checkingIP: v6.raw).payloadOffset == 48)
        #expect(refusal([]) { _ = try FlowHeaders(checkingIP: $0) } == .truncatedIP)
        #expect(refusal([0x50]) { _ = try FlowHeaders(checkingIP: $0) } == .badIPVersion)
    }

    @Test func `one and two VLAN tags are read, a third is refused`() throws {
        let packet = Handmade.ipv4(Handmade.udp([9]))
        let one = try parse(Handmade.frame(ipv4: packet, tags: hex("8100 b064")))
        #expect(one.tags == VLANTags(VLANTag(identifier: 100, priority: 5, isDropEligible: true)))
        #expect(one.payloadOffset == 46)
        let two = try parse(Handmade.frame(ipv4: packet, tags: hex("88a8 0005 8100 0fff")))
        #expect(two.tags.outer == VLANTag(tagProtocol: .serviceVLAN, identifier: 5))
        #expect(two.tags.inner == VLANTag(identifier: 4095))
        #expect(two.payloadOffset == 50)
        #expect(
            refused(Handmade.frame(ipv4: packet, tags: hex("88a8 0005 8100 0001 8100 0001")))
                == .tooManyVLANTags)
        #expect(refused(hex("020000000002 020000000001 8100 0001")) == .truncatedEthernet)
        #expect(refused(hex("020000000002 020000000001 88a8 0001 8100 0001")) == .truncatedEthernet)
    }

    @Test func `padding behind the packet is not payload`() throws {
        for padding in [1, 17, 1000] {
            let octets =
                Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1])))
                + [UInt8](repeating: 0xee, count: padding)
            let headers = try parse(octets)
            #expect(headers.payloadLength == 1)
            #expect(array(headers.payload(of: octets.raw)) == [1])
        }
        let octets = Handmade.frame(ipv6: Handmade.ipv6(Handmade.udp([1]))) + [0, 0, 0]
        #expect(try parse(octets).payloadLength == 1)
    }

    @Test func `every prefix of a good frame is refused, and nothing traps`() {
        let frames = [
            Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp(Handmade.rtp))),
            Handmade.frame(
                ipv4: Handmade.ipv4(Handmade.udp(Handmade.rtp), options: hex("94040000 01010100"))),
            Handmade.frame(ipv6: Handmade.ipv6(Handmade.udp(Handmade.rtp)), tags: hex("88a8 0005 8100 0fff")),
            Handmade.frame(
                ipv6: Handmade.ipv6(
                    hex("3c00 0502 0000 0100 1100 0104 00000000") + Handmade.udp([1]), next: 0)),
        ]
        for frame in frames {
            #expect(refused(frame) == nil)
            for length in 0..<frame.count {
                let reason = refused(Array(frame[..<length]))
                let expected: [ParseFailure] =
                    length < 22 ? [.truncatedEthernet, .truncatedIP] : [.truncatedIP]
                #expect(reason.map(expected.contains) == true, "\(length): \(String(describing: reason))")
            }
        }
    }

    @Test func `other EtherTypes, 802.3 lengths and contradicting versions are refused`() {
        #expect(refused(Handmade.ethernet + hex("0806") + [UInt8](repeating: 0, count: 50)) == .notIP)
        #expect(refused(Handmade.ethernet + hex("0026") + [UInt8](repeating: 0xaa, count: 50)) == .notIP)
        #expect(refused(Handmade.frame(ipv4: Handmade.ipv6(Handmade.udp([])))) == .badIPVersion)
        #expect(
            refused(Handmade.frame(ipv6: Handmade.ipv4(Handmade.udp([UInt8](repeating: 0, count: 40)))))
                == .badIPVersion)
    }

    @Test func `impossible IPv4 lengths are refused`() {
        var short = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1, 2])))
        short[14] = 0x44
        #expect(refused(short) == .badIPHeaderLength)
        #expect(
            refused(Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1]), totalLength: 19)))
                == .badIPTotalLength)
        #expect(
            refused(Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1]), totalLength: 30))) == .truncatedIP)
        var long = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1])))
        long[14] = 0x4f
        #expect(refused(long) == .badIPTotalLength)
    }

    @Test func `one flipped bit anywhere in an IPv4 header is noticed`() {
        for options in [[], hex("94040000")] {
            let good = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1]), options: options))
            for bit in 14 * 8..<(34 + options.count) * 8 {
                var bad = good
                bad[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(refused(bad) != nil, "bit \(bit)")
            }
        }
    }

    @Test func `a checksum wrong by one is refused by name`() {
        var octets = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1])))
        octets[25] &+= 1
        #expect(refused(octets) == .badIPHeaderChecksum)
    }

    @Test func `IPv4 options are walked, source routes and impossible lengths refused`() throws {
        func options(_ text: String) -> [UInt8] {
            Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1]), options: hex(text)))
        }
        let headers = try parse(options("94040000 01010100"))
        #expect(headers.hasOptions)
        #expect(headers.payloadOffset == 14 + 28 + 8)
        #expect(refused(options("8303 0400")) == .sourceRoute)
        #expect(refused(options("01 8903 04")) == .sourceRoute)
        #expect(refused(options("07010000")) == .badIPOption)
        #expect(refused(options("07000000")) == .badIPOption)
        #expect(refused(options("07050000")) == .badIPOption)
        #expect(refused(options("01010107")) == .badIPOption)
        // What follows the end of the list is no option.
        #expect(refused(options("00830400")) == nil)
    }

    @Test func `fragments are refused by their place`() {
        func fragment(_ field: UInt16) -> ParseFailure? {
            refused(Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1]), fragment: field)))
        }
        #expect(fragment(0x0000) == nil)
        #expect(fragment(0x2000) == .firstFragment)
        #expect(fragment(0x2001) == .laterFragment)
        #expect(fragment(0x1fff) == .laterFragment)
        func fragment6(_ field: String) -> ParseFailure? {
            refused(
                Handmade.frame(
                    ipv6: Handmade.ipv6(hex("1100 \(field) 00000001") + Handmade.udp([1]), next: 44)))
        }
        #expect(fragment6("0000") == nil)
        #expect(fragment6("0006") == nil)
        #expect(fragment6("0001") == .firstFragment)
        #expect(fragment6("0009") == .laterFragment)
        #expect(fragment6("fff8") == .laterFragment)
    }

    @Test func `other protocols are refused`() {
        #expect(
            refused(Handmade.frame(ipv4: Handmade.ipv4([UInt8](repeating: 0, count: 20), protocolNumber: 6)))
                == .notUDP)
        #expect(
            refused(Handmade.frame(ipv6: Handmade.ipv6([UInt8](repeating: 0, count: 20), next: 58)))
                == .notUDP)
        #expect(refused(Handmade.frame(ipv6: Handmade.ipv6([], next: 59))) == .notUDP)
    }

    @Test func `UDP lengths below 8 or beyond the packet are refused, shorter ones end the payload`() throws {
        func udp(_ length: Int) -> [UInt8] {
            Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1, 2, 3], length: length)))
        }
        #expect(refused(udp(0)) == .badUDPLength)
        #expect(refused(udp(7)) == .badUDPLength)
        #expect(refused(udp(12)) == .badUDPLength)
        #expect(try parse(udp(8)).payloadLength == 0)
        #expect(try parse(udp(10)).payloadLength == 2)
        // The frame has the octets, but the packet has not.
        #expect(refused(udp(12) + [0, 0, 0, 0]) == .badUDPLength)
        #expect(refused(Handmade.frame(ipv4: Handmade.ipv4([1, 2, 3, 4, 5, 6, 7]))) == .truncatedUDP)
    }

    @Test func `jumbograms are refused`() {
        let jumbo = hex("1100 c204 00010000") + Handmade.udp([1], length: 0)
        #expect(refused(Handmade.frame(ipv6: Handmade.ipv6(jumbo, next: 0, payloadLength: 0))) == .jumbogram)
        #expect(
            refused(Handmade.frame(ipv6: Handmade.ipv6(Handmade.udp([1]), payloadLength: 0))) == .truncatedUDP
        )
    }

    @Test func `what is found fits one cache line`() {
        #expect(MemoryLayout<FlowHeaders>.stride <= 64)
    }
}
