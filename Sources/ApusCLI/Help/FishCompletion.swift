/// The script for fish: a line for each command and option, under the condition that its command was typed.
func fishCompletion(_ root: Command) -> String {
    var script = """
        # fish completion for \(root.name), made by "\(root.name) completion fish"
        complete -c \(root.name) -f

        """
    for (path, command) in root.flattened() {
        let here = fishCondition(path, command)
        for subcommand in command.subcommands {
            script +=
                "complete -c \(root.name) -n '\(here)' -a \(subcommand.name) -d '\(fishText(subcommand.summary))'\n"
        }
        for option in command.allOptions {
            let short = option.short.map { " -s \($0)" } ?? ""
            let value = option.value.map { fishValue($0.completion) } ?? ""
            let help = fishText(option.help)
            script += "complete -c \(root.name) -n '\(here)'\(short) -l \(option.long)\(value) -d '\(help)'\n"
        }
        for argument in command.arguments.prefix(1) {
            switch argument.completion.resolved(in: root) {
            case .nothing, .commands: break
            case .file: script += "complete -c \(root.name) -n '\(here)' -F\n"
            case .interface: script += "complete -c \(root.name) -n '\(here)' -a '(ls \(interfaceFolder))'\n"
            case .words(let words):
                script += "complete -c \(root.name) -n '\(here)' -a '\(words.joined(separator: " "))'\n"
            }
        }
    }
    return script
}

/// That the words of `path` were typed, and none of the command's own subcommands yet.
private func fishCondition(_ path: [String], _ command: Command) -> String {
    var conditions = path.dropFirst().map { "__fish_seen_subcommand_from \($0)" }
    if !command.subcommands.isEmpty {
        let names = command.subcommands.map(\.name).joined(separator: " ")
        conditions.append("not __fish_seen_subcommand_from \(names)")
    }
    return conditions.isEmpty ? "true" : conditions.joined(separator: "; and ")
}

private func fishValue(_ completion: Completion) -> String {
    switch completion {
    case .nothing, .commands: " -x"
    case .file: " -r -F"
    case .interface: " -x -a '(ls \(interfaceFolder))'"
    case .words(let words): " -x -a '\(words.joined(separator: " "))'"
    }
}

/// A text within single quotes of fish, where a backslash protects.
private func fishText(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
}
