import Foundation
import Glibc
import NetworkLab
import Testing

/// A running `apus forward` that is ready.
final class ApusForward: Sendable {
    let process: Running
    private let scratch: Scratch

    /// Where it takes orders.
    var controlSocket: String { scratch("control") }

    /// Starts it with options.
    init(in space: Namespace, _ options: [String], environment: [String: String] = [:]) throws {
        scratch = try Scratch()
        process = try space.start(
            [ApusProgram.path, "forward", "--json", "--control", scratch("control")] + options,
            environment: environment)
        try process.waitForLine(containing: "ready", timeout: .seconds(20))
    }

    /// Starts it with the text of a configuration file, without its braces; a control socket is added.
    init(in space: Namespace, configuration: String, timeout: Duration = .seconds(20)) throws {
        scratch = try Scratch()
        try scratch.write("forward.json5", Self.file(configuration, control: scratch("control")))
        process = try space.start(
            [ApusProgram.path, "forward", "--json", "--config", scratch("forward.json5")])
        try process.waitForLine(containing: "ready", timeout: timeout)
    }

    private static func file(_ configuration: String, control: String) -> String {
        "{ control: { socket: \"\(control)\" },\n\(configuration)\n}\n"
    }

    /// Replaces the configuration file; it is not read before a reload.
    func rewrite(_ configuration: String) throws {
        try scratch.write("forward.json5", Self.file(configuration, control: controlSocket))
    }

    /// Asks on the control socket and gives the line of the answer.
    func ask(_ command: String) throws -> Data {
        try Data(ControlClient(controlSocket).ask(command))
    }

    private struct Answer: Decodable {
        var ok: Bool
        var error: String?
        var status: Status?
    }

    /// The figures so far.
    func status() throws -> Status {
        let answer = try JSONDecoder().decode(Answer.self, from: ask("status"))
        return try #require(answer.status, "\(answer.error ?? "no status in the answer")")
    }

    /// Has the configuration read again, and waits for it to be in force.
    func reload() throws {
        let answer = try JSONDecoder().decode(Answer.self, from: ask("reload"))
        guard answer.ok else { throw LabError("reload: \(answer.error ?? "refused")") }
    }

    /// Waits until the figures are as wanted.
    @discardableResult
    func wait(
        for what: String, within limit: Duration = .seconds(20), until isMet: (Status) -> Bool
    ) throws -> Status {
        let deadline = ContinuousClock.now + limit
        while true {
            let status = try status()
            if isMet(status) { return status }
            if ContinuousClock.now >= deadline {
                throw LabError(
                    """
                    not in \(limit): \(what); received \(status.received), accepted \(status.accepted), sent \
                    \(status.sent), waiting \(status.waiting), \(status.drops), \(status.unreachable)
                    \(process.errors)
                    """)
            }
            usleep(20_000)
        }
    }

    /// Ends it and gives the final figures.
    func finish(_ signal: CInt = SIGTERM, _ location: SourceLocation = #_sourceLocation) throws -> Status {
        let ended = process.stop(signal, within: .seconds(20))
        #expect(ended == .exited(0), "\(process.errors)", sourceLocation: location)
        let last = try #require(
            process.output.split(whereSeparator: \.isNewline).last, "\(process.errors)",
            sourceLocation: location)
        let status = try JSONDecoder().decode(Status.self, from: Data(last.utf8))
        expectConserved(status, location)
        return status
    }

    /// Kilobytes of memory in use (VmRSS of proc(5)).
    var residentKilobytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    }
}
