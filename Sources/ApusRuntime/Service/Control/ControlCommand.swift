/// What can be asked on the control socket, one word a line.
package enum ControlCommand: String, CaseIterable, Sendable {
    case status
    case reload
    case stop
    case help

    /// What `help` says of it.
    var meaning: String {
        switch self {
        case .status: "the figures so far"
        case .reload: "read the configuration again"
        case .stop: "end with a summary"
        case .help: "this list"
        }
    }
}

/// What a command is answered with: one JSON object on a line, with `ok` first.
enum ControlAnswer {
    /// Done: `{"ok":true}`, with what else there is to say.
    case done([String: UInt64] = [:])
    /// Not done, and why; the kind where it has one.
    case failed(String, FailureKind? = nil)
    /// The figures.
    case status(StatusSnapshot)
    /// It will come: see ``ControlSocket/answerWaiting(_:)``.
    case later

    /// The text of the answer; nil for one that comes later.
    func text() -> (any TextSource)? {
        var writer = JSONWriter()
        switch self {
        case .later: return nil
        case .status(let snapshot): return StatusJSON(answerWith: snapshot)
        case .done(let facts):
            writer.openObject()
            writer.add("ok", true)
            for (key, value) in facts.sorted(by: { $0.key < $1.key }) { writer.add(key, value) }
        case .failed(let reason, let kind):
            writer.openObject()
            writer.add("ok", false)
            if let kind { writer.add("kind", kind.rawValue) }
            writer.add("error", reason)
        }
        writer.closeObject()
        return WholeText(String(decoding: writer.bytes, as: UTF8.self) + "\n")
    }

    /// The commands there are.
    static var help: any TextSource {
        var writer = JSONWriter()
        writer.openObject()
        writer.add("ok", true)
        writer.openObject("commands")
        for command in ControlCommand.allCases { writer.add(command.rawValue, command.meaning) }
        writer.closeObject()
        writer.closeObject()
        return WholeText(String(decoding: writer.bytes, as: UTF8.self) + "\n")
    }
}
