import Apus

/// The help of a command, made from its description: how it is called, examples that can be typed as they
/// stand, then the options beneath their headings.
enum HelpText {
    /// The help as it is shown on `output`, which decides on width and emphasis.
    static func text(of command: Command, path: String, for output: Output) -> String {
        text(of: command, path: path, width: min(output.width, 100), style: output.style)
    }

    /// The help in lines of at most `width` columns; only what cannot be broken is longer.
    static func text(of command: Command, path: String, width: Int, style: Style) -> String {
        var page = Page(width: max(width, 40), style: style)
        page.add(wrapped("\(path): \(command.summary)", width: page.width))
        page.section(
            "Usage", usageLines(of: command, path: path).flatMap { page.indented($0, by: 2, hanging: 4) })
        if !command.examples.isEmpty {
            page.section(
                "Examples",
                command.examples.flatMap { page.indented($0.purpose + ":", by: 2) + ["    $ \($0.line)"] })
        }
        for paragraph in command.discussion { page.add([""] + wrapped(paragraph, width: page.width)) }
        page.section(
            "Commands", page.list(command.visibleSubcommands.map { ($0.name, sentence($0.summary)) }))
        page.section("Arguments", page.list(command.arguments.map { ($0.name, $0.help) }))
        for (heading, options) in sections(of: command) {
            page.section(heading, page.list(options.map { (label($0), explanation($0)) }))
        }
        if !command.subcommands.isEmpty {
            page.section(
                "Exit codes",
                page.list(
                    ExitCode.allCases.map { ("\($0.rawValue)", command.exitMeanings[$0] ?? $0.meaning) }))
        }
        return page.lines.joined(separator: "\n") + "\n"
    }

    /// How a command is called, a line for each way.
    static func usageLines(of command: Command, path: String) -> [String] {
        if !command.usage.isEmpty { return command.usage.map { "\(path) \($0)" } }
        if !command.subcommands.isEmpty { return ["\(path) COMMAND [options]"] }
        var line = path
        for argument in command.arguments {
            let name = argument.name + (argument.repeats ? "…" : "")
            line += argument.isRequired ? " \(name)" : " [\(name)]"
        }
        return [command.options.isEmpty ? line : "\(line) [options]"]
    }

    /// The options by heading, in the order in which the headings first come.
    static func sections(of command: Command) -> [(heading: String, options: [Option])] {
        var result: [(heading: String, options: [Option])] = []
        for option in command.allOptions {
            if let index = result.firstIndex(where: { $0.heading == option.section }) {
                result[index].options.append(option)
            } else {
                result.append((option.section, [option]))
            }
        }
        return result
    }

    /// `-t, --to ADDR:PORT`.
    private static func label(_ option: Option) -> String {
        let short = option.short.map { "-\($0), " } ?? "    "
        return short + option.name + (option.value.map { " \($0.name)" } ?? "")
    }

    /// What the option does, the words it takes, and what holds without it.
    static func explanation(_ option: Option) -> String {
        var text = option.help
        if case .words(let words) = option.value?.completion { text += " One of \(alternatives(words))." }
        if option.repeats { text += " May be given several times." }
        if let defaultText = option.defaultText { text += " Default: \(defaultText)." }
        return text
    }

    private static func sentence(_ text: String) -> String {
        text.prefix(1).uppercased() + text.dropFirst() + "."
    }
}

/// A help text in the making.
private struct Page {
    let width: Int
    let style: Style
    private(set) var lines: [String] = []

    init(width: Int, style: Style) { (self.width, self.style) = (width, style) }

    mutating func add(_ more: [String]) { lines += more }

    /// Adds a heading and what is beneath it, unless that is nothing.
    mutating func section(_ heading: String, _ body: [String]) {
        guard !body.isEmpty else { return }
        lines += ["", style.bold(heading + ":")] + body
    }

    func indented(_ text: String, by indent: Int, hanging: Int = 0) -> [String] {
        wrapped(text, width: width - indent - hanging).enumerated().map { index, line in
            String(repeating: " ", count: indent + (index > 0 ? hanging : 0)) + line
        }
    }

    /// Labels at the left and their explanations in a column; a long label has a line of its own.
    func list(_ items: [(label: String, text: String)]) -> [String] {
        let most = width / 3
        let column = items.map { displayWidth($0.label) }.filter { $0 <= most }.max() ?? most
        return items.flatMap { item in
            let texts = wrapped(item.text, width: width - column - 4)
            let margin = String(repeating: " ", count: column + 4)
            let rest = texts.dropFirst().map { margin + $0 }
            if displayWidth(item.label) > column { return ["  \(item.label)", margin + texts[0]] + rest }
            return ["  \(padded(item.label, to: column))  \(texts[0])"] + rest
        }
    }
}
