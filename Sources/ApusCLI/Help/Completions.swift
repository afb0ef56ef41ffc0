/// The shells that a completion script can be made for.
enum Shell: String, CaseIterable {
    case bash
    case zsh
    case fish

    /// The script that completes the tree's command lines.
    func script(for root: Command) -> String {
        switch self {
        case .bash: bashCompletion(root)
        case .zsh: zshCompletion(root)
        case .fish: fishCompletion(root)
        }
    }
}

extension Command {
    /// This command and all beneath it, each with the names that lead there.
    func flattened(above path: [String] = []) -> [(path: [String], command: Command)] {
        let here = path + [name]
        return [(here, self)] + visibleSubcommands.flatMap { $0.flattened(above: here) }
    }
}

extension Completion {
    /// The completion with the names of the program's commands put in, where they are asked for.
    func resolved(in root: Command) -> Completion {
        self == .commands ? .words(root.visibleSubcommands.map(\.name)) : self
    }
}

/// Where Linux lists the interfaces; for the scripts.
let interfaceFolder = "/sys/class/net"
