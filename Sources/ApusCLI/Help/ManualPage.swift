import Apus
import ApusRuntime

/// The manual page of the whole tree, in mdoc(7).
func manualPage(_ root: Command, date: String) -> String {
    var page = Mdoc()
    page.macro("Dd \(date)")
    page.macro("Dt \(root.name.uppercased()) 1")
    page.macro("Os")
    page.macro("Sh NAME")
    page.macro("Nm \(root.name)")
    page.macro("Nd \(mdocText(root.summary))")
    page.macro("Sh SYNOPSIS")
    let commands = root.flattened().filter { $0.command.subcommands.isEmpty }
    for (path, command) in commands {
        for line in HelpText.usageLines(of: command, path: path.joined(separator: " ")) {
            page.macro("Nm")
            page.text(String(line.dropFirst(root.name.count + 1)))
            page.macro("br")
        }
    }
    page.macro("Sh DESCRIPTION")
    page.paragraphs(root.discussion)
    page.options(of: root)
    page.macro("Sh COMMANDS")
    for (path, command) in commands { page.command(command, name: path.dropFirst().joined(separator: " ")) }
    page.configuration()
    page.dropReasons()
    page.filterReasons()
    page.macro("Sh ENVIRONMENT")
    page.list([
        ("Ev COLUMNS", "How many columns a line of help or of a live view may have."),
        ("Ev NO_COLOR", "If it is set to anything, no colour is used."),
        ("Ev TERM", "If it is dumb, no colour is used."),
    ])
    page.macro("Sh EXIT STATUS")
    page.list(ExitCode.allCases.map { ("\($0.rawValue)", $0.meaning) })
    page.macro("Sh EXAMPLES")
    for (_, command) in commands {
        for example in command.examples {
            page.text(example.purpose + ":")
            page.macro("Pp")
            page.macro("Dl $ \(mdocText(example.line))")
            page.macro("Pp")
        }
    }
    page.dropLast("Pp")
    page.macro("Sh SEE ALSO")
    page.macro("Xr tcpdump 1 ,")
    page.macro("Xr packet 7 ,")
    page.macro("Xr ip 8")
    return page.lines.joined(separator: "\n") + "\n"
}

/// A page in the making; a line that begins with a full stop is a macro.
private struct Mdoc {
    private(set) var lines: [String] = []

    mutating func macro(_ text: String) { lines.append("." + text) }

    mutating func dropLast(_ macro: String) {
        if lines.last == "." + macro { lines.removeLast() }
    }

    /// A text, a line for each sentence as the formatter likes it.
    mutating func text(_ text: String) {
        var line = ""
        for word in text.split(separator: " ") {
            line += line.isEmpty ? String(word) : " \(word)"
            if word.last == "." || word.last == "?" {
                lines.append(mdocText(line))
                line = ""
            }
        }
        if !line.isEmpty { lines.append(mdocText(line)) }
    }

    mutating func paragraphs(_ paragraphs: [String]) {
        for (index, paragraph) in paragraphs.enumerated() {
            if index > 0 { macro("Pp") }
            text(paragraph)
        }
    }

    mutating func list(_ items: [(label: String, text: String)]) {
        macro("Bl -tag -width Ds")
        for item in items {
            macro("It \(item.label)")
            text(item.text)
        }
        macro("El")
    }

    mutating func command(_ command: Command, name: String) {
        macro("Ss \(name)")
        text(command.summary.prefix(1).uppercased() + command.summary.dropFirst() + ".")
        for paragraph in command.discussion {
            macro("Pp")
            text(paragraph)
        }
        if !command.arguments.isEmpty { list(command.arguments.map { ("Ar \(mdocText($0.name))", $0.help) }) }
        options(of: command)
    }

    mutating func configuration() {
        macro("Sh CONFIGURATION FILE")
        text("A forwarder's file is JSON5. A key that is unknown, or there twice, is an error.")
        reference(ConfigurationReference.example, ConfigurationReference.all)
        macro("Sh FILTER FILE")
        text("A file of rules for apus filter is JSON5, too.")
        reference(FilterReference.example, FilterReference.all)
    }

    private mutating func reference(_ example: String, _ sections: [ConfigurationReference]) {
        macro("Bd -literal -offset indent")
        lines += example.split(separator: "\n").map { mdocText(String($0)) }
        macro("Ed")
        for section in sections {
            macro("Ss \(mdocText(section.section))")
            text(section.meaning)
            list(section.keys.map { ("Ic \($0.name)", $0.meaning) })
        }
    }

    mutating func dropReasons() {
        macro("Sh COUNTED DROPS")
        text(
            "What does not go on is counted, by reason: in the status of a running forwarder, the summary at its end, --stats "
                + "and /metrics. In the explanations \"it\" is the packet.")
        for list in DropReasons.all {
            macro("Ss \(mdocText(list.title))")
            text(list.meaning)
            macro("Bl -tag -compact -width too_many_extension_headers")
            for reason in list.reasons {
                macro("It Ic \(reason.label)")
                text(reason.sentence.prefix(1).uppercased() + reason.sentence.dropFirst() + ".")
            }
            macro("El")
        }
    }

    mutating func filterReasons() {
        macro("Sh FILTER REASONS")
        text(
            "What became of a packet that a filter judged, in apus filter status, explain and export. A packet that a limit "
                + "dropped is counted under the limit. In a dry run those that were dropped have passed all the same. In the "
                + "explanations \"it\" is the packet.")
        macro("Bl -tag -compact -width denied_source_port")
        for reason in FilterReason.allCases {
            macro("It Ic \(reason.label)")
            text(reason.sentence.prefix(1).uppercased() + reason.sentence.dropFirst() + ".")
        }
        macro("El")
    }

    mutating func options(of command: Command) {
        list(
            command.allOptions.map { option in
                let short = option.short.map { "Fl \($0) , " } ?? ""
                let value = option.value.map { " Ar \(mdocText($0.name))" } ?? ""
                return ("\(short)Fl \\-\(mdocText(option.long))\(value)", HelpText.explanation(option))
            })
    }
}

/// A text without what the formatter would take for its own.
private func mdocText(_ text: String) -> String {
    let escaped = text.replacing("\\", with: "\\e").replacing("-", with: "\\-").replacing("…", with: "...")
        .replacing("'", with: "\\(aq").replacing("→", with: "\\(->")
    return escaped.first == "." ? "\\&" + escaped : escaped
}
