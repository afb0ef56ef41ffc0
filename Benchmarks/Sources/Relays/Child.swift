import CTraffic
import Foundation

/// Something that could not be set up or went wrong while it was measured, in a sentence.
package struct RelayError: Error, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }

    static func code(_ what: String, _ code: Int32) -> RelayError {
        RelayError("\(what): \(unsafe String(cString: strerror(code)))")
    }
}

/// A program that runs beside the measurement, before others of the machine (see `traffic_start`).
final class Child {
    let pid: pid_t
    private let words: [String]
    private let output: Int32
    private var ending: Int32?

    /// Starts it.
    ///
    /// - Parameters:
    ///   - space: the process whose network and mount namespaces it is in; 0 for those of this process.
    ///   - core: the only core it runs on; `nil` for all.
    ///   - input: a descriptor that becomes its standard input; by default there is none to be read.
    init(_ words: [String], in space: pid_t = 0, core: Int? = nil, input: Int32? = nil) throws {
        let input = try input ?? memory("")
        defer { close(input) }
        self.words = words
        output = try memory("")
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        pid = unsafe traffic_start(&arguments, space, Int32(core ?? -1), input, output)
        guard pid > 0 else {
            close(output)
            throw RelayError.code(words[0], -pid)
        }
    }

    deinit {
        end()
        close(output)
    }

    /// What it has written so far, to standard output or error.
    var text: String {
        var facts = stat()
        guard unsafe fstat(output, &facts) == 0 else { return "" }
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        let count = unsafe pread(output, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    /// Whether it has not ended yet.
    var isRunning: Bool {
        var status: Int32 = 0
        if ending == nil, unsafe waitpid(pid, &status, WNOHANG) == pid { ending = status }
        return ending == nil
    }

    /// Waits until it has written that, or says what it wrote instead.
    func wait(for word: String, seconds: Double = 10) throws {
        try eventually("`\(name)` writes \"\(word)\"", seconds: seconds, { text }) {
            let isRunning = isRunning
            if text.contains(word) { return true }
            guard isRunning else { throw RelayError("`\(name)` ended: \(text)") }
            return false
        }
    }

    /// Waits until it has ended, and gives what it wrote.
    func finish(seconds: Double = 10) throws -> String {
        try eventually("`\(name)` ends", seconds: seconds, { text }) { !isRunning }
        guard ending == 0 else { throw RelayError("`\(name)` failed: \(text)") }
        return text
    }

    /// Has it end: asks, and after three seconds no longer asks.
    func end() {
        guard isRunning else { return }
        kill(pid, SIGTERM)
        try? eventually("", seconds: 3) { !isRunning }
        guard isRunning else { return }
        kill(pid, SIGKILL)
        try? eventually("", seconds: 3) { !isRunning }
    }

    private var name: String { words.joined(separator: " ") }

    /// Runs a program to its end, and gives what it wrote.
    @discardableResult
    static func run(_ words: [String], in space: pid_t = 0, input: String = "") throws -> String {
        try Child(words, in: space, input: memory(input)).finish()
    }
}

/// Runs a program to its end, and gives what it wrote.
package func output(of words: [String]) throws -> String { try Child.run(words) }

/// Looks a hundred times a second whether something is so; throws when it is not in time.
func eventually(
    _ what: String, seconds: Double = 10, _ detail: () -> String = { "" }, _ isSo: () throws -> Bool
) throws {
    let limit = ContinuousClock.now + .seconds(seconds)
    while try !isSo() {
        guard ContinuousClock.now < limit else {
            throw RelayError("not within \(seconds) s: \(what). \(detail())")
        }
        usleep(10_000)
    }
}

/// A file in memory with that text, to be read from its beginning.
private func memory(_ text: String) throws -> Int32 {
    let file = traffic_memory()
    guard file >= 0 else { throw RelayError.code("memfd_create", -file) }
    var text = text
    text.withUTF8 { _ = unsafe pwrite(file, $0.baseAddress, $0.count, 0) }
    return file
}
