import Foundation
import Glibc
import NetworkLab

/// GStreamer at both ends.
enum GStreamer {
    /// Sends all clips at the pace of their frames, receives them, and gives the decoded pictures and samples.
    ///
    /// - Parameter lengths: how many octets each is expected to give; less is given when no more comes.
    static func run(_ passages: [Passage], lengths: [Int]) throws -> [[UInt8]] {
        let scratch = try Scratch()
        let receivers = try passages.enumerated().map { number, passage in
            try receive(passage, into: scratch("\(number).raw"))
        }
        for (passage, receiver) in zip(passages, receivers) {
            try waitForPort(passage.arrival.port, of: receiver)
        }
        let senders = try passages.enumerated().map { number, passage in
            try Data(Clip.files[passage.clip] ?? []).write(to: URL(fileURLWithPath: scratch("\(number).mkv")))
            return try send(passage, scratch("\(number).mkv"))
        }
        for sender in senders where sender.waitForExit(within: .seconds(30)) != .exited(0) {
            throw LabError("`\(sender.command)` has not sent all: \(sender.output)\(sender.errors)")
        }
        return passages.indices.map { number in
            waitForSize(of: "\(number).raw", in: scratch, atLeast: lengths[number])
            receivers[number].kill()
            return scratch.read("\(number).raw")
        }
    }

    private static func waitForSize(of name: String, in scratch: Scratch, atLeast length: Int) {
        let deadline = ContinuousClock.now + .seconds(20)
        var (last, since) = (0, ContinuousClock.now)
        while scratch.size(name) < length, ContinuousClock.now < deadline {
            usleep(20_000)
            let size = scratch.size(name)
            if size != last { (last, since) = (size, ContinuousClock.now) }
            if ContinuousClock.now - since > .seconds(4) { return }
        }
    }

    private static func receive(_ passage: Passage, into file: String) throws -> Running {
        let medium = passage.clip == .opus ? "audio" : "video"
        let (name, rate, chain) =
            switch passage.clip {
            case .h264:
                (
                    "H264", 90000,
                    "rtph264depay ! h264parse ! avdec_h264 max-threads=1 ! video/x-raw,format=I420"
                )
            case .vp8: ("VP8", 90000, "rtpvp8depay ! vp8dec ! video/x-raw,format=I420")
            case .opus: ("OPUS", 48000, "rtpopusdepay ! opusdec ! audio/x-raw,format=S16LE")
            }
        let pipeline = """
            udpsrc address=\(passage.arrival.address) port=\(passage.arrival.port) buffer-size=4000000 \
            caps=application/x-rtp,media=\(medium),encoding-name=\(name),payload=\(passage.clip.payloadType),clock-rate=\(rate) \
            ! \(chain) ! filesink buffer-mode=unbuffered sync=false location=\(file)
            """
        return try passage.receiver.start(["gst-launch-1.0", "-q"] + words(pipeline))
    }

    private static func send(_ passage: Passage, _ file: String) throws -> Running {
        let type = passage.clip.payloadType
        let chain =
            switch passage.clip {
            case .h264: "h264parse ! rtph264pay config-interval=-1 mtu=1200 pt=\(type)"
            case .vp8: "rtpvp8pay mtu=1200 pt=\(type)"
            case .opus: "opusparse ! rtpopuspay pt=\(type)"
            }
        let pipeline = """
            filesrc location=\(file) ! matroskademux ! \(chain) \
            ! udpsink host=\(passage.target.address) port=\(passage.target.port)
            """
        return try passage.sender.start(["gst-launch-1.0", "-q"] + words(pipeline))
    }

    private static func words(_ pipeline: String) -> [String] {
        pipeline.split(separator: " ").map(String.init)
    }
}
