import Apus

/// The script for fish: a line for each command and option, under the condition that its command was typed.
func fishCompletion(_ root: Command) -> String {
    var script = """
        # fish completion for \(root.name), made by "\(root.name) completion fish"
        complete -c \(root.name) -f

        # Whether as many arguments stand behind so many words as test(1) is to find: WORDS -eq NUMBER OPTION…,
        # where the options are those that take a value, which is no argument.
        function __\(root.name)_arguments
            set -l words (commandline -opc)
            set -l count 0
            set -l isValue 0
            for word in $words[(math $argv[1] + 1)..-1]
                if test $isValue = 1
                    set isValue 0
                else if contains -- $word $argv[4..-1]
                    set isValue 1
                else if not string match -q -- '-*' $word
                    set count (math $count + 1)
                end
            end
            test $count $argv[2] $argv[3]
        end

        """
    for (path, command) in root.flattened() {
        let here = fishCondition(path, command)
        for subcommand in command.visibleSubcommands {
            script +=
                "complete -c \(root.name) -n '\(here)' -a \(subcommand.name) -d '\(fishText(subcommand.summary))'\n"
        }
        for option in command.allOptions {
            let short = option.short.map { " -s \($0)" } ?? ""
            let value = option.value.map { fishValue($0.completion) } ?? ""
            let help = fishText(option.help)
            script += "complete -c \(root.name) -n '\(here)'\(short) -l \(option.long)\(value) -d '\(help)'\n"
        }
        for (number, argument) in command.arguments.enumerated() {
            let here = "\(here); and \(fishPosition(number, argument, path, command, root))"
            switch argument.completion.resolved(in: root) {
            case .nothing, .commands: break
            case .file: script += "complete -c \(root.name) -n '\(here)' -F\n"
            case .interface: script += "complete -c \(root.name) -n '\(here)' -a '(ls \(interfaceFolder))'\n"
            case .filterWords(let words):
                script += "complete -c \(root.name) -n '\(here)' -a '\(fishFilterWords(words))'\n"
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
        let names = command.visibleSubcommands.map(\.name).joined(separator: " ")
        conditions.append("not __fish_seen_subcommand_from \(names)")
    }
    return conditions.isEmpty ? "true" : conditions.joined(separator: "; and ")
}

/// That it is this argument's turn.
private func fishPosition(
    _ number: Int, _ argument: Argument, _ path: [String], _ command: Command, _ root: Command
) -> String {
    let options = command.allOptions.filter { $0.value != nil }.flatMap { option in
        [option.name] + (option.short.map { ["-\($0)"] } ?? [])
    }
    let comparison = argument.repeats ? "-ge" : "-eq"
    let words = ["__\(root.name)_arguments", "\(path.count)", comparison, "\(number)"] + options
    return words.joined(separator: " ")
}

private func fishValue(_ completion: Completion) -> String {
    switch completion {
    case .nothing, .commands: " -x"
    case .file: " -r -F"
    case .interface: " -x -a '(ls \(interfaceFolder))'"
    case .filterWords(let words): " -x -a '\(fishFilterWords(words))'"
    case .words(let words): " -x -a '\(words.joined(separator: " "))'"
    }
}

/// The words of the line so far lead to the filter that is asked; fish runs nothing in what it reads of a command.
private func fishFilterWords(_ words: Completion.FilterWords) -> String {
    "(apus filter words \(words.rawValue) -- (commandline -opc) 2>/dev/null)"
}

/// A text within single quotes of fish, where a backslash protects.
func fishText(_ text: String) -> String {
    text.escaping(["\\": "\\\\", "'": "\\'"])
}
