import Foundation

/// The recorded streams that are shared between projects.
enum SharedCaptures {
    /// `$APUS_SHARED/captures`, or `../shared/captures` beside the package.
    static let folder: String = {
        if let shared = ProcessInfo.processInfo.environment["APUS_SHARED"] { return "\(shared)/captures" }
        return URL(fileURLWithPath: #filePath).pathComponents.dropLast(5).joined(separator: "/")
            + "/shared/captures"
    }()

    static let areHere = FileManager.default.fileExists(atPath: folder)

    /// The UDP payloads of a file of pcap(5), in its order.
    static func payloads(of name: String) -> [[UInt8]] {
        PacketFile.frames(at: "\(folder)/\(name)").compactMap { frame in
            // Ethernet and IPv4, which is all there is in them.
            guard frame.count > 42, frame[12] == 8, frame[13] == 0, frame[23] == 17 else { return nil }
            let header = 14 + Int(frame[14] & 15) * 4
            let length = Int(frame[header + 4]) << 8 | Int(frame[header + 5])
            return Array(frame[header + 8..<header + length])
        }
    }
}

/// The classic file format of tcpdump (draft-ietf-opsawg-pcap), in this machine's byte order.
enum PacketFile {
    static func frames(at path: String) -> [[UInt8]] {
        let octets = (FileManager.default.contents(atPath: path) ?? Data()).map(\.self)
        var frames: [[UInt8]] = []
        var offset = 24
        while octets.count - offset >= 16 {
            let length = (0..<4).reduce(0) { $0 | Int(octets[offset + 8 + $1]) << (8 * $1) }
            guard octets.count - offset - 16 >= length else { break }
            frames.append(Array(octets[offset + 16..<offset + 16 + length]))
            offset += 16 + length
        }
        return frames
    }
}
