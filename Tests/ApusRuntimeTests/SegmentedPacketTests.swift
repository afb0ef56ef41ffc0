import ApusPorts
import ApusRings
import ApusWire
import Testing

@testable import ApusRuntime

/// Packets that lie in several frames, as multi-buffer AF_XDP gives them.
@Suite("A packet in several frames")
struct SegmentedPacketTests {
    /// Sends a frame from the camera to the relay, cut into segments before the offsets given.
    private func send(_ frame: [UInt8], cutAt cuts: [Int], by rig: inout RelayRig) {
        var (first, last): (Frame?, Frame?) = (nil, nil)
        for (start, end) in zip([0] + cuts, cuts + [frame.count]) {
            var packet = rig.cameraPort.makePacket()!
            let piece = Array(frame[start..<end])
            let fits = unsafe packet.replaceBytes(with: piece.span.bytes)
            precondition(fits)
            let segment = unsafe packet.takeFrame()
            if let last = unsafe last {
                unsafe last.header.pointee.next = segment.header
            } else {
                unsafe first = segment
            }
            unsafe last = segment
        }
        var burst = Burst()
        burst.append(unsafe Packet(adopting: first!))
        rig.cameraPort.transmit(&burst)
        rig.run()
    }

    private func octets(_ packet: borrowing Packet) -> [UInt8] {
        var all: [UInt8] = []
        packet.forEachSegment { segment in unsafe segment.withUnsafeBytes { unsafe all += $0 } }
        return all
    }

    /// What stands behind the IP packet in a frame (a trailer, or padding) is nobody's payload.
    @Test(
        arguments: [[60], [60, 1000], [60, 1000, 1042], [60, 1000, 1045], [1042], [1043], [1050, 1060]],
        [1, 3, 46])
    func `What stands behind the datagram stays behind, wherever the frames are cut`(
        _ cuts: [Int], _ trailer: Int
    ) throws {
        for isPartial in [false, true] {
            var rig = try RelayRig()
            rig.order([
                ForwardWorkerTests.stream([
                    RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                    RelayRig.ready("[2001:db8::1]:5006", from: "[2001:db8::2]:5004"),
                ])
            ])
            let payload = (0..<1001).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let headers = UDPEncapsulation(
                nextHop: RelayRig.near, interface: RelayRig.camera, source: Endpoint("10.1.0.1:4000")!,
                destination: ForwardWorkerTests.listen)!
            let partial = InternetChecksum(
                pseudoHeader: IPv4Address("10.1.0.1")!, IPv4Address("10.1.0.2")!, .udp, length: 1009
            ).folded
            var frame = [UInt8](repeating: 0, count: headers.byteCount)
            var span = frame.mutableSpan
            var bytes = unsafe span.mutableBytes
            try headers.encode(
                into: &bytes, payloadLength: payload.count,
                udpChecksum: isPartial ? partial : unsafe headers.checksum(of: payload.span.bytes))
            frame += payload + [UInt8](repeating: 0xee, count: trailer)
            send(frame, cutAt: cuts.filter { $0 < frame.count }, by: &rig)

            var burst = Burst()
            #expect(rig.screenPort.receive(into: &burst) == 2)
            while let packet = burst.popFirst() {
                let all = octets(packet)
                let found = try unsafe FlowHeaders(checking: all.span.bytes)
                #expect(all.count == found.payloadOffset + payload.count)
                #expect(Array(all[found.payloadOffset...].prefix(payload.count)) == payload)
                let state = unsafe found.udpChecksumState(in: all.span.bytes)
                #expect(state == .valid)
            }
            let (conserved, drained) = (rig.isConserved(), rig.isDrained())
            #expect(conserved && drained)
        }
    }
}
