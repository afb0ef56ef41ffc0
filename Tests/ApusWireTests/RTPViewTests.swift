import ApusWire
import Seeds
import Testing

@Suite struct RTPViewTests {
    private func refused(_ octets: [UInt8]) -> ParseFailure? {
        refusal(octets) { _ = try RTPView(checking: $0) }
    }

    @Test func `a packet with sources, extension and padding is read field by field`() throws {
        let octets = Handmade.rtp
        let view = try RTPView(checking: octets.raw)
        #expect(view.hasPadding && view.hasExtension && view.marker)
        #expect(view.csrcCount == 2)
        #expect(view.csrc(0) == 0xc1c1_c1c1)
        #expect(view.csrc(1) == 0xc2c2_c2c2)
        #expect(view.payloadType == 0x61)
        #expect(view.sequenceNumber == 0x1234)
        #expect(view.timestamp == 0x0001_0203)
        #expect(view.ssrc == 0xa1a2_a3a4)
        #expect(view.extensionProfile == 0xbede)
        #expect(array(view.extensionBytes) == hex("10aa 3301020304 00"))
        #expect(view.paddingByteCount == 5)
        #expect(array(view.payload) == hex("64617461 646174"))
        #expect(view.payloadByteCount == 7)
    }

    @Test func `the smallest packet has neither payload nor extension`() throws {
        let octets = hex("8000 0001 00000002 00000003")
        let view = try RTPView(checking: octets.raw)
        #expect(view.payloadByteCount == 0)
        #expect(view.extensionProfile == nil)
        #expect(view.extensionBytes.byteCount == 0)
        #expect(!view.marker && !view.hasPadding)
    }

    @Test func `versions other than 2 are refused`() {
        for version in [0, 1, 3] as [UInt8] {
            var octets = Handmade.rtp
            octets[0] = octets[0] & 0x3f | version << 6
            #expect(refused(octets) == .badRTPVersion)
        }
    }

    @Test func `every prefix is refused or parsed inside its bounds`() throws {
        for length in 0..<Handmade.rtp.count {
            let octets = Array(Handmade.rtp[..<length])
            if length < 32 {
                #expect(refused(octets) == .truncatedRTP)
            } else if let view = try? RTPView(checking: octets.raw) {
                #expect(view.payloadOffset + view.payloadByteCount + view.paddingByteCount == length)
            } else {
                #expect(refused(octets) == .badRTPPadding)
            }
        }
    }

    @Test func `padding of nothing, or of more than there is, is refused`() {
        let header = hex("a000 0001 00000002 00000003")
        #expect(refused(header + [1, 2, 0]) == .badRTPPadding)
        #expect(refused(header + [1, 2, 4]) == .badRTPPadding)
        #expect(refused(header + [1, 2, 3]) == nil)
        #expect(refused(header + [1]) == nil)
        #expect(refused(header) == .badRTPPadding)
    }

    @Test func `an extension longer than the packet is refused`() {
        let header = hex("9000 0001 00000002 00000003")
        #expect(refused(header + hex("bede 0001 0000")) == .truncatedRTP)
        #expect(refused(header + hex("bede ffff 00000000")) == .truncatedRTP)
        #expect(refused(header + hex("bede 00")) == .truncatedRTP)
        #expect(refused(header + hex("bede 0001 00000000")) == nil)
        #expect(refused(header + hex("bede 0000")) == nil)
    }

    @Test func `RTCP is told from RTP by its packet type`() {
        for second in 0...255 as ClosedRange<UInt8> {
            let octets = [0x80, second] + hex("0001 00000002")
            #expect(RTPView.isRTCP(octets.raw) == (192...223).contains(second))
        }
        let short = hex("80c80001 000000")
        #expect(RTPView.isRTCP(short.raw) == false)
        let stun = hex("00c8 0000 2112a442")
        #expect(RTPView.isRTCP(stun.raw) == false)
    }

    @Test func `what is written is read again`() throws {
        var random = Seeded(5)
        for _ in 0..<2000 {
            let header = RTPHeader(
                payloadType: random.number(UInt8.self) & 0x7f, marker: random.next() & 1 == 0,
                sequenceNumber: random.number(), timestamp: random.number(), ssrc: random.number())
            var octets = [UInt8](repeating: 0xff, count: 12)
            try write(&octets) { try header.encode(into: &$0) }
            let view = try RTPView(checking: octets.raw)
            #expect(RTPHeader(view) == header)
            #expect(octets[0] == 0x80)
        }
        var octets = [UInt8](repeating: 0, count: 11)
        #expect(throws: EncodeFailure.noRoom) {
            try write(&octets) {
                try RTPHeader(payloadType: 0, sequenceNumber: 0, timestamp: 0, ssrc: 0).encode(into: &$0)
            }
        }
    }
}
