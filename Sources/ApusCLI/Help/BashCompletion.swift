/// The script for bash: the words so far lead to a command of the tree, and that to what may follow.
func bashCompletion(_ root: Command) -> String {
    let commands = root.flattened()
    let function = "_\(root.name)"
    var script = """
        # bash completion for \(root.name), made by "\(root.name) completion bash"
        \(function)() {
            local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=\(root.name) i
            # bash makes words of its own of --name=value
            if [[ $cur == = ]]; then
                cur=
            elif [[ $prev == = ]]; then
                prev=${COMP_WORDS[COMP_CWORD-2]}
            fi
            COMPREPLY=()
            for ((i = 1; i < COMP_CWORD; i++)); do
                case "$path ${COMP_WORDS[i]}" in

        """
    for (path, _) in commands where path.count > 1 {
        let words = path.joined(separator: " ")
        script += "            '\(words)') path='\(words)' ;;\n"
    }
    script += "        esac\n    done\n    case \"$path $prev\" in\n"
    for (path, command) in commands {
        for option in command.allOptions {
            guard let value = option.value else { continue }
            let words = path.joined(separator: " ")
            let spellings = ["\(words) \(option.name)"] + (option.short.map { ["\(words) -\($0)"] } ?? [])
            let patterns = spellings.map { "'\($0)'" }.joined(separator: "|")
            script += "        \(patterns)) \(bashReply(value.completion.resolved(in: root)))return ;;\n"
        }
    }
    script += "    esac\n    case $path in\n"
    for (path, command) in commands {
        let names = command.subcommands.map(\.name)
        let options = command.allOptions.map(\.name)
        let completion = command.arguments.first?.completion.resolved(in: root) ?? .nothing
        let plain =
            if !names.isEmpty {
                "COMPREPLY=($(compgen -W '\(names.joined(separator: " "))' -- \"$cur\"))"
            } else if completion != .nothing {
                bashReply(completion).trimmingSemicolon
            } else {
                "COMPREPLY=($(compgen -W '\(options.joined(separator: " "))' -- \"$cur\"))"
            }
        script += """
                    '\(path.joined(separator: " "))')
                        if [[ $cur == -* ]]; then
                            COMPREPLY=($(compgen -W '\(options.joined(separator: " "))' -- "$cur"))
                        else
                            \(plain)
                        fi ;;

            """
    }
    return script + "    esac\n}\ncomplete -F \(function) \(root.name)\n"
}

/// The statement that offers the values, with a semicolon behind it; nothing if there is nothing to offer.
private func bashReply(_ completion: Completion) -> String {
    switch completion {
    case .nothing, .commands: ""
    case .file: "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); "
    case .interface: "COMPREPLY=($(compgen -W \"$(ls \(interfaceFolder) 2>/dev/null)\" -- \"$cur\")); "
    case .words(let words): "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$cur\")); "
    }
}

extension String {
    fileprivate var trimmingSemicolon: String { hasSuffix("; ") ? String(dropLast(2)) : self }
}
