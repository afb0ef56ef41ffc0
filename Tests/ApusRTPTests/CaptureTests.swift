import ApusRTP
import ApusRings
import ApusWire
import Foundation
import Seeds
import Testing

/// Captures of real RTP, and tshark's opinion of them.
@Suite("Beside tshark") struct CaptureTests {
    /// One line of tshark's `rtp,streams`.
    private struct Stream {
        var ssrc: UInt32
        var packets: Int
        var lost: Int
        var meanJitter: Double
        var maximumJitter: Double
    }

    /// The captures' folder, unless it is not there: that is said, and in CI a failure.
    private static func capture(_ name: String) -> URL? {
        let environment = ProcessInfo.processInfo.environment
        let shared =
            environment["APUS_SHARED"].map { URL(fileURLWithPath: $0) }
            ?? URL(fileURLWithPath: #filePath).appending(path: "../../../../shared").standardizedFileURL
        let file = shared.appending(path: "captures").appending(path: name)
        guard !FileManager.default.fileExists(atPath: file.path) else { return file }
        print("SKIPPED: no capture at \(file.path); APUS_SHARED names the folder that has captures/")
        return nil
    }

    private static func tshark(_ file: URL, port: UInt16) throws -> [Stream] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/tshark")
        process.arguments = ["-n", "-r", file.path, "-d", "udp.port==\(port),rtp", "-q", "-z", "rtp,streams"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard let position = words.firstIndex(where: { $0.hasPrefix("0x") }), words.count > position + 10
            else { return nil }
            // The payload type may be of several words; "n (x%)" is what it ends before.
            guard let percent = words.firstIndex(where: { $0.hasPrefix("(") }) else { return nil }
            return Stream(
                ssrc: UInt32(words[position].dropFirst(2), radix: 16)!, packets: Int(words[percent - 2])!,
                lost: Int(words[percent - 1])!, meanJitter: Double(words[percent + 5])!,
                maximumJitter: Double(words[percent + 6])!)
        }
    }

    /// The frames of a classic pcap file, with their times in nanoseconds.
    private static func frames(_ file: URL) throws -> [(time: UInt64, bytes: [UInt8])] {
        let data = [UInt8](try Data(contentsOf: file))
        func number(_ offset: Int) -> UInt64 {
            (0..<4).reduce(0) { $0 | UInt64(data[offset + $1]) << UInt64(8 * $1) }
        }
        let unit: UInt64 = number(0) == 0xa1b2_3c4d ? 1 : 1000
        var frames: [(time: UInt64, bytes: [UInt8])] = []
        var offset = 24
        while offset + 16 <= data.count {
            let length = Int(number(offset + 8))
            frames.append(
                (
                    number(offset) * 1_000_000_000 + number(offset + 4) * unit,
                    Array(data[offset + 16..<offset + 16 + length])
                ))
            offset += 16 + length
        }
        return frames
    }

    @Test(arguments: [("h264.pcap", "10.2.2.2:1235"), ("vp8.pcap", "10.1.1.1:5443")])
    func `packets, loss and source are what tshark finds`(_ name: String, _ listen: String) throws {
        guard let file = Self.capture(name) else {
            return #expect(ProcessInfo.processInfo.environment["CI"] == nil, "the captures are missing")
        }
        let endpoint = Endpoint(listen)!
        let theirs = try #require(try Self.tshark(file, port: endpoint.port).first)
        let frames = try Self.frames(file)
        var engine = Engine(.listening(endpoint))
        for frame in frames {
            let mac = try EthernetView(checking: frame.bytes.raw).destination
            let accepted = engine.relay.accept(
                frame.bytes.raw, Relay.Arrival(interface: mac, time: frame.time), counters: engine.counters)
            #expect(accepted != nil)
        }
        let ours = engine.figures()
        #expect(Int(ours.packets) == theirs.packets)
        #expect(Int(ours.lost) == theirs.lost)
        #expect(ours.ssrc == theirs.ssrc)
        #expect(ours.notRTP == 0 && ours.rtcp == 0 && ours.unmeasured == 0)
        #expect(engine.refused == 0)
        // Only the longer one lasts long enough to measure its clock.
        #expect(engine.counters.streams[0].clockRate.value == (name == "vp8.pcap" ? 90_000 : 0))
    }

    @Test(arguments: [0 as UInt8, 8, 34]) func `jitter and loss are what tshark finds`(_ type: UInt8) throws {
        let rate = try #require(ClockRate.ofStaticPayloadType(type))
        var random = Seeded(UInt64(type))
        var pcap: [UInt8] = [0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0] + [UInt8](repeating: 0, count: 8)
        pcap += [0xff, 0xff, 0, 0, 1, 0, 0, 0]
        var engine = Engine(.listening(Traffic.v4))
        let start: UInt64 = 1_700_000_000_000_000_000
        var (sum, highest, packets) = (0.0, 0.0, 0)
        for number in 0..<3000 where random.below(50) > 0 || number == 0 {
            // 20 ms apart, up to 15 ms late; whole microseconds, never out of order.
            let time = start + UInt64(number) * 20_000_000 + UInt64(random.below(15_000)) * 1000
            let payload = Traffic.rtp(
                UInt16(truncatingIfNeeded: 65_000 + number),
                timestamp: UInt32(truncatingIfNeeded: number * Int(rate) / 50), ssrc: 99, type: type)
            let frame = Traffic.frame(payload)
            for field in [
                time / 1_000_000_000, time % 1_000_000_000, UInt64(frame.count), UInt64(frame.count),
            ] {
                pcap += (0..<4).map { UInt8(truncatingIfNeeded: field >> UInt64(8 * $0)) }
            }
            pcap += frame
            _ = engine.accept(frame, at: time)
            let jitter = engine.figures().jitter!
            (sum, highest, packets) = (sum + jitter, max(highest, jitter), packets + 1)
        }
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-jitter-\(UUID()).pcap")
        try Data(pcap).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let theirs = try #require(try Self.tshark(file, port: Traffic.v4.port).first)
        #expect(theirs.packets == packets)
        #expect(theirs.lost == Int(engine.figures().lost))
        // tshark computes in floating point; here a unit of the clock is the least.
        #expect(abs(theirs.meanJitter - sum / Double(packets)) < 0.1)
        #expect(abs(theirs.maximumJitter - highest) < 0.1)
        #expect(highest > 4)
    }
}
