import Apus

/// `apus version`, and `apus --version`.
enum Version {
    /// The version of the library and the command.
    static let number = ApusVersion.number

    static let option = Option(long: "version", short: "V", help: "Print the version.")
    static let json = Option(long: "json", help: "Print the version as an object, for programs.")

    static let command = Command(
        name: "version",
        summary: "print the version",
        options: [json],
        examples: [Example(purpose: "Read the version in a script", line: "apus version --json")],
        run: { invocation in show(invocation) })

    private static func show(_ invocation: Invocation) {
        if invocation.has(json) {
            invocation.output.json(["name": "apus", "version": number], spread: false)
        } else {
            invocation.output.line("apus \(number)")
        }
    }

    /// What `apus` does without a command.
    @Sendable static func runRoot(_ invocation: Invocation) throws(ExitFailure) {
        if invocation.has(option) { return show(invocation) }
        throw ExitFailure(
            .usage,
            "a command is missing; there are: "
                + invocation.root.visibleSubcommands.map(\.name).joined(separator: ", "),
            wayOut: "apus --help shows what each does.")
    }
}
