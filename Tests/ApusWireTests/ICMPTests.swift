import ApusWire
import Testing

/// Vectors in these tests were made by Scapy 2.5.
@Suite struct ICMPTests {
    private let echo = hex("45000021000100004001f6d7c0000201c0000202 0800bbfd12340007 6162636465")
    private let echo6 = hex(
        """
        60000000000d3a40 20010db8000000000000000000000001 20010db8000000000000000000000002
        8000e84012340007 6162636465
        """)

    @Test func `an echo request is read, and its answer has a right checksum`() throws {
        let packet = try IPv4View(checking: echo.raw)
        #expect(packet.protocolNumber == .icmp)
        #expect(packet.isHeaderChecksumValid == true)
        let message = try ICMPv4View(checking: packet.payload)
        #expect(message.isEchoRequest && !message.isEchoReply && !message.isError)
        #expect(message.identifier == 0x1234)
        #expect(message.sequenceNumber == 7)
        #expect(array(message.body) == Array("abcde".utf8))
        #expect(message.isChecksumValid == true)

        var octets = [UInt8](repeating: 0xff, count: 8) + Array("abcde".utf8)
        let request = ICMPEcho(isReply: false, identifier: 0x1234, sequenceNumber: 7)
        try write(&octets) { try request.encodeICMPv4(into: &$0) }
        #expect(octets == Array(echo[20...]))
        let reply = ICMPEcho(isReply: true, identifier: 0x1234, sequenceNumber: 7)
        try write(&octets) { try reply.encodeICMPv4(into: &$0) }
        let answer = try ICMPv4View(checking: octets.raw)
        #expect(answer.isEchoReply == true)
        #expect(answer.isChecksumValid == true)
        let damaged: [UInt8] = octets.dropLast() + [octets[12] ^ 1]
        #expect(try ICMPv4View(checking: damaged.raw).isChecksumValid == false)
    }

    @Test func `an ICMPv6 echo request is read, and written as it was`() throws {
        let packet = try IPv6View(checking: echo6.raw)
        #expect(packet.nextHeader == .icmpv6)
        let message = try ICMPv6View(checking: packet.payload)
        #expect(message.isEchoRequest && !message.isEchoReply && !message.isError)
        #expect(message.identifier == 0x1234)
        #expect(message.sequenceNumber == 7)
        #expect(message.isChecksumValid(source: packet.source, destination: packet.destination) == true)
        #expect(message.isChecksumValid(source: packet.source, destination: .loopback) == false)

        var octets = [UInt8](repeating: 0xff, count: 8) + Array("abcde".utf8)
        let request = ICMPEcho(isReply: false, identifier: 0x1234, sequenceNumber: 7)
        let (source, destination) = (packet.source, packet.destination)
        try write(&octets) { try request.encodeICMPv6(into: &$0, source: source, destination: destination) }
        #expect(octets == Array(echo6[40...]))
    }

    @Test func `errors tell the packet they are about and the size that would fit`() throws {
        let needed = hex(
            """
            45000040000100004001f6b8c0000201c0000202 0304e3dc00000578
            450000240001000040118e91c0000202c6336401 00010002001042bf3132333435363738
            """)
        let packet = try IPv4View(checking: needed.raw)
        let message = try ICMPv4View(checking: packet.payload)
        #expect(message.isError && message.isChecksumValid)
        #expect(message.nextHopMTU == 1400)
        let inner = try FlowHeaders(checkingIP: message.body)
        #expect(inner.source == Endpoint("192.0.2.2:1"))
        #expect(inner.destination == Endpoint("198.51.100.1:2"))

        let tooBig = hex(
            """
            60000000003c3a40 20010db8000000000000000000000001 20010db8000000000000000000000002
            02002be500000500 60000000000c1140 20010db8000000000000000000000002
            20010db8000000000000000000000003 00010002000c3ff631323334
            """)
        let packet6 = try IPv6View(checking: tooBig.raw)
        let message6 = try ICMPv6View(checking: packet6.payload)
        #expect(message6.isError == true)
        #expect(message6.mtu == 1280)
        #expect(message6.isChecksumValid(source: packet6.source, destination: packet6.destination) == true)
        #expect(try FlowHeaders(checkingIP: message6.body).destinationPort == 2)
        #expect(try ICMPv4View(checking: IPv4View(checking: echo.raw).payload).nextHopMTU == nil)
        #expect(try ICMPv6View(checking: IPv6View(checking: echo6.raw).payload).mtu == nil)
    }

    @Test func `fewer than eight octets are refused, and not written`() {
        for length in 0..<8 {
            var octets = [UInt8](repeating: 0, count: length)
            #expect(refusal(octets) { _ = try ICMPv4View(checking: $0) } == .truncatedICMP)
            #expect(refusal(octets) { _ = try ICMPv6View(checking: $0) } == .truncatedICMP)
            let echo = ICMPEcho(isReply: true, identifier: 1, sequenceNumber: 2)
            #expect(throws: EncodeFailure.noRoom) { try write(&octets) { try echo.encodeICMPv4(into: &$0) } }
            #expect(throws: EncodeFailure.noRoom) {
                try write(&octets) { try echo.encodeICMPv6(into: &$0, source: .any, destination: .any) }
            }
        }
    }
}
