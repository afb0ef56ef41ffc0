import Apus

/// One command of the tree, and all that is known about it: parsing, help, completions and the manual are made
/// from this alone.
///
/// To add a command, describe it in a file of `Commands/` and name it in the tree in `Commands/Root.swift`.
struct Command: Sendable {
    /// The word to type.
    var name: String
    /// What other tools call it: whoever types that is told its name.
    var otherNames: [String] = []
    /// What it does, as it follows the name: lower case, no full stop.
    var summary: String
    /// What else there is to know, a paragraph each.
    var discussion: [String] = []
    /// The usual ways to call it, behind its name. Made from the options and arguments if there are none.
    var usage: [String] = []
    var options: [Option] = []
    var arguments: [Argument] = []
    var examples: [Example] = []
    var subcommands: [Command] = []
    /// What exit codes mean where that is not what they mean elsewhere.
    var exitMeanings: [ExitCode: String] = [:]
    /// Whether help, manual and completions leave it out: what programs ask for and nobody types.
    var isHidden = false
    /// What it does when it is called, without a subcommand if it has some.
    var run: @Sendable (Invocation) throws(ExitFailure) -> Void

    /// Its own options and those that each command has.
    var allOptions: [Option] { options + [.help] }

    /// Its subcommands that people type.
    var visibleSubcommands: [Command] { subcommands.filter { !$0.isHidden } }

    /// The name of the subcommand that was meant by a word that is none, as far as that can be told.
    func subcommand(meantBy word: String) -> String? {
        let named = visibleSubcommands.first { $0.otherNames.contains(word) }?.name
        return named ?? nearestName(to: word, among: visibleSubcommands.map(\.name))
    }
}

/// An option of a command: `--to ADDR:PORT`, or a switch without a value.
struct Option: Sendable {
    /// The name without hyphens.
    var long: String
    var short: Character?
    /// The value it takes, or nil for a switch.
    var value: Value?
    /// What it does: a sentence.
    var help: String
    /// Whether it may be given several times.
    var repeats = false
    /// What holds without it, for the help.
    var defaultText: String?
    /// The heading that it is listed beneath.
    var section = "Options"

    struct Value: Sendable {
        /// What stands for the value in the help: `ADDR:PORT`.
        var name: String
        var completion = Completion.nothing
    }

    static let help = Option(long: "help", short: "h", help: "Show this help.")

    /// `--listen`.
    var name: String { "--\(long)" }
}

/// An argument that is no option.
struct Argument: Sendable {
    /// What stands for it in the help: `INTERFACE`.
    var name: String
    var help: String
    var isRequired = true
    var repeats = false
    var completion = Completion.nothing
}

/// What a shell can offer for a value.
enum Completion: Sendable, Equatable {
    case nothing
    case file
    case interface
    case words([String])
    /// The names of the program's commands.
    case commands
    /// What is in force in the filter of an interface that the line names.
    case filterWords(FilterWords)

    /// What `apus filter words` is asked for.
    enum FilterWords: String, Sendable {
        /// What is allowed, denied or banned.
        case entries
        /// The names of limits.
        case limits
        /// That, and how all else begins that may be.
        case subjects
        /// How the service of a limit may begin.
        case services
    }
}

/// A command line that can be typed as it stands, and what it is good for.
struct Example: Sendable {
    /// What it does, as it precedes a colon.
    var purpose: String
    /// The line, beginning with `apus`. May hold a pipe or quotes of the shell.
    var line: String
}
