import ApusWire
import Testing

/// Vectors in these tests were made by Scapy 2.5.
@Suite struct NeighborTests {
    private let solicitation = hex(
        """
        6000000000203aff fe800000000000000000000000000001 ff0200000000000000000001ff000002
        87004b5f00000000 20010db8000000000000000000000002 0101020000000001
        """)
    private let advertisement = hex(
        """
        6000000000203aff 20010db8000000000000000000000002 fe800000000000000000000000000001
        880039a9e0000000 20010db8000000000000000000000002 0201020000000002
        """)
    private let duplicateDetection = hex(
        """
        6000000000183aff 00000000000000000000000000000000 ff0200000000000000000001ff000002
        87004ceb00000000 20010db8000000000000000000000002
        """)
    private let target = IPv6Address("2001:db8::2")!

    private func refused(_ octets: [UInt8]) -> ParseFailure? {
        refusal(octets) { bytes in
            let packet = try IPv6View(checking: bytes)
            _ = try NeighborView(checking: packet, at: packet.upperLayer().offset)
        }
    }

    /// A packet like `octets` but for `change`, with a right checksum.
    private func changed(_ octets: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
        var octets = octets
        change(&octets)
        (octets[42], octets[43]) = (0, 0)
        let length = octets.count - 40
        octets.replaceSubrange(4..<6, with: big(UInt16(length)))
        let pseudo = Array(octets[8..<40]) + [0, 0] + big(UInt16(length)) + [0, 0, 0, 58]
        octets.replaceSubrange(42..<44, with: big(referenceChecksum(pseudo + octets[40...])))
        return octets
    }

    @Test func `a solicitation is read, and written as it was`() throws {
        let packet = try IPv6View(checking: solicitation.raw)
        let view = try NeighborView(checking: packet, at: 40)
        #expect(view.isSolicitation == true)
        #expect(view.target == target)
        #expect(view.linkLayerAddress == MACAddress("02:00:00:00:00:01"))
        #expect(!view.isRouter && !view.isSolicited && !view.isOverride)
        #expect(packet.destination == target.solicitedNode)

        var octets = [UInt8](repeating: 0xff, count: 32)
        let message = NeighborMessage(soliciting: target, from: MACAddress("02:00:00:00:00:01")!)
        let (source, destination) = (packet.source, packet.destination)
        try write(&octets) { try message.encode(into: &$0, source: source, destination: destination) }
        #expect(octets == Array(solicitation[40...]))
    }

    @Test func `an advertisement is read, and written as it was`() throws {
        let packet = try IPv6View(checking: advertisement.raw)
        let view = try NeighborView(checking: packet, at: 40)
        #expect(view.isSolicitation == false)
        #expect(view.target == target)
        #expect(view.linkLayerAddress == MACAddress("02:00:00:00:00:02"))
        #expect(view.isRouter && view.isSolicited && view.isOverride)

        var octets = [UInt8](repeating: 0xff, count: 32)
        let message = NeighborMessage(
            advertising: target, at: MACAddress("02:00:00:00:00:02")!, isRouter: true)
        let (source, destination) = (packet.source, packet.destination)
        try write(&octets) { try message.encode(into: &$0, source: source, destination: destination) }
        #expect(octets == Array(advertisement[40...]))
    }

    @Test func `a solicitation for duplicate address detection is good without an address`() throws {
        let packet = try IPv6View(checking: duplicateDetection.raw)
        #expect(try NeighborView(checking: packet, at: 40).linkLayerAddress == nil)
        // To anyone but the solicited nodes, or with the sender's address along, it is not (section 7.1.1).
        #expect(refused(changed(duplicateDetection) { $0[39] = 3 }) == .badNeighborMessage)
        #expect(refused(changed(duplicateDetection) { $0 += hex("0101020000000001") }) == .badNeighborMessage)
    }

    @Test func `what RFC 4861 section 7.1 says to discard is refused`() {
        #expect(refused(changed(solicitation) { _ in }) == nil)
        #expect(refused(changed(solicitation) { $0[7] = 254 }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0[41] = 1 }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0[48] = 0xff }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0[65] = 0 }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0[65] = 2 }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0 += [1, 1, 0, 0] }) == .badNeighborMessage)
        #expect(refused(changed(solicitation) { $0.removeLast(9) }) == .truncatedICMP)
        #expect(refused(changed(solicitation) { $0[40] = 134 }) == .otherICMPType)
        var wrong = solicitation
        wrong[71] ^= 1
        #expect(refused(wrong) == .badICMPChecksum)
        // An advertisement to many can't be the answer to one.
        #expect(refused(changed(advertisement) { $0[24] = 0xff }) == .badNeighborMessage)
        #expect(refused(changed(advertisement) { ($0[24], $0[44]) = (0xff, 0xa0) }) == nil)
    }

    @Test func `unknown options are skipped, and addresses of other links are none`() throws {
        let unknown = changed(solicitation) { $0 = Array($0[..<64]) + hex("fd01000000000000") + $0[64...] }
        let packet = try IPv6View(checking: unknown.raw)
        #expect(
            try NeighborView(checking: packet, at: 40).linkLayerAddress == MACAddress("02:00:00:00:00:01"))
        let long = changed(solicitation) {
            $0[65] = 2; $0 += [UInt8](repeating: 0, count: 8)
        }
        let other = try IPv6View(checking: long.raw)
        #expect(try NeighborView(checking: other, at: 40).linkLayerAddress == nil)
    }

    @Test func `an offset outside the packet is refused`() throws {
        let packet = try IPv6View(checking: solicitation.raw)
        for offset in [-1, 0, 39, 73, .max, .min] {
            #expect(throws: ParseFailure.truncatedICMP) { try Self.look(packet, offset) }
        }
    }

    private static func look(_ packet: IPv6View, _ offset: Int) throws {
        _ = try NeighborView(checking: packet, at: offset)
    }
}
