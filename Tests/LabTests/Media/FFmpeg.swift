import Foundation
import Glibc
import NetworkLab

/// ffmpeg at both ends.
enum FFmpeg {
    /// What came of a clip.
    struct Decoded {
        /// The MD5 of each frame.
        var frames: [String]
        /// What the decoder had to say.
        var complaints: String
    }

    /// Sends all clips at the pace of their frames, receives them, and gives the frames that were decoded.
    static func run(_ passages: [Passage]) throws -> [Decoded] {
        let scratch = try Scratch()
        let receivers = try passages.enumerated().map { number, passage in
            try receive(passage, scratch.write("\(number).sdp", passage.sessionDescription))
        }
        for (passage, receiver) in zip(passages, receivers) {
            try waitForPort(passage.arrival.port, of: receiver)
        }
        let senders = try passages.enumerated().map { number, passage in
            try Data(Clip.files[passage.clip] ?? []).write(to: URL(fileURLWithPath: scratch("\(number).mkv")))
            return try send(passage, scratch("\(number).mkv"))
        }
        for sender in senders where sender.waitForExit(within: .seconds(20)) != .exited(0) {
            throw LabError("`\(sender.command)` has not sent all: \(sender.errors)")
        }
        // The last packet may still be in a ring, or a receiver has not had its turn: it reads the goodbye first.
        usleep(300_000)
        for (passage, receiver) in zip(passages, receivers) {
            var looks = 0
            try eventually("all packets read by `\(receiver.command)`") {
                looks = isDrained(passage.arrival.port, of: receiver) ? looks + 1 : 0
                return looks == 10
            }
        }
        for passage in passages { try sayGoodbye(passage) }
        return try receivers.map { receiver in
            guard receiver.waitForExit(within: .seconds(20)) == .exited(0) else {
                throw LabError("`\(receiver.command)` has not ended at the goodbye: \(receiver.errors)")
            }
            let frames = receiver.output.split(separator: "\n").filter { !$0.hasPrefix("#") }.map {
                $0.split(separator: ",").last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
            }
            return Decoded(frames: frames, complaints: receiver.errors)
        }
    }

    /// What ffmpeg should send at the end and does not: an RTCP compound of an empty receiver report and a
    /// goodbye (RFC 3550 sections 6.1 and 6.6). At it the receiver ends by itself.
    private static func sayGoodbye(_ passage: Passage) throws {
        let source: [UInt8] = [1, 2, 3, 4]
        let compound = [0x80, 201, 0, 1] + source + [0x81, 203, 0, 1] + source
        let any = passage.target.family == .v4 ? "0.0.0.0" : "::"
        try UDPSocket(in: passage.sender, any).send(
            compound, to: SocketAddress(passage.target.address, passage.target.port + 1))
    }

    private static func receive(_ passage: Passage, _ file: String) throws -> Running {
        try passage.receiver.start([
            "ffmpeg", "-nostdin", "-v", "warning", "-protocol_whitelist", "file,udp,rtp", "-buffer_size",
            "4000000",
            "-threads", "1", "-i", file, "-fps_mode", "passthrough", "-f", "framemd5", "-",
        ])
    }

    private static func send(_ passage: Passage, _ file: String) throws -> Running {
        let parameterSets = passage.clip == .h264 ? ["-bsf:v", "h264_mp4toannexb"] : []
        let url = passage.target.family.endpoint(passage.target.address, passage.target.port)
        return try passage.sender.start(
            ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", file, "-c", "copy"] + parameterSets + [
                "-payload_type", "\(passage.clip.payloadType)", "-f", "rtp", "rtp://\(url)?pkt_size=1200",
            ])
    }
}

extension Passage {
    fileprivate var sessionDescription: String {
        clip.description(at: arrival.address, arrival.port, arrival.family)
    }
}

/// Waits until a process, or another one in its namespace, has bound a UDP port.
func waitForPort(_ port: Int, of process: Running) throws {
    let deadline = ContinuousClock.now + .seconds(10)
    while ContinuousClock.now < deadline {
        if !sockets(port, of: process).isEmpty { return }
        guard process.isRunning else { break }
        usleep(10_000)
    }
    throw LabError("`\(process.command)` has not bound port \(port): \(process.errors)")
}

/// Whether there is nothing left to be read on a UDP port in the namespace of a process.
private func isDrained(_ port: Int, of process: Running) -> Bool {
    // `tx_queue:rx_queue` of proc(5).
    sockets(port, of: process).allSatisfy { $0.count > 4 && $0[4].hasSuffix(":00000000") }
}

/// The UDP sockets with a port in the namespace of a process, as its tables have them.
private func sockets(_ port: Int, of process: Running) -> [[Substring]] {
    let wanted = ":" + String(format: "%04X", port)
    return ["udp", "udp6"].flatMap { table in
        let text = try? String(contentsOfFile: "/proc/\(process.pid)/net/\(table)", encoding: .utf8)
        return (text ?? "").split(separator: "\n").dropFirst().map { $0.split(separator: " ") }
            .filter { $0.count > 1 && $0[1].hasSuffix(wanted) }
    }
}
