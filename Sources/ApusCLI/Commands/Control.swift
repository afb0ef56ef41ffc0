import Apus
import ApusConfig
import ApusRuntime
import FoundationEssentials

/// `apus control`: asks and steers a running forwarder by its control socket.
enum Control {
    private static let json = Option(
        long: "json", help: "Print what the forwarder answers, an object on a line.")
    private static let words = ControlCommand.allCases.map(\.rawValue)

    static let command = Command(
        name: "control",
        summary: "ask and steer a running forwarder",
        discussion: [
            "The forwarder listens at the socket that its configuration names, or --control of apus forward. "
                + "\"status\" prints the figures so far, \"reload\" has it read its configuration again and tells "
                + "what came of it, \"stop\" ends it and returns when it has ended, \"help\" lists what it can be asked.",
            "A reload that is refused ends with the code that a start with that file would end with. A forwarder that "
                + "does not answer, as it is stopped or hangs, is waited for 5 seconds, for a reload or a stop 60.",
        ],
        options: [json],
        arguments: [
            Argument(name: "SOCKET", help: "The path of the control socket.", completion: .file),
            Argument(name: "COMMAND", help: "What to do: \(alternatives(words)).", completion: .words(words)),
        ],
        examples: [
            Example(
                purpose: "Take up a configuration that was changed",
                line: "apus control /run/apus/control.sock reload"),
            Example(
                purpose: "The packets lost by each stream, with jq(1)",
                line: "apus control /run/apus/control.sock status --json | "
                    + "jq -r '.status.streams[] | [.name, .figures.lost] | @tsv'"),
        ],
        run: run)

    @Sendable private static func run(_ invocation: Invocation) throws(ExitFailure) {
        let (path, word) = (invocation.arguments[0], invocation.arguments[1])
        guard words.contains(word) else {
            let near = nearestName(to: word, among: words).map { "did you mean \($0)?" }
            throw ExitFailure(
                .usage,
                "unknown command \(word.quoted); \(near ?? "there are: " + words.joined(separator: ", "))")
        }
        let connection = try ControlConnection(path)
        let line = try connection.ask(word, within: word == "reload" || word == "stop" ? 60 : 5)
        guard let answer = ControlReply(line) else {
            throw ExitFailure(
                .unavailable, "what serves \(path.quoted) is no forwarder: it answered \(line.quoted)")
        }
        if word == "stop", answer.ok { try connection.waitForEnd() }
        if invocation.has(json) {
            invocation.output.line(line)
        } else if answer.ok {
            for line in answer.lines { invocation.output.line(line) }
        }
        guard answer.ok else {
            let kind = answer.kind.flatMap(FailureKind.init) ?? .unavailable
            throw ExitFailure(
                ExitCode(kind), answer.error ?? "the forwarder does not do it, and does not say why")
        }
    }
}

/// What a forwarder answers on its control socket.
private struct ControlReply: Decodable {
    var ok: Bool
    var error: String?
    /// The name of a ``FailureKind``, where the error has one.
    var kind: String?
    var status: ForwarderStatus?
    /// Streams in the configuration that was taken up.
    var streams: Int?
    /// What can be asked, and what it does.
    var commands: [String: String]?

    init?(_ line: String) {
        guard let reply = try? JSONDecoder().decode(Self.self, from: Data(line.utf8)) else { return nil }
        self = reply
    }

    /// The answer in words; nothing where there is nothing to add to its success.
    var lines: [String] {
        if let status { return ForwardSummary.lines(status, isRunning: true) }
        if let streams {
            return ["the configuration is in force: \(Units.count(streams)) stream\(streams == 1 ? "" : "s")"]
        }
        let names = ControlCommand.allCases.map(\.rawValue).filter { commands?[$0] != nil }
        let width = names.map(\.count).max() ?? 0
        return names.map { "\(padded($0, to: width))  \(commands?[$0] ?? "")".printable }
    }
}
