import Foundation
import NetworkLab

/// Two seconds of picture or sound, encoded once; the same octets in each run of the tests.
enum Clip: String, CaseIterable, Sendable {
    case h264 = "H.264"
    case vp8 = "VP8"
    case opus = "Opus"

    /// The frames of picture in it.
    static let pictures = 2 * 25
    /// The seconds of sound.
    static let seconds = 2

    /// The Matroska file, of one encoder thread and without the encoder's version in it.
    static let files: [Clip: [UInt8]] = {
        var files: [Clip: [UInt8]] = [:]
        for clip in allCases { files[clip] = try? clip.encode() }
        return files
    }()

    private func encode() throws -> [UInt8] {
        let scratch = try Scratch()
        let source: [String]
        switch self {
        case .opus:
            source = [
                "sine=frequency=440:sample_rate=48000", "-t", "\(Self.seconds)", "-ac", "2", "-c:a",
                "libopus", "-b:a",
                "96k",
            ]
        case .h264:
            source = [
                "testsrc2=size=320x240:rate=25", "-frames:v", "\(Self.pictures)", "-pix_fmt", "yuv420p",
                "-c:v",
                "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25",
            ]
        case .vp8:
            source = [
                "testsrc2=size=320x240:rate=25", "-frames:v", "\(Self.pictures)", "-pix_fmt", "yuv420p",
                "-c:v",
                "libvpx", "-deadline", "good", "-cpu-used", "5", "-b:v", "800k", "-g", "25",
            ]
        }
        try NetworkLab.run(
            ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i"] + source
                + ["-threads", "1", "-bitexact", "-y", scratch("clip.mkv")], timeout: .seconds(60))
        return scratch.read("clip.mkv")
    }

    /// Its RTP payload type (dynamic, RFC 3551).
    var payloadType: Int {
        switch self {
        case .h264: 96
        case .vp8: 97
        case .opus: 98
        }
    }

    /// As an SDP (RFC 8866) that tells a receiver where it comes and what it is.
    func description(at address: String, _ port: Int, _ family: Family) -> String {
        let medium = self == .opus ? "audio" : "video"
        let mapping =
            switch self {
            case .h264: "H264/90000"
            case .vp8: "VP8/90000"
            case .opus: "opus/48000/2"
            }
        let version = family == .v4 ? "IP4" : "IP6"
        return """
            v=0
            o=- 0 0 IN \(version) \(address)
            s=clip
            c=IN \(version) \(address)
            t=0 0
            m=\(medium) \(port) RTP/AVP \(payloadType)
            a=rtpmap:\(payloadType) \(mapping)

            """
    }
}

/// One clip on its way from a sender to a receiver.
struct Passage: Sendable {
    var clip: Clip
    var sender: Namespace
    /// Where the sender sends it.
    var target: (family: Family, address: String, port: Int)
    var receiver: Namespace
    /// Where the receiver waits for it.
    var arrival: (family: Family, address: String, port: Int)
}
