import ApusWire
import Testing

@Suite struct RTCPTests {
    private static let senderReport = hex(
        """
        81c8 000c 11111111 e1e2e3e4 f1f2f3f4 a1a2a3a4 00000064 00001000
        22222222 40 ffffff 0001fffe 00000005 e3e4f1f2 00010000
        """)
    private static let description = hex(
        """
        82ca 0006 11111111 01 04 6e616d65 0000
        22222222 01 01 61 06 01 62 00 00
        """)
    private static let goodbye = hex("81cb 0003 11111111 05 6c65667421 0000")
    private static let compound = senderReport + description + goodbye

    private func refused(_ octets: [UInt8], reducedSize: Bool = false) -> ParseFailure? {
        refusal(octets) { _ = try RTCPCompoundView(checking: $0, reducedSize: reducedSize) }
    }

    /// What a parser of one packet says of the first packet of a compound.
    private func body(_ octets: [UInt8], _ parse: (RTCPPacketView) throws -> Void) -> ParseFailure? {
        refusal(octets) { bytes in
            var compound = try RTCPCompoundView(checking: bytes, reducedSize: true)
            if let packet = compound.next() { try parse(packet) }
        }
    }

    @Test func `a compound gives its packets in order and no more`() throws {
        let octets = Self.compound
        var compound = try RTCPCompoundView(checking: octets.raw)
        var types: [UInt8] = []
        while let packet = compound.next() {
            types.append(packet.type.rawValue)
            #expect(packet.paddingByteCount == 0)
        }
        #expect(types == [200, 202, 203])
        let isAtEnd = compound.next() == nil
        #expect(isAtEnd)
    }

    @Test func `a sender report is read field by field`() throws {
        let octets = Self.compound
        var compound = try RTCPCompoundView(checking: octets.raw)
        let report = try RTCPSenderReportView(checking: compound.next()!)
        #expect(report.ssrc == 0x1111_1111)
        #expect(report.ntpTimestamp == 0xe1e2_e3e4_f1f2_f3f4)
        #expect(report.rtpTimestamp == 0xa1a2_a3a4)
        #expect(report.packetCount == 100)
        #expect(report.octetCount == 4096)
        #expect(report.blockCount == 1)
        let block = report.block(0)
        #expect(block.ssrc == 0x2222_2222)
        #expect(block.fractionLost == 64)
        #expect(block.cumulativeLost == -1)
        #expect(block.highestSequenceNumber == 0x1_fffe)
        #expect(block.jitter == 5)
        #expect(block.lastSenderReport == 0xe3e4_f1f2)
        #expect(block.delaySinceLastSenderReport == 65536)
        #expect(report.profileExtension.byteCount == 0)
    }

    @Test func `a receiver report is read, its profile extension too`() throws {
        let octets = hex(
            """
            81c9 0008 33333333 22222222 00 7fffff 00000001 00000002 00000003 00000004 aabbccdd
            """)
        var compound = try RTCPCompoundView(checking: octets.raw)
        let report = try RTCPReceiverReportView(checking: compound.next()!)
        #expect(report.ssrc == 0x3333_3333)
        #expect(report.block(0).cumulativeLost == 0x7f_ffff)
        #expect(array(report.profileExtension) == hex("aabbccdd"))
    }

    @Test func `the items of all chunks of a source description are read`() throws {
        let octets = Self.description
        var compound = try RTCPCompoundView(checking: octets.raw, reducedSize: true)
        var description = try RTCPSourceDescriptionView(checking: compound.next()!)
        #expect(description.chunkCount == 2)
        var items: [String] = []
        while let item = description.next() {
            let text = String(decoding: array(item.text), as: UTF8.self)
            items.append("\(item.ssrc >> 28) \(item.type) \(text)")
        }
        #expect(items == ["1 1 name", "2 1 a", "2 6 b"])
    }

    @Test func `empty chunks have no items`() throws {
        let octets = hex("82ca 0004 11111111 00000000 22222222 00000000")
        var compound = try RTCPCompoundView(checking: octets.raw, reducedSize: true)
        var description = try RTCPSourceDescriptionView(checking: compound.next()!)
        let isEmpty = description.next() == nil
        #expect(isEmpty)
    }

    @Test func `a goodbye is read with its reason`() throws {
        let octets = Self.goodbye
        var compound = try RTCPCompoundView(checking: octets.raw, reducedSize: true)
        let goodbye = try RTCPGoodbyeView(checking: compound.next()!)
        #expect(goodbye.sourceCount == 1)
        #expect(goodbye.ssrc(0) == 0x1111_1111)
        #expect(array(goodbye.reason) == Array("left!".utf8))
        let silent = hex("80cb 0000")
        var other = try RTCPCompoundView(checking: silent.raw, reducedSize: true)
        #expect(try RTCPGoodbyeView(checking: other.next()!).reason.byteCount == 0)
    }

    @Test func `application-defined packets and feedback are read`() throws {
        let octets = hex(
            "83cc 0003 11111111 6e616d65 01020304 81cd 0003 11111111 22222222 00050001 81ce 0002 11111111 22222222"
        )
        var compound = try RTCPCompoundView(checking: octets.raw, reducedSize: true)
        let application = try RTCPApplicationView(checking: compound.next()!)
        #expect(application.subtype == 3)
        #expect(application.ssrc == 0x1111_1111)
        #expect(application.name == 0x6e61_6d65)
        #expect(array(application.data) == [1, 2, 3, 4])
        let negative = try RTCPFeedbackView(checking: compound.next()!)
        #expect(!negative.isPayloadSpecific && negative.format == 1)
        #expect(negative.senderSSRC == 0x1111_1111)
        #expect(negative.mediaSSRC == 0x2222_2222)
        #expect(array(negative.controlInformation) == hex("00050001"))
        let picture = try RTCPFeedbackView(checking: compound.next()!)
        #expect(picture.isPayloadSpecific && picture.format == 1)
        #expect(picture.controlInformation.byteCount == 0)
    }

    @Test func `every prefix is refused unless it ends at a packet`() {
        let ends = [Self.senderReport.count, Self.senderReport.count + Self.description.count]
        for length in 0..<Self.compound.count {
            let reason = refused(Array(Self.compound[..<length]))
            #expect(reason == (ends.contains(length) ? nil : .truncatedRTCP), "\(length)")
        }
    }

    @Test func `a compound that does not begin with a report is refused, unless of reduced size`() {
        #expect(refused(Self.goodbye + Self.senderReport) == .badRTCPFirstPacket)
        #expect(refused(Self.goodbye + Self.senderReport, reducedSize: true) == nil)
    }

    @Test func `versions other than 2 are refused, anywhere in the compound`() {
        var octets = Self.compound
        octets[Self.senderReport.count] = 0xc2
        #expect(refused(octets) == .badRTCPVersion)
    }

    @Test func `padding is good on the last packet only, in words, and not over the header`() throws {
        let padded = hex("a0c9 0002 11111111 00000004")
        #expect(refused(padded) == nil)
        var compound = try RTCPCompoundView(checking: padded.raw)
        let packet = compound.next()!
        #expect(packet.paddingByteCount == 4)
        #expect(array(packet.body) == hex("11111111"))
        #expect(refused(padded + Self.goodbye) == .badRTCPPadding)
        for length in [0, 3, 5, 12, 255] as [UInt8] {
            #expect(refused(padded.dropLast() + [length]) == .badRTCPPadding, "\(length)")
        }
        // All of the body may be padding, and then a report lacks its source.
        let empty = Array(padded.dropLast() + [8])
        #expect(refused(empty) == nil)
        #expect(body(empty) { _ = try RTCPReceiverReportView(checking: $0) } == .badRTCPBody)
    }

    @Test func `a body shorter than its count says is refused`() {
        #expect(
            body(hex("80c8 0005 00000000 00000000 00000000 00000000 00000000")) {
                _ = try RTCPSenderReportView(checking: $0)
            } == .badRTCPBody)
        #expect(
            body([0x82] + Self.senderReport.dropFirst()) { _ = try RTCPSenderReportView(checking: $0) }
                == .badRTCPBody)
        #expect(
            body(hex("81c9 0001 11111111")) { _ = try RTCPReceiverReportView(checking: $0) } == .badRTCPBody)
        #expect(body(hex("82cb 0001 11111111")) { _ = try RTCPGoodbyeView(checking: $0) } == .badRTCPBody)
        #expect(
            body(hex("81cb 0002 11111111 04616263")) { _ = try RTCPGoodbyeView(checking: $0) } == .badRTCPBody
        )
        #expect(body(hex("80cc 0001 11111111")) { _ = try RTCPApplicationView(checking: $0) } == .badRTCPBody)
        #expect(body(hex("81cd 0001 11111111")) { _ = try RTCPFeedbackView(checking: $0) } == .badRTCPBody)
    }

    @Test func `malformed source descriptions are refused`() {
        func description(_ text: String) -> ParseFailure? {
            body(hex(text)) { _ = try RTCPSourceDescriptionView(checking: $0) }
        }
        #expect(description("81ca 0002 11111111 00000000") == nil)
        // No end of the list, an item past the end, a length past the end, a chunk too many, no items at all.
        #expect(description("81ca 0002 11111111 01026162") == .badRTCPBody)
        #expect(description("81ca 0002 11111111 01036162") == .badRTCPBody)
        #expect(description("81ca 0002 11111111 01016101") == .badRTCPBody)
        #expect(description("82ca 0002 11111111 00000000") == .badRTCPBody)
        #expect(description("81ca 0001 11111111") == .badRTCPBody)
        // Octets behind the last chunk are nobody's.
        #expect(description("81ca 0004 11111111 00000000 ffffffff ffffffff") == nil)
    }

    @Test func `a packet of another type is refused by each parser`() {
        let extended = hex("80cf 0001 11111111")
        #expect(body(extended) { _ = try RTCPSenderReportView(checking: $0) } == .otherRTCPType)
        #expect(body(extended) { _ = try RTCPReceiverReportView(checking: $0) } == .otherRTCPType)
        #expect(body(extended) { _ = try RTCPSourceDescriptionView(checking: $0) } == .otherRTCPType)
        #expect(body(extended) { _ = try RTCPGoodbyeView(checking: $0) } == .otherRTCPType)
        #expect(body(extended) { _ = try RTCPApplicationView(checking: $0) } == .otherRTCPType)
        #expect(body(extended) { _ = try RTCPFeedbackView(checking: $0) } == .otherRTCPType)
    }
}
