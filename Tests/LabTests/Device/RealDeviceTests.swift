import Foundation
import NetworkLab
import Testing

extension Lab {
    /// DPDK's drivers of real cards, which QEMU emulates. One boot for all of it.
    @Suite(
        .requires(
            .root, .program("qemu-system-x86_64"), .program("busybox"), .program("dpdk-testpmd"),
            .file("/usr/include/dpdk/rte_ethdev.h")))
    struct RealDeviceTests {
        @Test func `packets cross an e1000e and a virtio card, which DPDK drives`() throws {
            let guest = try Guest(programs: ["/usr/bin/dpdk-testpmd"])
            #expect(try guest.run("grep HugePages_Total /proc/meminfo").contains("64"))
            for card in [Guest.e1000e, Guest.virtio] { try guest.run("give \(card) uio_pci_generic") }
            try checkTestpmd(guest)
            #expect(try guest.shutDown() == .exited(0))
        }

        /// The machine itself: DPDK's own program drives both cards.
        private func checkTestpmd(_ guest: Guest) throws {
            try guest.start(
                """
                dpdk-testpmd --in-memory --no-telemetry --lcores 0@0,1@0 -a \(Guest.e1000e) -a \(Guest.virtio) \
                -- --total-num-mbufs=8192 --forward-mode=io --auto-start
                """, untilLine: "Press enter to exit")
            let frames = (0..<100).map { number in
                (0..<60 + number * 14).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
            }
            for (from, to) in [(guest.e1000eWire, guest.virtioWire), (guest.virtioWire, guest.e1000eWire)] {
                for frame in frames { try from.send(frame) }
                #expect(to.receive(100) == frames)
            }
            let text = try guest.stop()
            #expect(text.contains("net_e1000_em") && text.contains("net_virtio"), "\(text)")
        }
    }
}
