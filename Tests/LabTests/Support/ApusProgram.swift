import Foundation

/// The `apus` under test.
enum ApusProgram {
    /// The release build if it is newer than all sources (`make test` makes it first), else the one that was
    /// built with the tests.
    static let path: String = {
        if let built = modified(release), built >= newestSource { return release.path }
        return own.appendingPathComponent("apus").path
    }()

    /// Whether it is the release build.
    static var isRelease: Bool { path == release.path }
    private static let release = own.deletingLastPathComponent().appendingPathComponent("release/apus")

    /// Another program that was built with the tests.
    static func beside(_ name: String) -> String { own.appendingPathComponent(name).path }

    /// The tests themselves.
    static let tests = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    private static let own = tests.deletingLastPathComponent()

    private static var newestSource: Date {
        let package = URL(fileURLWithPath: #filePath).pathComponents.dropLast(4).joined(separator: "/")
        let files = FileManager.default.enumerator(
            at: URL(fileURLWithPath: package + "/Sources"), includingPropertiesForKeys: nil)
        var newest = Date.distantPast
        while let file = files?.nextObject() as? URL {
            if file.pathExtension == "swift" { newest = max(newest, modified(file) ?? newest) }
        }
        return newest
    }

    private static func modified(_ file: URL) -> Date? {
        (try? FileManager.default.attributesOfItem(atPath: file.path))?[.modificationDate] as? Date
    }
}

/// A folder that is gone when its last user is.
final class Scratch: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.appendingPathComponent("apus-lab-\(UUID().uuidString)")
            .path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The path of a file in it.
    func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file in it, in one step, and gives its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: self(name)), options: .atomic)
        return self(name)
    }

    /// The octets of a file in it; none if it is not there.
    func read(_ name: String) -> [UInt8] {
        (FileManager.default.contents(atPath: self(name)) ?? Data()).map(\.self)
    }

    /// The size of a file in it.
    func size(_ name: String) -> Int {
        ((try? FileManager.default.attributesOfItem(atPath: self(name)))?[.size] as? Int) ?? 0
    }
}
