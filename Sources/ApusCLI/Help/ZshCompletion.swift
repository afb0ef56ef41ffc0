/// The script for zsh: a function for each command, in the words of `_arguments` (zshcompsys(1)).
func zshCompletion(_ root: Command) -> String {
    let functions = root.flattened().map { zshFunction($0.path, $0.command, root) }.joined(separator: "\n")
    return """
        #compdef \(root.name)
        # zsh completion for \(root.name), made by "\(root.name) completion zsh"

        _apus_filter_words() {
            local -a offered
            # Before what is asked for zsh puts options of compadd.
            offered=(${(f)"$(apus filter words $argv[-1] -- $words 2>/dev/null)"})
            # Behind a slash it goes on.
            compadd "${(@)argv[1,-2]}" -S '' -- ${(M)offered:#*/}
            compadd "${(@)argv[1,-2]}" -- ${offered:#*/}
        }

        \(functions)
        if [ "$funcstack[1]" = "_\(root.name)" ]; then
            _\(root.name) "$@"
        else
            compdef _\(root.name) \(root.name)
        fi

        """
}

private func zshFunction(_ path: [String], _ command: Command, _ root: Command) -> String {
    let function = "_" + path.joined(separator: "_")
    var specifications = command.allOptions.map(zshSpecification)
    if command.subcommands.isEmpty {
        for (index, argument) in command.arguments.enumerated() {
            let position = argument.repeats ? "*" : "\(index + 1)"
            let optional = argument.isRequired ? ":" : "::"
            specifications.append(
                "'\(position)\(optional)\(zshText(argument.name)):\(zshAction(argument.completion.resolved(in: root)))'"
            )
        }
        return """
            \(function)() {
                _arguments -s -S \\
                    \(specifications.joined(separator: " \\\n        "))
            }

            """
    }
    let commands = command.visibleSubcommands.map { "'\(zshText($0.name)):\(shellText($0.summary))'" }
    let cases = command.visibleSubcommands.map { "                \($0.name)) \(function)_\($0.name) ;;" }
    specifications += ["'1:command:->command'", "'*::argument:->argument'"]
    return """
        \(function)() {
            local curcontext="$curcontext" state line
            local -a commands
            # what stands behind the command is the command's, also an option that both have
            _arguments -C -S -A '-*' \\
                \(specifications.joined(separator: " \\\n        "))
            case $state in
                command)
                    commands=(\(commands.joined(separator: " ")))
                    _describe command commands ;;
                argument)
                    case $line[1] in
        \(cases.joined(separator: "\n"))
                    esac ;;
            esac
        }

        """
}

/// `'(-l --listen)'{-l+,--listen=}'[help]:ADDR\:PORT: '`.
private func zshSpecification(_ option: Option) -> String {
    let help = "[\(zshText(option.help))]"
    let value = option.value.map { ":\(zshText($0.name)):\(zshAction($0.completion))" } ?? ""
    let long = option.name + (option.value == nil ? "" : "=")
    guard let short = option.short.map({ "-\($0)" }) else {
        return "'\(option.repeats ? "*" : "")\(long)\(help)\(value)'"
    }
    let exclusion = option.repeats ? "'*'" : "'(\(short) \(option.name))'"
    return "\(exclusion){\(short)\(option.value == nil ? "" : "+"),\(long)}'\(help)\(value)'"
}

private func zshAction(_ completion: Completion) -> String {
    switch completion {
    case .nothing, .commands: " "
    case .file: "_files"
    case .interface: "_files -W \(interfaceFolder)"
    case .filterWords(let words): "_apus_filter_words \(words.rawValue)"
    case .words(let words): "(\(words.joined(separator: " ")))"
    }
}

/// A text within a specification within single quotes.
private func zshText(_ text: String) -> String {
    var result = ""
    for character in text {
        if "[]:\\".contains(character) { result.append("\\") }
        result.append(character)
    }
    // Last, as its own backslashes are the shell's.
    return shellText(result)
}
