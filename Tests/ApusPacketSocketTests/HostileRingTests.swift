import ApusPorts
import ApusRings
import CLinux
import NetworkLab
import Testing

@testable import ApusPacketSocket

/// The ring is the kernel's memory, and what stands in it is believed as far as it can be checked.
@Suite("Receive rings that hold what no kernel writes", .requires(.root), .timeLimit(.minutes(5)))
struct HostileRingTests {
    @Test("a packet with a tag but without addresses is dropped by name")
    func tagWithoutAddresses() throws {
        let scene = try Scene("hostile-ring")
        defer { scene.close() }
        var port = try scene.port(frames: 32)
        let (count, stride, dataOffset) = (16, 2048, 64)
        // With what is fetched ahead of the last slot.
        let base = UnsafeMutableRawPointer.allocate(byteCount: (count + 1) * stride, alignment: 64)
        defer { unsafe base.deallocate() }
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0x11, count: (count + 1) * stride)
        for length in 0..<count {
            var header = tpacket2_hdr()
            header.tp_status = UInt32(TP_STATUS_USER | TP_STATUS_VLAN_VALID)
            (header.tp_len, header.tp_snaplen) = (UInt32(length), UInt32(length))
            header.tp_mac = UInt16(dataOffset)
            header.tp_vlan_tci = 5
            unsafe (base + length * stride).storeBytes(of: header, as: tpacket2_hdr.self)
        }
        unsafe port.driver.receiveRing = unsafe ReceiveRing(
            base: base, count: count, stride: stride, usesBlocks: false)
        var burst = Burst()
        #expect(port.receive(into: &burst) == 4)
        var lengths: [Int] = []
        while let packet = burst.popFirst() { lengths.append(packet.count) }
        #expect(lengths == [16, 17, 18, 19])
        let drops = port.statistics().drops
        #expect(drops[.badDescriptor] == 12 && drops.total == 12)
    }
}
