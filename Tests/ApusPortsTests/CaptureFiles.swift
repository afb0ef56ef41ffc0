import Foundation

/// A file name in a folder of its own that goes when this value does.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        let url = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)")
        try! FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func file(_ name: String, holding bytes: [UInt8]) -> String {
        // Not by FileManager, which waits for the disk.
        let descriptor = unsafe open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        precondition(unsafe write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
        return file(name)
    }
}

/// The bytes of a file.
func contents(_ path: String) -> [UInt8] { [UInt8](FileManager.default.contents(atPath: path)!) }

/// When a packet was recorded, what of it, and how long it was.
typealias RecordedPacket = (seconds: UInt32, micros: UInt32, bytes: [UInt8], length: Int)

/// A capture in microseconds, little-endian, as tcpdump writes it; each packet with its recorded and its
/// true length.
func classicCapture(
    linkType: UInt32 = 1, packets: [RecordedPacket]
) -> [UInt8] {
    var file: [UInt8] = []
    func put(_ value: UInt32) { file += (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
    put(0xa1b2_c3d4)
    put(4 << 16 | 2)
    put(0)
    put(0)
    put(262_144)
    put(linkType)
    for packet in packets {
        put(packet.seconds)
        put(packet.micros)
        put(UInt32(packet.bytes.count))
        put(UInt32(packet.length))
        file += packet.bytes
    }
    return file
}

/// What a program prints; `nil` when it is not installed.
func printed(by program: String, _ arguments: String...) -> String? {
    let path = ["/usr/bin/", "/usr/sbin/", "/bin/"].map { $0 + program }
        .first { FileManager.default.isExecutableFile(atPath: $0) }
    guard let path else { return nil }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self)
}
