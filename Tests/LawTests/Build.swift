import Foundation

/// Where things are: the sources of this package, and what was built of it.
enum Layout {
    /// The package's folder.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    /// The folder that the running tests were built in, with the modules they use.
    static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().path
}

/// A program that was run to its end.
struct Ran {
    let status: Int32
    let output: String

    /// Runs a program of the PATH, standard error going where standard output goes.
    init(_ arguments: [String], in folder: String = Layout.root) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        // A file rather than a pipe: what the program starts and leaves behind must not keep us waiting.
        let folder = TemporaryFolder()
        let log = folder.file("log")
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        let handle = FileHandle(forWritingAtPath: log)!
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = handle
        process.standardError = handle
        try process.run()
        process.waitUntilExit()
        status = process.terminationStatus
        output = String(decoding: FileManager.default.contents(atPath: log) ?? Data(), as: UTF8.self)
    }
}

/// The package Examples, built once for all tests as its users build it.
enum Examples {
    /// Where its programs are, or what the build said.
    static let programs: Result<String, BuildFailure> = {
        // Else a build that was made before does not see files that have come to this package since.
        try? FileManager.default.setAttributes(
            [.modificationDate: Date()], ofItemAtPath: Layout.root + "/Examples/Package.swift")
        let build = ["swift", "build", "-c", "release", "--package-path", "Examples"]
        guard let ran = try? Ran(build), let path = try? Ran(build + ["--show-bin-path"]) else {
            return .failure(BuildFailure(output: "swift is not on the PATH"))
        }
        guard ran.status == 0 else { return .failure(BuildFailure(output: ran.output)) }
        return .success(path.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }()

    struct BuildFailure: Error, CustomStringConvertible {
        let output: String
        var description: String { "the package Examples was not built:\n\(output)" }
    }

    /// Whether ports over DPDK are among them.
    static let hasDPDK = FileManager.default.fileExists(atPath: "/usr/include/dpdk/rte_ethdev.h")

    /// The path of one of its programs.
    static func program(_ name: String) throws -> String { try programs.get() + "/" + name }
}
