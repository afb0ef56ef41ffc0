import Apus

/// What a command line asks for.
enum Request {
    case run(command: Command, values: [String: [String]], arguments: [String])
    case help(command: Command)
}

/// Sorts the words of a command line by the tree.
///
/// `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE` and joined switches `-ab` are understood; options may
/// stand among the arguments, and what follows `--` is an argument, whatever it looks like.
struct ArgumentParser {
    private var command: Command
    private var path: [String]
    private var words: ArraySlice<String>
    private var values: [String: [String]] = [:]
    private var arguments: [String] = []
    private var lastOption: Option?

    /// Sorts `words`, which do not contain the program's own name. `path` gets the names of the command that
    /// was reached, also when what follows is wrong.
    static func parse(_ words: [String], root: Command, path: inout [String]) throws(ExitFailure) -> Request {
        var parser = ArgumentParser(command: root, path: [root.name], words: words[...])
        defer { path = parser.path }
        return try parser.parse()
    }

    private init(command: Command, path: [String], words: ArraySlice<String>) {
        (self.command, self.path, self.words) = (command, path, words)
    }

    private mutating func parse() throws(ExitFailure) -> Request {
        var onlyArguments = false
        while let word = words.popFirst() {
            if onlyArguments || word == "-" || word.first != "-" {
                if isHelp(word) { return .help(command: try helped()) }
                try takeArgument(word)
            } else if word == "--" {
                onlyArguments = true
            } else if word.hasPrefix("--") {
                if try takeLong(word.dropFirst(2)) { return .help(command: command) }
            } else if try takeShort(word.dropFirst()) {
                return .help(command: command)
            }
        }
        let missing = command.arguments.enumerated().first {
            $0.element.isRequired && $0.offset >= arguments.count
        }
        if let missing {
            throw ExitFailure(.usage, "\(missing.element.name) is missing: \(usageLine)")
        }
        return .run(command: command, values: values, arguments: arguments)
    }

    // MARK: Arguments

    /// Whether a word asks for help where it can be nothing else: `apus filter help load`.
    private func isHelp(_ word: String) -> Bool {
        word == "help" && !command.subcommands.isEmpty && !command.subcommands.contains { $0.name == word }
    }

    /// The command that the words behind it lead to.
    private mutating func helped() throws(ExitFailure) -> Command {
        while let word = words.popFirst() {
            if word == "--help" || word == "-h" || isHelp(word) { continue }
            guard !command.subcommands.isEmpty else {
                throw ExitFailure(.usage, "unexpected argument \(word.quoted); \(hint(nil))")
            }
            try takeArgument(word)
        }
        return command
    }

    private mutating func takeArgument(_ word: String) throws(ExitFailure) {
        if !command.subcommands.isEmpty {
            guard let next = command.subcommands.first(where: { $0.name == word }) else {
                throw ExitFailure(
                    .usage, "unknown command \(word.quoted); \(hint(command.subcommand(meantBy: word)))")
            }
            command = next
            path.append(next.name)
            return
        }
        let most = command.arguments.last?.repeats == true ? Int.max : command.arguments.count
        guard arguments.count < most else {
            if let lastOption, lastOption.repeats {
                throw ExitFailure(
                    .usage,
                    "unexpected argument \(word.quoted); write \(lastOption.name) before each of its values")
            }
            throw ExitFailure(.usage, "unexpected argument \(word.quoted); \(hint(nil))")
        }
        arguments.append(word)
    }

    // MARK: Options

    /// True if it asks for help.
    private mutating func takeLong(_ text: Substring) throws(ExitFailure) -> Bool {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        guard let option = command.allOptions.first(where: { $0.long == name }) else {
            let near = nearestName(to: name, among: command.allOptions.map(\.long)).map { "--\($0)" }
            throw ExitFailure(.usage, "unknown option \("--\(name)".printable); \(hint(near))")
        }
        guard option.value != nil else {
            guard parts.count == 1 else { throw ExitFailure(.usage, "\(option.name) takes no value") }
            return try take(option, nil)
        }
        return try take(option, parts.count == 2 ? String(parts[1]) : nextValue(of: option, as: option.name))
    }

    /// True if it asks for help.
    private mutating func takeShort(_ text: Substring) throws(ExitFailure) -> Bool {
        let name = String(text.prefix { $0 != "=" })
        if name.count > 1, command.allOptions.contains(where: { $0.long == name }) {
            throw ExitFailure(.usage, "unknown option -\(name); did you mean --\(name)?")
        }
        var rest = text
        while let letter = rest.popFirst() {
            guard let option = command.allOptions.first(where: { $0.short == letter }) else {
                // One hyphen too few is the likeliest slip: -listen.
                let near =
                    text.count > 1
                    ? nearestName(to: String(text), among: command.allOptions.map(\.long)) : nil
                let shown = near == nil ? "-\(letter)" : "-\(text)"
                throw ExitFailure(
                    .usage, "unknown option \(shown.printable); \(hint(near.map { "--\($0)" }))")
            }
            if option.value == nil {
                if try take(option, nil) { return true }
            } else {
                let value = rest.isEmpty ? try nextValue(of: option, as: "-\(letter)") : String(rest)
                return try take(option, value)
            }
        }
        return false
    }

    private mutating func nextValue(of option: Option, as spelling: String) throws(ExitFailure) -> String {
        if let next = words.first, !isKnownOption(next) {
            words.removeFirst()
            return next
        }
        throw ExitFailure(.usage, "\(spelling) needs a value: \(spelling) \(option.value?.name ?? "")")
    }

    /// Whether a word is an option's name, and so not the value that was forgotten before it.
    private func isKnownOption(_ word: String) -> Bool {
        guard word.first == "-", word.count > 1 else { return false }
        if word == "--" { return true }
        let name = word.drop { $0 == "-" }.prefix { $0 != "=" }
        return word.hasPrefix("--")
            ? command.allOptions.contains { $0.long == name }
            : command.allOptions.contains { $0.short.map { word == "-\($0)" } ?? false }
    }

    private mutating func take(_ option: Option, _ value: String?) throws(ExitFailure) -> Bool {
        if option.long == Option.help.long { return true }
        if let earlier = values[option.long], !earlier.isEmpty, !option.repeats, option.value != nil {
            throw ExitFailure(.usage, "\(option.name) is there twice, and takes one value")
        }
        values[option.long, default: []].append(value ?? "")
        lastOption = option
        return false
    }

    // MARK: Messages

    private var usageLine: String { HelpText.usageLines(of: command, path: path.joined(separator: " "))[0] }

    private func hint(_ near: String?) -> String {
        near.map { "did you mean \($0)?" } ?? "\(path.joined(separator: " ")) --help shows what there is"
    }
}
