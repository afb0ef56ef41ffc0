import Apus

/// `apus help COMMAND`: the same as `apus COMMAND --help`.
enum Help {
    static let command = Command(
        name: "help",
        summary: "explain a command",
        arguments: [
            Argument(
                name: "COMMAND", help: "The command, and its subcommand.", isRequired: false, repeats: true,
                completion: .commands)
        ],
        examples: [Example(purpose: "Learn all about the forwarder", line: "apus help forward")],
        run: run)

    @Sendable private static func run(_ invocation: Invocation) throws(ExitFailure) {
        var command = invocation.root
        var path = command.name
        for name in invocation.arguments {
            guard let next = command.subcommands.first(where: { $0.name == name }) else {
                let names = command.visibleSubcommands.map(\.name)
                let hint =
                    command.subcommand(meantBy: name).map { "did you mean \($0)?" }
                    ?? (names.isEmpty
                        ? "\(path) has no commands of its own"
                        : "there are: \(names.joined(separator: ", "))")
                throw ExitFailure(.usage, "unknown command \(name.quoted); \(hint)")
            }
            command = next
            path += " \(name)"
        }
        invocation.output.write(HelpText.text(of: command, path: path, for: invocation.output))
    }
}
