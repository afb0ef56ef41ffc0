import Glibc
import NetworkLab
import Testing

/// A file of frames in the form of pcap(5), microseconds, least significant octet first.
struct Capture {
    var frames: [[UInt8]]

    init(frames: [[UInt8]]) { self.frames = frames }

    /// Reads a file; nil if there is none, or none of this form.
    init?(path: String) {
        guard let octets = Self.contents(path), octets.starts(with: [0xd4, 0xc3, 0xb2, 0xa1]) else {
            return nil
        }
        frames = []
        var offset = 24
        while octets.count - offset >= 16 {
            let length = (0..<4).reduce(0) { $0 | Int(octets[offset + 8 + $1]) << (8 * $1) }
            frames.append(Array(octets[offset + 16..<offset + 16 + length]))
            offset += 16 + length
        }
    }

    /// Writes a file of Ethernet frames.
    func write(to path: String) throws {
        func word(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (8 * $0) & 0xff) } }
        var octets: [UInt8] =
            [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0] + word(0) + word(0) + word(65535) + word(1)
        for (number, frame) in frames.enumerated() {
            octets += word(number) + word(0) + word(frame.count) + word(frame.count) + frame
        }
        guard let file = unsafe fopen(path, "wb") else { throw LabError("can not write \(path)") }
        defer { unsafe fclose(file) }
        let written = unsafe fwrite(octets, 1, octets.count, file)
        try #require(written == octets.count)
    }

    private static func contents(_ path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "rb") else { return nil }
        defer { unsafe fclose(file) }
        var octets: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe fread(&chunk, 1, chunk.count, file)
            if count == 0 { return octets }
            octets += chunk[..<count]
        }
    }
}

/// The folder of captures that developers share, which a user's clone has not.
enum SharedCaptures {
    static let folder: String = {
        if let folder = unsafe getenv("APUS_SHARED") { return unsafe String(cString: folder) + "/captures" }
        return #filePath.split(separator: "/").dropLast(4).reduce("") { $0 + "/" + $1 }
            + "/../shared/captures"
    }()

    static let areHere = unsafe access(folder + "/h264.pcap", F_OK) == 0
}
