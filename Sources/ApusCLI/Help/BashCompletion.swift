/// The script for bash: the words so far lead to a command of the tree, and that to what may follow.
func bashCompletion(_ root: Command) -> String {
    let commands = root.flattened()
    let function = "_\(root.name)"
    var script = """
        # bash completion for \(root.name), made by "\(root.name) completion bash"
        # A name is what somebody called an interface: not for compgen -W, which would run the commands in it.
        \(function)_interfaces() {
            local path name
            for path in \(interfaceFolder)/*; do
                printf -v name %q "${path##*/}"
                [[ -e $path && $name == "$cur"* ]] && COMPREPLY+=("$name")
            done
        }
        # So is what others have sent or somebody has called a limit. bash makes words of its own at colons, so that an
        # address or from:udp/53 is in several: only what is behind the last of them is put in another's place.
        \(function)_filter_words() {
            local word line=${COMP_LINE:0:COMP_POINT} name head= quote=
            word=${line##*[[:space:]]}
            [[ $word == *"$cur" ]] || word=$cur
            word=${word#--*=}
            if [[ $cur == [\\'\\"]* ]]; then
                quote=${cur:0:1} word=${cur:1}
            elif [[ $cur == *[!:]* ]]; then
                head=${word%"$cur"}
            else
                head=$word
            fi
            # As it is within quotes that are open, or without any.
            [[ $quote == \\' ]] || { word=${word//\\\\} head=${head//\\\\}; }
            while IFS= read -r name; do
                # A beginning that stands there already says nothing.
                [[ $name == "$word"* && ! ($name == */ && $name == "$word") ]] || continue
                case $quote in
                    \\') name=${name//\\'/\\'\\\\\\'\\'} ;;
                    \\") name=${name//\\\\/\\\\\\\\} name=${name//\\$/\\\\\\$} name=${name//\\`/\\\\\\`} name=${name//\\"/\\\\\\"} name=${name//!/\\"\\\\!\\"} ;;
                    *) printf -v name %q "${name#"$head"}" ;;
                esac
                COMPREPLY+=("$name")
            done < <(\(root.name) filter words "$1" -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
            # What goes on behind it.
            if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == */ ]]; then
                compopt -o nospace 2>/dev/null || :
            fi
        }
        \(function)() {
            local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path=\(root.name) i n=0
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
    let patterns = commands.flatMap { path, command in
        command.allOptions.filter { $0.value != nil }.map { bashPattern(path, $0) }
    }
    script += """
                    # what an option takes, and what bash has split of a word, is no argument
                    \(patterns.joined(separator: "|")))
                        [[ ${COMP_WORDS[i+1]} == = ]] && ((i++))
                        ((i++)) ;;
                    *' ':*|*' '=*) ((i++)) ;;
                    *' '-*) ;;
                    *) ((n++)) ;;
                esac
            done
            case "$path $prev" in

        """
    for (path, command) in commands {
        for option in command.allOptions {
            guard let value = option.value else { continue }
            let reply = bashReply(value.completion.resolved(in: root), function)
            script += "        \(bashPattern(path, option))) \(reply)return ;;\n"
        }
    }
    script += "    esac\n    case $path in\n"
    for (path, command) in commands {
        let names = command.visibleSubcommands.map(\.name)
        let options = command.allOptions.map(\.name)
        let plain =
            if !names.isEmpty {
                "COMPREPLY=($(compgen -W '\(names.joined(separator: " "))' -- \"$cur\"))"
            } else if command.arguments.isEmpty {
                "COMPREPLY=($(compgen -W '\(options.joined(separator: " "))' -- \"$cur\"))"
            } else {
                "case $n in "
                    + command.arguments.enumerated().map { number, argument in
                        "\(argument.repeats ? "*" : "\(number)")) "
                            + "\(bashReply(argument.completion.resolved(in: root), function).trimmingSemicolon) ;; "
                    }.joined() + "esac"
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

/// What stands for an option behind its command, in both spellings.
private func bashPattern(_ path: [String], _ option: Option) -> String {
    ([option.name] + (option.short.map { ["-\($0)"] } ?? []))
        .map { "'\((path + [$0]).joined(separator: " "))'" }.joined(separator: "|")
}

/// The statement that offers the values, with a semicolon behind it; nothing if there is nothing to offer.
private func bashReply(_ completion: Completion, _ function: String) -> String {
    switch completion {
    case .nothing, .commands: ""
    case .file: "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\")); "
    case .interface: "\(function)_interfaces; "
    case .filterWords(let words): "\(function)_filter_words \(words.rawValue); "
    case .words(let words): "COMPREPLY=($(compgen -W '\(words.joined(separator: " "))' -- \"$cur\")); "
    }
}

extension String {
    fileprivate var trimmingSemicolon: String { hasSuffix("; ") ? String(dropLast(2)) : self }
}
