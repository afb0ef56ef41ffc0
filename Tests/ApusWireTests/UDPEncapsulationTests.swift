import ApusWire
import Seeds
import Testing

@Suite struct UDPEncapsulationTests {
    static func random(_ random: inout Seeded) -> UDPEncapsulation {
        let (nextHop, interface) = (MACAddress(bits: random.number()), MACAddress(bits: random.number()))
        let inner = VLANTag(control: random.number())
        let tags =
            switch random.next() % 3 {
            case 0: VLANTags()
            case 1: VLANTags(inner)
            default:
                VLANTags(outer: VLANTag(tagProtocol: .serviceVLAN, control: random.number()), inner: inner)
            }
        if random.next() & 1 == 0 {
            return UDPEncapsulation(
                nextHop: nextHop, interface: interface, tags: tags,
                source: IPv4Address(bits: random.number()), sourcePort: random.number(),
                destination: IPv4Address(bits: random.number()), destinationPort: random.number(),
                hopLimit: random.number(), trafficClass: random.number())
        }
        return UDPEncapsulation(
            nextHop: nextHop, interface: interface, tags: tags,
            source: IPv6Address(high: random.number(), low: random.number()), sourcePort: random.number(),
            destination: IPv6Address(high: random.number(), low: random.number()),
            destinationPort: random.number(), hopLimit: random.number(), trafficClass: random.number(),
            flowLabel: random.number())
    }

    /// The whole frame of a payload, written as the forwarder does.
    static func frame(
        _ headers: UDPEncapsulation, _ payload: [UInt8], checksum: UInt16
    ) throws -> [UInt8] {
        var octets = [UInt8](repeating: 0xa5, count: headers.byteCount) + payload
        try write(&octets) {
            try headers.encode(into: &$0, payloadLength: payload.count, udpChecksum: checksum)
        }
        return octets
    }

    @Test func `what is written is parsed as the same, with valid checksums`() throws {
        var random = Seeded(11)
        for _ in 0..<3000 {
            let headers = Self.random(&random)
            let payload = random.octets(Int(random.next() % 100))
            let octets = try Self.frame(headers, payload, checksum: headers.checksum(of: payload.raw))
            let flow = try FlowHeaders(checking: octets.raw)
            #expect(array(flow.payload(of: octets.raw)) == payload)
            #expect(flow.payloadOffset == headers.byteCount)
            #expect(flow.tags == headers.tags)
            #expect(flow.sourcePort == headers.sourcePort)
            #expect(flow.destinationPort == headers.destinationPort)
            #expect(flow.hopLimit == headers.hopLimit)
            #expect(flow.trafficClass == headers.trafficClass)
            #expect(flow.flags.contains(.dontFragment))
            #expect(!flow.hasOptions)
            #expect(flow.udpChecksumState(in: octets.raw) == .valid)
            let ethernet = try EthernetView(checking: octets.raw)
            #expect(ethernet.destination == headers.nextHop)
            #expect(ethernet.source == headers.interface)
            let again = UDPEncapsulation(
                nextHop: ethernet.destination, interface: ethernet.source, tags: flow.tags,
                source: flow.source, destination: flow.destination, hopLimit: flow.hopLimit,
                trafficClass: flow.trafficClass)
            var expected = headers
            expected.flowLabel = 0
            #expect(again == expected)
        }
    }

    @Test func `a relayed datagram keeps a right checksum right, within and across families`() throws {
        var random = Seeded(12)
        for _ in 0..<10_000 {
            let (incoming, outgoing) = (Self.random(&random), Self.random(&random))
            let payload = random.octets(Int(random.next() % 9))
            let octets = try Self.frame(
                incoming, payload, checksum: incoming.checksum(of: payload.raw))
            let flow = try FlowHeaders(checking: octets.raw)
            let updated = try #require(outgoing.checksum(replacing: flow))
            #expect(updated == outgoing.checksum(of: payload.raw))
        }
    }

    @Test func `a relayed datagram keeps a wrong checksum wrong`() throws {
        var random = Seeded(13)
        for _ in 0..<1000 {
            let (incoming, outgoing) = (Self.random(&random), Self.random(&random))
            let payload = random.octets(20)
            var octets = try Self.frame(
                incoming, payload, checksum: incoming.checksum(of: payload.raw))
            octets[octets.count - 1 - Int(random.next() % 20)] ^= 0x10
            let flow = try FlowHeaders(checking: octets.raw)
            let damaged = array(flow.payload(of: octets.raw))
            let updated = try #require(outgoing.checksum(replacing: flow))
            let relayed = try Self.frame(outgoing, damaged, checksum: updated)
            let again = try FlowHeaders(checking: relayed.raw)
            #expect(again.udpChecksumState(in: relayed.raw) == .wrong)
        }
    }

    @Test func `no checksum is legal over IPv4, stays none, and is wrong over IPv6`() throws {
        let v4 = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1], checksum: 0)))
        let flow4 = try FlowHeaders(checking: v4.raw)
        #expect(flow4.udpChecksumState(in: v4.raw) == .absent)
        var random = Seeded(14)
        #expect(Self.random(&random).checksum(replacing: flow4) == nil)
        let v6 = Handmade.frame(ipv6: Handmade.ipv6(Handmade.udp([1], checksum: 0)))
        let flow6 = try FlowHeaders(checking: v6.raw)
        #expect(flow6.udpChecksumState(in: v6.raw) == .wrong)
    }

    @Test func `a checksum left to hardware is told from a wrong one`() throws {
        // Sum of 192.0.2.1, 198.51.100.7, protocol 17, length 11.
        let sum: UInt32 = 0xc000 + 0x0201 + 0xc633 + 0x6407 + 17 + 11
        let partial = UInt16(sum & 0xffff) + UInt16(sum >> 16)
        let octets = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1, 2, 3], checksum: partial)))
        let flow = try FlowHeaders(checking: octets.raw)
        #expect(flow.udpChecksumState(in: octets.raw) == .partial)
        let wrong = Handmade.frame(ipv4: Handmade.ipv4(Handmade.udp([1, 2, 3], checksum: partial + 1)))
        #expect(try FlowHeaders(checking: wrong.raw).udpChecksumState(in: wrong.raw) == .wrong)
    }

    @Test func `a sum that comes out as zero is written as all ones, and relayed as such`() throws {
        // The last two octets are chosen so that everything sums to all ones.
        var random = Seeded(15)
        for _ in 0..<200 {
            let (incoming, outgoing) = (Self.random(&random), Self.random(&random))
            var payload = random.octets(10)
            payload += [0, 0]
            let rest = incoming.checksum(of: payload.raw)
            guard rest != 0xffff else { continue }
            payload.replaceSubrange(10..<12, with: big(rest))
            #expect(incoming.checksum(of: payload.raw) == 0xffff)
            let octets = try Self.frame(incoming, payload, checksum: 0xffff)
            let flow = try FlowHeaders(checking: octets.raw)
            #expect(flow.udpChecksumState(in: octets.raw) == .valid)
            #expect(outgoing.checksum(replacing: flow) == outgoing.checksum(of: payload.raw))
        }
        // And so that it does behind the new headers: a zero would say that there is no checksum.
        for _ in 0..<200 {
            let (incoming, outgoing) = (Self.random(&random), Self.random(&random))
            var payload = random.octets(10)
            payload += [0, 0]
            let rest = outgoing.checksum(of: payload.raw)
            guard rest != 0xffff else { continue }
            payload.replaceSubrange(10..<12, with: big(rest))
            let octets = try Self.frame(incoming, payload, checksum: incoming.checksum(of: payload.raw))
            #expect(outgoing.checksum(replacing: try FlowHeaders(checking: octets.raw)) == 0xffff)
        }
    }

    @Test func `no room and too long payloads are refused, and nothing is written`() throws {
        var random = Seeded(16)
        for _ in 0..<50 {
            let headers = Self.random(&random)
            for room in 0..<headers.byteCount {
                var octets = [UInt8](repeating: 0x5a, count: room)
                #expect(throws: EncodeFailure.noRoom) {
                    try write(&octets) { try headers.encode(into: &$0, payloadLength: 0, udpChecksum: 1) }
                }
                #expect(octets.allSatisfy { $0 == 0x5a })
            }
            var octets = [UInt8](repeating: 0, count: headers.byteCount)
            for length in [-1, headers.maximumPayloadLength + 1, .max, .min] {
                #expect(throws: EncodeFailure.payloadTooLong) {
                    try write(&octets) {
                        try headers.encode(into: &$0, payloadLength: length, udpChecksum: 1)
                    }
                }
            }
            try write(&octets) {
                try headers.encode(into: &$0, payloadLength: headers.maximumPayloadLength, udpChecksum: 1)
            }
        }
    }

    @Test func `endpoints of two families make no headers`() {
        let (v4, v6) = (Endpoint("192.0.2.1:1")!, Endpoint("[2001:db8::1]:1")!)
        #expect(UDPEncapsulation(nextHop: .zero, interface: .zero, source: v4, destination: v6) == nil)
        #expect(UDPEncapsulation(nextHop: .zero, interface: .zero, source: v6, destination: v4) == nil)
    }

    @Test func `a flow's hash depends on every part of it and on the seed`() throws {
        var random = Seeded(17)
        var hashes: Set<UInt32> = []
        var flows: Set<[Endpoint]> = []
        for _ in 0..<1000 {
            let headers = Self.random(&random)
            let octets = try Self.frame(headers, [], checksum: 0)
            let flow = try FlowHeaders(checking: octets.raw)
            flows.insert([flow.source, flow.destination])
            hashes.insert(flow.hash(seed: 1))
            hashes.insert(flow.hash(seed: 2))
        }
        #expect(hashes.count >= 2 * flows.count - 2)
    }
}
