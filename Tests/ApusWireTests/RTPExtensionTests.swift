import ApusWire
import Testing

@Suite struct RTPExtensionTests {
    /// The elements of an extension: identifier and data of each.
    private func elements(_ profile: UInt16, _ text: String) -> [[UInt8]] {
        let octets = hex(text)
        var walk = RTPExtensionElements(profile: profile, bytes: octets.raw)
        var all: [[UInt8]] = []
        while let element = walk.next() { all.append([element.identifier] + array(element.bytes)) }
        return all
    }

    @Test func `the one-byte example of RFC 8285 section 4.2 is read`() {
        // ID 0 with L=0 is padding; the figure has elements of 1, 2 and 4 octets.
        #expect(
            elements(0xbede, "10 aa 21 bbcc 0000 33 11223344") == [
                [1, 0xaa], [2, 0xbb, 0xcc], [3, 0x11, 0x22, 0x33, 0x44],
            ])
    }

    @Test func `the two-byte example of RFC 8285 section 4.3 is read`() {
        #expect(
            elements(0x1000, "01 00 02 01 aa 00 03 04 11223344") == [
                [1], [2, 0xaa], [3, 0x11, 0x22, 0x33, 0x44],
            ])
        #expect(elements(0x100f, "ff 01 aa 00") == [[255, 0xaa]])
    }

    @Test func `identifier 15, and padding with a length, end the one-byte walk`() {
        #expect(elements(0xbede, "10aa f0bb 20cc") == [[1, 0xaa]])
        #expect(elements(0xbede, "10aa 01bb 20cc") == [[1, 0xaa]])
    }

    @Test func `an element that runs past the extension ends the walk`() {
        #expect(elements(0xbede, "10aa 3311 2233") == [[1, 0xaa]])
        #expect(elements(0xbede, "10aa 00 3f") == [[1, 0xaa]])
        #expect(elements(0x1000, "0101aa 02 02 bb") == [[1, 0xaa]])
        #expect(elements(0x1000, "0101aa 02") == [[1, 0xaa]])
    }

    @Test func `other profiles have no elements`() {
        #expect(elements(0x1010, "0101aa00") == [])
        #expect(elements(0xbedf, "10aa0000") == [])
        #expect(elements(0, "") == [])
    }

    @Test func `an element is found in a packet by its identifier`() throws {
        let octets = Handmade.rtp
        let view = try RTPView(checking: octets.raw)
        #expect(Self.data(view, 1) == [0xaa])
        #expect(Self.data(view, 3) == [1, 2, 3, 4])
        #expect(Self.data(view, 2) == nil)
        let bare = hex("8000 0001 00000002 00000003")
        #expect(Self.data(try RTPView(checking: bare.raw), 1) == nil)
    }

    private static func data(_ view: RTPView, _ identifier: UInt8) -> [UInt8]? {
        guard let element = view.extensionElement(identifier) else { return nil }
        return array(element)
    }

    @Test func `what is changed in place is read, and nothing else changes`() throws {
        var octets = Handmade.rtp
        try write(&octets) { bytes in
            var view = try MutableRTPView(checking: bytes._mutatingExtracting(0..<bytes.byteCount))
            view.setPayloadType(0xff, marker: false)
            view.setSequenceNumber(0xfeed)
            view.setTimestamp(0x1122_3344)
            view.setSSRC(0x5566_7788)
        }
        let view = try RTPView(checking: octets.raw)
        #expect(view.payloadType == 0x7f && !view.marker)
        #expect(view.sequenceNumber == 0xfeed)
        #expect(view.timestamp == 0x1122_3344)
        #expect(view.ssrc == 0x5566_7788)
        #expect(octets[0] == Handmade.rtp[0])
        #expect(octets[12...] == Handmade.rtp[12...])
    }
}
