import Foundation
import Seeds

/// A folder of its own that goes when this object does.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("apus-\(UUID().uuidString)").path
        try! FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A copy of a file with some bytes changed.
    func damaged(_ original: String, using random: inout Seeded) -> String {
        var bytes = [UInt8](FileManager.default.contents(atPath: original)!)
        for _ in 0..<8 {
            bytes[Int.random(in: 24..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
        }
        precondition(FileManager.default.createFile(atPath: file("damaged"), contents: Data(bytes)))
        return file("damaged")
    }
}
