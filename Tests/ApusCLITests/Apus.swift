import Foundation
import Testing

/// How a run of the built `apus` ended.
struct Finished {
    var code: Int32
    /// Whether a signal ended it.
    var isSignal: Bool
    var output: String
    var errors: String
}

/// The `apus` that was built with these tests, in the folder of the program that runs them.
let apusPath: String = {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    return own.deletingLastPathComponent().appendingPathComponent("apus").path
}()

/// Runs `apus` with these words and waits for its end.
func apus(_ words: String..., environment: [String: String] = [:]) throws -> Finished {
    try run(apusPath, words, environment: environment)
}

/// Runs a line of the shell, in which `apus` is the built one.
func shell(_ line: String, environment: [String: String] = [:]) throws -> Finished {
    try run("/bin/bash", ["-c", line], environment: environment)
}

private func run(_ path: String, _ words: [String], environment: [String: String]) throws -> Finished {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = words
    let folder = URL(fileURLWithPath: apusPath).deletingLastPathComponent().path
    process.environment = ["PATH": "\(folder):/usr/bin:/bin", "HOME": "/nonexistent"].merging(environment) {
        $1
    }
    // Files, as a pipe that is full would stop the program.
    let (output, errors) = (try ScratchFile(), try ScratchFile())
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = try FileHandle(forWritingTo: output.url)
    process.standardError = try FileHandle(forWritingTo: errors.url)
    try withSignalsUnblocked { try process.run() }
    process.waitUntilExit()
    return Finished(
        code: process.terminationStatus, isSignal: process.terminationReason == .uncaughtSignal,
        output: try output.text, errors: try errors.text)
}

/// Tests run on threads that block signals, and what they start would inherit that: timeout(1) could not end it.
private func withSignalsUnblocked(_ body: () throws -> Void) rethrows {
    var (none, before) = (sigset_t(), sigset_t())
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    try body()
}

/// A file that is gone when its last user is.
final class ScratchFile {
    let url: URL

    init(_ text: String = "", suffix: String = "txt") throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("apus-test-\(UUID().uuidString).\(suffix)")
        try Data(text.utf8).write(to: url)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    var path: String { url.path }
    var text: String { get throws { String(decoding: try Data(contentsOf: url), as: UTF8.self) } }
}
