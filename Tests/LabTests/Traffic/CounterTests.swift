import Foundation
import NetworkLab
import Testing

extension Lab {
    /// Our counters beside those of tcpdump and tshark.
    @Suite(.requires(.root, .program("tcpdump"), .program("tshark")))
    struct CounterTests {
        @Test(arguments: Backend.allCases)
        func `tcpdump and tshark count at the receiver what we count`(backend: Backend) throws {
            // The packets say 20 ms apart and come 1 ms apart, so that both find a jitter near 19 ms; what they differ by
            // is how evenly each saw them come. A pause of the machine's is jitter too: it is measured again then, but
            // there are not so many in a row.
            var (ours, theirs) = (0.0, 0.0)
            for _ in 0..<8 where !(18...21).contains(ours) || abs(ours - theirs) >= 1 {
                (ours, theirs) = try count(backend)
            }
            #expect((18...21).contains(ours), "\(ours) ms")
            #expect(abs(ours - theirs) < 1, "\(ours) ms, \(theirs) ms")
        }

        /// Compares all that both count, and gives the jitter that each has found.
        private func count(_ backend: Backend) throws -> (ours: Double, theirs: Double) {
            let scene = try Scene("counters")
            // No packets are to wait for a next hop, of which there is room for some hundred.
            try scene.warmUp()
            let scratch = try Scratch()
            let forward = try ApusForward(
                in: scene.relay, backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
            let sink = try scene.sink(6004)
            let tcpdump = try scene.receiver.start([
                "tcpdump", "-i", "e0", "-Q", "in", "-U", "--immediate-mode", "-B", "16384", "-Z", "root",
                "-w",
                scratch("arrived.pcap"), "udp", "port", "6004",
            ])
            try tcpdump.waitForLine(containing: "listening on")

            // Lost, overtaken and doubled on their way to us.
            var order = Array(0..<1000).filter { $0 % 100 != 50 }
            for position in [200, 400, 600] { order.swapAt(position, position + 1) }
            for position in [300, 700] { order.insert(order[position], at: position + 1) }
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5004)
            let payloads = order.map { Numbered.packet($0, length: 100 + $0 % 1000) }
            try paced(payloads.count, perSecond: 1000) { try source.send(payloads[$0], to: target) }
            // To the same host, but to nobody.
            for _ in 0..<5 { try source.send([1], to: SocketAddress("192.0.2.2", 5999)) }

            #expect(sink.wait(for: payloads.count) == payloads)
            tcpdump.stop(SIGINT)
            #expect(tcpdump.errors.contains("\(payloads.count) packets captured"), "\(tcpdump.errors)")
            let status = try forward.finish()
            let figures = status.streams[0].figures

            let packets = try tshark(scratch("arrived.pcap"))
            #expect(status.sent == UInt64(packets.count))
            #expect(figures.packets == UInt64(packets.count) && figures.sent == figures.packets)
            #expect(status.sentBytes == packets.reduce(0) { $0 + $1.frameLength })
            #expect(figures.bytes == packets.reduce(0) { $0 + $1.udpLength - 8 })
            #expect(Set(packets.map(\.ssrc)) == [figures.ssrc])
            #expect(Set(packets.map(\.payloadType)) == [figures.payloadType])
            #expect(packets.allSatisfy { $0.hasRightChecksums })

            let summary = try streamSummary(scratch("arrived.pcap"))
            #expect(summary.packets == figures.packets)
            // tshark takes a doubled one for one that came after all.
            #expect(summary.lost + 2 == Int(figures.lost) || summary.lost == Int(figures.lost), "\(summary)")
            #expect(figures.lost == 10 && figures.duplicates == 2 && figures.reordered == 3, "\(figures)")
            return (try #require(figures.jitter), summary.jitter)
        }

        private struct Packet {
            var frameLength, udpLength: UInt64
            var ssrc: UInt32
            var payloadType: UInt8
            var hasRightChecksums: Bool
        }

        private func tshark(_ file: String) throws -> [Packet] {
            let fields = [
                "frame.len", "udp.length", "rtp.ssrc", "rtp.p_type", "ip.checksum.status",
                "udp.checksum.status",
            ]
            let output = try NetworkLab.run(
                [
                    "tshark", "-n", "-r", file, "-d", "udp.port==6004,rtp", "-T", "fields", "-o",
                    "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
                ] + fields.flatMap { ["-e", $0] })
            return try output.standardOutput.split(separator: "\n").map { line in
                let values = line.split(separator: "\t").map(String.init)
                guard values.count == fields.count, let frame = UInt64(values[0]),
                    let udp = UInt64(values[1]),
                    let ssrc = UInt32(values[2].dropFirst(2), radix: 16), let type = UInt8(values[3])
                else { throw LabError("tshark: \(line)") }
                return Packet(
                    frameLength: frame, udpLength: udp, ssrc: ssrc, payloadType: type,
                    hasRightChecksums: values[4] == "1" && values[5] == "1")
            }
        }

        /// The one line of tshark's table of RTP streams: `start end src port dst port ssrc payload packets lost
        /// (percent) min-delta mean-delta max-delta min-jitter mean-jitter max-jitter`.
        private func streamSummary(_ file: String) throws -> (packets: UInt64, lost: Int, jitter: Double) {
            let output = try NetworkLab.run(
                ["tshark", "-n", "-q", "-r", file, "-d", "udp.port==6004,rtp", "-z", "rtp,streams"])
            let lines = output.standardOutput.split(separator: "\n").filter { $0.contains("0xA9000000") }
            let words = (lines.first ?? "").split(separator: " ").map(String.init)
            guard lines.count == 1, let ssrc = words.firstIndex(of: "0xA9000000"),
                let percent = words.firstIndex(where: { $0.hasPrefix("(") }), words.count > percent + 5,
                let packets = UInt64(words[percent - 2]), let lost = Int(words[percent - 1]), ssrc < percent,
                let jitter = Double(words[percent + 5])
            else { throw LabError("tshark: \(output.standardOutput)") }
            return (packets, lost, jitter)
        }
    }
}
