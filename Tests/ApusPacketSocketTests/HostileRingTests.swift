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
            base: base, count: count, stride: stride, usesBlocks: false, knowsMerged: false)
        var burst = Burst()
        #expect(port.receive(into: &burst) == 4)
        var lengths: [Int] = []
        while let packet = burst.popFirst() { lengths.append(packet.count) }
        #expect(lengths == [16, 17, 18, 19])
        let drops = port.statistics().drops
        #expect(drops[.badDescriptor] == 12 && drops.total == 12)
    }

    @Test("a packet that is said to be merged but is no UDP, or of no size, is dropped by name")
    func mergedNonsense() throws {
        let scene = try Scene("hostile-merged")
        defer { scene.close() }
        var port = try scene.port(frames: 32)
        let (count, stride, dataOffset) = (16, 2048, 64)
        let base = UnsafeMutableRawPointer.allocate(byteCount: (count + 1) * stride, alignment: 64)
        defer { unsafe base.deallocate() }
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: (count + 1) * stride)
        let frame = Datagram(payload: [UInt8](repeating: 9, count: 100)).frame
        for slot in 0..<count {
            var header = tpacket2_hdr()
            header.tp_status = UInt32(TP_STATUS_USER)
            (header.tp_len, header.tp_snaplen) = (UInt32(slot * 8), UInt32(slot * 8))
            header.tp_mac = UInt16(dataOffset)
            let place = unsafe base + slot * stride
            unsafe place.storeBytes(of: header, as: tpacket2_hdr.self)
            // struct virtio_net_hdr: UDP segments, of 50 octets each in every second slot, else of none.
            unsafe place.storeBytes(of: 5, toByteOffset: dataOffset - 9, as: UInt8.self)
            unsafe place.storeBytes(of: slot & 1 == 0 ? 50 : 0, toByteOffset: dataOffset - 6, as: UInt16.self)
            for (position, octet) in frame.prefix(slot * 8).enumerated() {
                unsafe place.storeBytes(of: octet, toByteOffset: dataOffset + position, as: UInt8.self)
            }
        }
        unsafe port.driver.receiveRing = unsafe ReceiveRing(
            base: base, count: count, stride: stride, usesBlocks: false, knowsMerged: true)
        var burst = Burst()
        #expect(port.receive(into: &burst) == 0)
        // Cut ones of 50 octets count as what they would have been.
        let drops = port.statistics().drops
        #expect(drops[.merged] >= 16 && drops[.merged] <= 20 && drops.total == drops[.merged])
        #expect(port.driver.pool.free == 32)
    }
}
