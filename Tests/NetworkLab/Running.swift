import Glibc
import Synchronization

/// What a command that ended well has written.
public struct Output: Sendable {
    /// Its standard output.
    public let standardOutput: String
    /// Its standard error.
    public let standardError: String
}

/// A background process of the lab. It is killed and reaped at the latest when the lab closes.
public final class Running: Sendable {
    /// The id of the process itself, not of a wrapper: signals reach the program.
    public let pid: pid_t
    /// The command as it was started, for messages.
    public let command: String

    private let outputFile: CInt
    private let errorFile: CInt
    private let status = Mutex<ExitStatus?>(nil)

    /// Starts a command with captured output; `prefix` is what enters the namespace and becomes the command.
    init(_ arguments: [String], prefix: [String], environment: [String: String], input: String) throws {
        guard let program = arguments.first, path(ofProgram: program) != nil else {
            throw LabError("\(arguments.first ?? "an empty command"): no such program in PATH")
        }
        command = arguments.joined(separator: " ")
        outputFile = try memoryFile("output")
        errorFile = try memoryFile("error")
        let inputFile = try memoryFile("input", content: input)
        defer { close(inputFile) }
        pid = try spawn(
            prefix + arguments, environment: environment, streams: (inputFile, outputFile, errorFile))
    }

    deinit {
        kill()
        close(outputFile)
        close(errorFile)
    }

    /// What it has written to standard output so far.
    public var output: String { text(of: outputFile) }

    /// What it has written to standard error so far.
    public var errors: String { text(of: errorFile) }

    /// How it ended, or nil while it runs. Reaps it when it has.
    public var exitStatus: ExitStatus? { waitForExit(within: .zero) }

    /// Whether it still runs.
    public var isRunning: Bool { exitStatus == nil }

    /// Waits for the process to end by itself.
    ///
    /// - Returns: how it ended, or nil if it still runs after `limit`.
    @discardableResult
    public func waitForExit(within limit: Duration = .seconds(10)) -> ExitStatus? {
        let deadline = ContinuousClock.now + limit
        while true {
            // One look at a time under the lock: two threads must not both reap the process.
            let ended = status.withLock { status in
                if status == nil { status = reap(pid, within: .zero) }
                return status
            }
            if let ended { return ended }
            if ContinuousClock.now >= deadline { return nil }
            usleep(2000)
        }
    }

    /// Sends a signal to the process, if it still runs.
    public func send(_ signal: CInt) {
        status.withLock { status in
            // Not reaped yet, so the id can't have been given to another process.
            if status == nil { _ = Glibc.kill(pid, signal) }
        }
    }

    /// Asks it to end with `signal`, waits, and kills it when it does not end in time.
    @discardableResult
    public func stop(_ signal: CInt = SIGTERM, within limit: Duration = .seconds(5)) -> ExitStatus {
        send(signal)
        return waitForExit(within: limit) ?? kill()
    }

    /// Ends it with SIGKILL, with everything in its process group, and reaps it.
    @discardableResult
    public func kill() -> ExitStatus {
        status.withLock { status in
            if let status { return status }
            _ = Glibc.kill(-pid, SIGKILL)
            _ = Glibc.kill(pid, SIGKILL)
            let ended = reap(pid, within: .seconds(10)) ?? .signaled(SIGKILL)
            status = ended
            return ended
        }
    }

    /// Waits until a line of standard output or standard error contains `text`.
    ///
    /// - Returns: that line.
    /// - Throws: `LabError` with all output when the process ends or the time passes without it.
    @discardableResult
    public func waitForLine(containing text: String, timeout: Duration = .seconds(10)) throws -> String {
        let deadline = ContinuousClock.now + timeout
        while true {
            // Looked at before the output is read, so that the last words of a process are not missed.
            let ended = exitStatus
            for stream in [output, errors] {
                if let line = stream.split(whereSeparator: \.isNewline).first(where: { $0.contains(text) }) {
                    return String(line)
                }
            }
            if let ended {
                throw LabError(
                    "`\(command)` ended (\(ended)) without writing \"\(text)\":\n\(output)\(errors)")
            }
            if ContinuousClock.now >= deadline {
                throw LabError(
                    "`\(command)` has not written \"\(text)\" in \(timeout):\n\(output)\(errors)")
            }
            usleep(5000)
        }
    }

    /// Waits for the end and gives the output.
    ///
    /// - Throws: `LabError` with what it wrote if it fails or does not end in time.
    func finish(within limit: Duration) throws -> Output {
        guard let ended = waitForExit(within: limit) else {
            kill()
            throw LabError("`\(command)` did not end in \(limit):\n\(output)\(errors)")
        }
        guard ended == .exited(0) else {
            throw LabError("`\(command)` failed (\(ended)):\n\(output)\(errors)")
        }
        return Output(standardOutput: output, standardError: errors)
    }
}
