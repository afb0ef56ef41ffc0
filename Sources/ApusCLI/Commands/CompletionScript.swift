import Apus

/// `apus completion SHELL`.
enum CompletionScript {
    private static let shells = Shell.allCases.map(\.rawValue)

    static let command = Command(
        name: "completion",
        summary: "print a script that completes apus's command lines in a shell",
        arguments: [
            Argument(name: "SHELL", help: "One of \(alternatives(shells)).", completion: .words(shells))
        ],
        examples: [
            Example(
                purpose: "In bash, for all users",
                line: "apus completion bash > /usr/share/bash-completion/completions/apus"),
            Example(purpose: "In zsh, now", line: "source <(apus completion zsh)"),
            Example(
                purpose: "In fish, for yourself",
                line: "apus completion fish > ~/.config/fish/completions/apus.fish"),
        ],
        run: { invocation throws(ExitFailure) in
            let name = invocation.arguments[0]
            guard let shell = Shell(rawValue: name) else {
                throw ExitFailure(.usage, "expected \(alternatives(shells)), found \(name.quoted)")
            }
            invocation.output.write(shell.script(for: invocation.root))
        })
}
