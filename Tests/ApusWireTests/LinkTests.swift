import ApusWire
import Seeds
import Testing

/// Vectors in these tests that are marked so were made by Scapy 2.5.
@Suite struct LinkTests {
    @Test func `an ARP request of Scapy's is read, answered, and written as Scapy writes it`() throws {
        let octets = hex(
            "ffffffffffff020000000001 0806 0001080006040001 020000000001 c0000201 000000000000 c0000202")
        let frame = try EthernetView(checking: octets.raw)
        #expect(frame.etherType == .arp)
        #expect(frame.destination == .broadcast)
        let request = try ARPView(checking: frame.payload)
        #expect(request.isRequest && !request.isReply)
        #expect(request.senderMAC == MACAddress("02:00:00:00:00:01"))
        #expect(request.senderAddress == IPv4Address("192.0.2.1"))
        #expect(request.targetMAC == .zero)
        #expect(request.targetAddress == IPv4Address("192.0.2.2"))

        var written = [UInt8](repeating: 0xff, count: octets.count)
        let header = EthernetHeader(
            destination: .broadcast, source: MACAddress("02:00:00:00:00:01")!, etherType: .arp)
        try write(&written) { try header.encode(into: &$0) }
        let message = ARPMessage(
            asking: IPv4Address("192.0.2.2")!, from: MACAddress("02:00:00:00:00:01")!,
            IPv4Address("192.0.2.1")!)
        var body = [UInt8](repeating: 0xff, count: 28)
        try write(&body) { try message.encode(into: &$0) }
        written.replaceSubrange(14..., with: body)
        #expect(written == octets)
        #expect(ARPMessage(request) == message)

        let answer = ARPMessage(answering: request, with: MACAddress("02:00:00:00:00:02")!)
        try write(&body) { try answer.encode(into: &$0) }
        let reply = try ARPView(checking: body.raw)
        #expect(reply.isReply == true)
        #expect(reply.senderAddress == IPv4Address("192.0.2.2"))
        #expect(reply.senderMAC == MACAddress("02:00:00:00:00:02"))
        #expect(reply.targetAddress == IPv4Address("192.0.2.1"))
        #expect(reply.targetMAC == MACAddress("02:00:00:00:00:01"))
    }

    @Test func `ARP cut short, or for anything but IPv4 over Ethernet, is refused`() {
        let good = hex("0001080006040002 020000000001 c0000201 020000000002 c0000202")
        func refused(_ octets: [UInt8]) -> ParseFailure? { refusal(octets) { _ = try ARPView(checking: $0) } }
        #expect(refused(good + [0, 0, 0]) == nil)
        for length in 0..<28 { #expect(refused(Array(good[..<length])) == .truncatedARP) }
        for index in 0..<6 {
            var bad = good
            bad[index] ^= 1
            #expect(refused(bad) == .unsupportedARP)
        }
        var short = [UInt8](repeating: 0, count: 27)
        #expect(throws: EncodeFailure.noRoom) {
            let message = ARPMessage(asking: .any, from: .zero, .any)
            try write(&short) { try message.encode(into: &$0) }
        }
    }

    @Test func `Ethernet headers are read as they were written`() throws {
        var random = Seeded(21)
        for count in 0...2 {
            for _ in 0..<200 {
                let (outer, inner) = (
                    VLANTag(tagProtocol: .serviceVLAN, control: random.number()),
                    VLANTag(control: random.number())
                )
                let header = EthernetHeader(
                    destination: MACAddress(bits: random.number()), source: MACAddress(bits: random.number()),
                    tags: [VLANTags(), VLANTags(inner), VLANTags(outer: outer, inner: inner)][count],
                    etherType: [.ipv4, .ipv6, .arp][Int(random.next() % 3)])
                var octets = [UInt8](repeating: 0xa5, count: header.byteCount + 3)
                try write(&octets) { try header.encode(into: &$0) }
                let view = try EthernetView(checking: octets.raw)
                #expect(EthernetHeader(view) == header)
                #expect(view.payloadOffset == 14 + 4 * count)
                #expect(array(view.payload) == [0xa5, 0xa5, 0xa5])
                for length in 0..<header.byteCount {
                    let prefix = Array(octets[..<length])
                    #expect(refusal(prefix) { _ = try EthernetView(checking: $0) } == .truncatedEthernet)
                    var room = prefix
                    #expect(throws: EncodeFailure.noRoom) {
                        try write(&room) { try header.encode(into: &$0) }
                    }
                    #expect(room == prefix)
                }
            }
        }
    }

    @Test func `a tag is put together of its parts and taken apart`() {
        let tag = VLANTag(tagProtocol: .serviceVLAN, identifier: 0xabc, priority: 6, isDropEligible: true)
        #expect(tag.control == 0xdabc)
        #expect(tag.identifier == 0xabc)
        #expect(tag.priority == 6)
        #expect(tag.isDropEligible)
        #expect(VLANTags().outer == nil)
        #expect(VLANTags(tag).inner == nil)
        #expect(VLANTags(outer: tag, inner: tag).byteCount == 8)
    }
}
