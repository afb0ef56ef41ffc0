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
            let guest = try Guest(programs: [
                "/usr/bin/dpdk-testpmd", ApusProgram.beside("DPDKEcho"), ApusProgram.path,
            ])
            #expect(try guest.run("grep HugePages_Total /proc/meminfo").contains("64"))
            try checkRefusals(guest)
            for card in guest.cards { try guest.run("give \(card.address) uio_pci_generic") }
            try checkTestpmd(guest)
            for card in guest.cards {
                try checkEcho(guest, card)
                try checkJumbo(guest, card)
            }
            try checkOffloads(
                guest, guest.cards[0], byDevice: ["VLAN strip", "VLAN insert", "transmit checksum"])
            try checkOffloads(guest, guest.cards[1], byDevice: ["VLAN strip", "VLAN insert"])
            try checkCrossing(guest)
            try checkWaiting(guest, guest.cards[0])
            try checkForward(guest)
            for card in guest.cards { try checkLink(guest, card) }
            try checkSpreading(guest)
            #expect(try guest.shutDown() == .exited(0))
        }

        /// Devices that can't be opened are named, with the way out.
        private func checkRefusals(_ guest: Guest) throws {
            let card = guest.cards[0].address
            func refusal(of device: String) throws -> String {
                try guest.run("DPDKEcho \(device)", status: 69)
            }
            let bind = "`apus doctor \(card)` prints the commands that give it to DPDK"
            #expect(try refusal(of: card) == "error: \(card): no driver has it; \(bind)\n")
            try guest.run("insmod /modules/e1000e.ko; give \(card) e1000e")
            #expect(
                try refusal(of: card)
                    == """
                    error: \(card): the kernel's driver e1000e has it; \(bind) (the kernel loses the interface then)

                    """)
            #expect(
                try refusal(of: "0000:00:09.0")
                    == """
                    error: 0000:00:09.0: there is no such PCI device; network devices: \
                    \((guest.cards.map(\.address) + [guest.spreading.address]).joined(separator: ", "))

                    """)
        }

        /// The machine itself: DPDK's own program drives both cards.
        private func checkTestpmd(_ guest: Guest) throws {
            try guest.start(
                """
                dpdk-testpmd --in-memory --no-telemetry --lcores 0@0,1@0 \
                \(guest.cards.map { "-a \($0.address)" }.joined(separator: " ")) \
                -- --total-num-mbufs=8192 --forward-mode=io --auto-start
                """, untilLine: "Press enter to exit")
            _ = try checkBothWays(guest)
            let text = try guest.stop()
            for card in guest.cards { #expect(text.contains(card.driver), "\(text)") }
        }

        /// What comes to one card leaves by the other as it came, in both directions.
        private func checkBothWays(_ guest: Guest) throws -> [[UInt8]] {
            let frames = guest.cards.map { datagrams(to: $0, lengths: Self.usual).map(\.frame) }
            for (from, to) in [(0, 1), (1, 0)] {
                for frame in frames[from] { try guest.cards[from].wire.send(frame) }
                expect(guest.cards[to].wire.receive(frames[from].count), frames[from])
            }
            return frames[0]
        }

        /// Datagrams come back, with both ends in each other's place.
        private func checkEcho(_ guest: Guest, _ card: Guest.Card) throws {
            try guest.start("DPDKEcho \(card.address)", untilLine: "ready")
            let sent = datagrams(to: card, lengths: Self.usual)
            for datagram in sent { try card.wire.send(datagram.frame) }
            expect(card.wire.receive(sent.count), sent.map(\.reply.frame))
            let text = try guest.stop()
            let mac = card.mac.map { String(format: "%02x", $0) }.joined(separator: ":")
            #expect(text.contains("\(card.address) mac \(mac) mtu 1500\n"), "\(text)")
            #expect(text.contains("driver \(card.driver), ") && text.contains("pages 2 MiB"), "\(text)")
            expectReport(text, [card], sent.map(\.frame))
        }

        /// Packets longer than a buffer lie in several: they come back as they came.
        private func checkJumbo(_ guest: Guest, _ card: Guest.Card) throws {
            try guest.start("DPDKEcho --mtu 9000 \(card.address)", untilLine: "ready")
            let sent = datagrams(to: card, lengths: Self.long).map(\.frame)
            for frame in sent { try card.wire.send(frame) }
            expect(card.wire.receive(sent.count), sent)
            let text = try guest.stop()
            #expect(text.contains("mtu 9000\n"), "\(text)")
            expectReport(text, [card], sent)
        }

        /// What comes to one card leaves by the other, from the memory that it came to.
        private func checkCrossing(_ guest: Guest) throws {
            let addresses = guest.cards.map(\.address).joined(separator: " ")
            try guest.start("DPDKEcho \(addresses)", untilLine: "ready")
            let sent = try checkBothWays(guest)
            expectReport(try guest.stop(), guest.cards, sent)
        }

        /// An interrupt wakes a thread that waits, which sleeps again when it has answered.
        private func checkWaiting(_ guest: Guest, _ card: Guest.Card) throws {
            try guest.start("DPDKEcho --wait \(card.address)", untilLine: "ready")
            let sent = datagrams(to: card, lengths: stride(from: 100, through: 500, by: 100))
            for datagram in sent {
                usleep(300_000)
                try card.wire.send(datagram.frame)
                expect(card.wire.receive(1), [datagram.reply.frame])
            }
            let text = try guest.stop()
            #expect(text.contains("interrupts yes"), "\(text)")
            let idle = text.split(separator: "\n").first { $0.hasPrefix("idle ") }?.split(separator: " ")
            // A loop that never sleeps comes to hundreds of thousands.
            #expect(idle.flatMap { Int($0[1]) } ?? .max < 1000, "\(text)")
            expectReport(text, [card], sent.map(\.frame))
        }

        /// The frames are these, octet for octet and in this order.
        func expect(
            _ got: [[UInt8]], _ wanted: [[UInt8]], _ location: SourceLocation = #_sourceLocation
        ) {
            guard got != wanted else { return }
            let place = zip(got, wanted).enumerated().first { $0.element.0 != $0.element.1 }
            Issue.record(
                """
                \(got.count) of \(wanted.count) frames came; the first that is another is \(place?.offset ?? -1): \
                \(place.map { "\($0.element.0) for \($0.element.1)" } ?? "none")
                """, sourceLocation: location)
        }

        /// What the program counted, for each card, is what was sent from here.
        private func expectReport(
            _ text: String, _ cards: [Guest.Card], _ sent: [[UInt8]],
            _ location: SourceLocation = #_sourceLocation
        ) {
            let all = "\(sent.count) of \(sent.reduce(0) { $0 + $1.count }) bytes"
            for card in cards {
                #expect(
                    text.contains("\(card.address) received \(all), sent \(all), pending 0, dropped 0\n"),
                    "\(text)", sourceLocation: location)
            }
            #expect(text.contains("frames conserved\n"), "\(text)", sourceLocation: location)
        }

        /// Lengths of payloads for frames of 62 octets, the longest of the usual MTU, and what is between them; and of those
        /// that need an MTU of 9000.
        private static let usual = stride(from: 20, through: 1472, by: 12)
        private static let long = stride(from: 2100, through: 8972, by: 859)

        private func datagrams(to card: Guest.Card, lengths: StrideThrough<Int>) -> [Datagram] {
            lengths.enumerated().map { number, length in
                Datagram(
                    from: .init(mac: [2, 0, 0, 0, 0, 1], address: [192, 0, 2, 1], port: 40_000),
                    to: .init(mac: card.mac, address: [192, 0, 2, 2], port: 7),
                    payload: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) })
            }
        }
    }
}
