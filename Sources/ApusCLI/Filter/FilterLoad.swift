import Apus
import ApusRuntime

/// `apus filter load`, `apus filter reload` and `apus filter unload`.
extension FilterCommand {
    private static let config = Option(
        long: "config", short: "c", value: .init(name: "FILE", completion: .file),
        help: "Take the rules from a JSON5 file; - is standard input.")
    private static let dryRun = Option(
        long: "dry-run", short: "n",
        help: "Let all packets pass, and only count what would become of them, whatever the file says.")
    private static let check = Option(
        long: "check",
        help: "Only check the rules, and warn where they would drop this SSH connection; nothing is loaded.")
    private static let mode = Option(
        long: "mode",
        value: .init(name: "NAME", completion: .words(RateLimitFilter.Mode.allCases.map(\.rawValue))),
        help: "Where the program runs: in the driver, in the generic hook, or in the card, which none can.",
        defaultText: "auto, which is native where the driver can")
    private static let replaced = Option(
        long: "replace",
        help:
            "Where a filter is loaded already, put the rules into force as reload does; it stays in its mode."
    )
    private static let all = Option(long: "all", help: "Unload the filters of all interfaces.")

    static let load = Command(
        name: "load",
        otherNames: ["attach", "start"],
        summary: "load a filter on an interface",
        discussion: [
            "Without a file there are no rules but that SSH is management: all that can be parsed passes, and rules can "
                + "be added with limit, allow and deny. It says what was granted: native or generic mode, and whether "
                + "libxdp's dispatcher calls it, so that other XDP programs can be beside it.",
            "What commands that were killed have left is removed first, and what was kept of interfaces that are gone.",
        ],
        usage: ["IF [--config FILE] [--mode NAME] [--dry-run] [--replace] [--check]"],
        options: [config, mode, dryRun, replaced, check],
        arguments: [interface],
        examples: [
            Example(
                purpose: "Load the rules of a file, and only count what they would drop",
                line: "sudo apus filter load eth0 --config /etc/apus/filter-eth0.json5 --dry-run"),
            Example(
                purpose: "Load a filter, to be given rules one by one", line: "sudo apus filter load eth0"),
        ],
        run: { invocation throws(ExitFailure) in
            let name = try invocation.kernelInterface()
            let mode = try modeOption(invocation)
            let rules = try rules(invocation)
            if invocation.has(check) { return try check(rules, name, invocation) }
            try prepareChange("loading a filter", invocation)
            SSHSession.warn(
                of: rules, on: name, undo: "apus filter unload \(shellWord(name))", invocation.errorOutput)
            FilterRemarks.warn(ofNeedsDroppedBy: rules, on: name, invocation.errorOutput)
            let filter: RateLimitFilter
            do throws(FilterError) {
                filter = try RateLimitFilter.load(rules, on: name, mode: mode)
            } catch {
                guard error.cause == .alreadyLoaded, invocation.has(replaced) else {
                    throw ExitFailure(error)
                }
                try remark(ofUnused: mode, on: name, invocation)
                return try replace(rules, on: name, invocation)
            }
            let status: FilterStatus
            do throws(FilterError) {
                status = try filter.status()
            } catch {
                invocation.output.line("\(name): the filter is loaded".printable)
                throw ExitFailure(error)
            }
            invocation.output.line("\(status.grantText), \(rules.summary)".printable)
            for remark in status.remarks { invocation.output.line("  \(remark)".printable) }
        })

    static let reload = Command(
        name: "reload",
        otherNames: ["replace", "update"],
        summary: "put other rules into force in one step",
        discussion: [
            "A packet meets the old rules or the new ones, never something between. Limits whose name, scope and service "
                + "stay the same keep their counters, and where their rates and bursts stay too their buckets. Bans stay, of "
                + "limits that still ban; when a dry run ends they go. Rules that are refused change nothing. Entries with a "
                + "lifetime begin it anew."
        ],
        usage: ["IF --config FILE [--dry-run] [--check]"],
        options: [config, dryRun, check],
        arguments: [interface],
        examples: [
            Example(
                purpose: "Take up a file that was changed",
                line: "sudo apus filter reload eth0 --config /etc/apus/filter-eth0.json5")
        ],
        run: { invocation throws(ExitFailure) in
            let name = try invocation.kernelInterface()
            guard invocation.has(config) else {
                throw ExitFailure(
                    .usage, "--config is missing: apus filter reload IF --config FILE [--dry-run] [--check]")
            }
            let rules = try rules(invocation)
            if invocation.has(check) { return try check(rules, name, invocation) }
            try prepareChange("changing a filter", invocation)
            _ = try filter(on: name)
            SSHSession.warn(
                of: rules, on: name, undo: "apus filter unload \(shellWord(name))", invocation.errorOutput)
            FilterRemarks.warn(ofNeedsDroppedBy: rules, on: name, invocation.errorOutput)
            try replace(rules, on: name, invocation)
        })

    static let unload = Command(
        name: "unload",
        otherNames: ["detach", "stop", "off"],
        summary: "take a filter off its interface",
        discussion: [
            "Other XDP programs on the interface stay. What a command that was killed has left goes as well, and what is "
                + "kept of a filter that another tool has taken off. Of an interface that came from another network "
                + "namespace with the program of a filter on it, that is taken off."
        ],
        usage: ["IF", "--all"],
        options: [all],
        arguments: [
            Argument(
                name: "IF", help: "The interface.", isRequired: false, completion: .interface)
        ],
        examples: [Example(purpose: "Let everything through again", line: "sudo apus filter unload eth0")],
        run: { invocation throws(ExitFailure) in
            guard invocation.arguments.isEmpty == invocation.has(all) else {
                throw ExitFailure(.usage, "name an interface, or --all for the filters of all")
            }
            let name = invocation.arguments.isEmpty ? nil : try invocation.kernelInterface()
            try require(changing, for: "unloading a filter")
            guard let name else {
                func say(_ removed: [RateLimitFilter.Removed]) {
                    for one in removed {
                        invocation.output.line("\(one.interface): \(one.removal.text)".printable)
                    }
                }
                let removed: [RateLimitFilter.Removed]
                do throws(FilterError) {
                    removed = try RateLimitFilter.unloadAll()
                } catch {
                    if case .partly(let done, _) = error.cause { say(done) }
                    throw ExitFailure(error)
                }
                say(removed)
                if removed.isEmpty { invocation.output.line("no filter is loaded in this network namespace") }
                return
            }
            let removal: RateLimitFilter.Removal
            do throws(FilterError) {
                removal = try RateLimitFilter.unload(from: name)
            } catch {
                // Whoever wants none is not told how to load one.
                guard error.cause != .notLoaded else {
                    throw ExitFailure(.unavailable, "\(name): no filter is loaded")
                }
                throw ExitFailure(error)
            }
            invocation.output.line("\(name): \(removal.text)".printable)
        })

    private static func replace(
        _ rules: FilterRules, on name: String, _ invocation: Invocation
    ) throws(ExitFailure) {
        let filter = try filter(on: name)
        try filtering { () throws(FilterError) in try filter.replace(rules) }
        invocation.output.line("\(name): the rules are in force, \(rules.summary)".printable)
    }

    /// A filter that is loaded stays in its mode.
    private static func remark(
        ofUnused mode: RateLimitFilter.Mode, on name: String, _ invocation: Invocation
    ) throws(ExitFailure) {
        guard mode != .auto else { return }
        let filter = try filter(on: name)
        let granted = try filtering { () throws(FilterError) in try filter.status().mode }
        guard granted.rawValue != mode.rawValue else { return }
        let log = invocation.errorOutput
        log.line(
            "\(log.style.bold("remark:")) \(name.printable) stays in \(granted.rawValue) mode; to change it unload its filter first"
        )
    }

    private static func modeOption(_ invocation: Invocation) throws(ExitFailure) -> RateLimitFilter.Mode {
        guard let word = invocation.text(mode) else { return .auto }
        guard let mode = RateLimitFilter.Mode(rawValue: word) else {
            let words = RateLimitFilter.Mode.allCases.map(\.rawValue)
            let near = nearestName(to: word, among: words).map { "; did you mean \($0)?" } ?? ""
            throw ExitFailure(.usage, "--mode: expected \(alternatives(words)), found \(word.quoted)\(near)")
        }
        return mode
    }

    /// Those of the file, or none.
    private static func rules(_ invocation: Invocation) throws(ExitFailure) -> FilterRules {
        var rules = FilterRules()
        if let file = invocation.text(config) {
            do throws(ConfigurationFileError) {
                rules = try FilterRules(file: file)
            } catch {
                if case .invalid(let errors) = error { throw ExitFailure(errors) }
                throw ExitFailure(ExitCode(FailureKind(of: error)), "\(error)")
            }
        }
        if invocation.has(dryRun) { rules.isDryRun = true }
        return rules
    }

    /// `--check`: the rules have been read.
    private static func check(
        _ rules: FilterRules, _ name: String, _ invocation: Invocation
    ) throws(ExitFailure) {
        do throws(FilterError) {
            _ = try RateLimitFilter(on: name)
        } catch {
            // There need not be a filter, nor a right to look at it; the interface there has to be.
            if case .interface = error.cause { throw ExitFailure(error) }
        }
        if rules.management.isEmpty, rules.policy == .deny, !rules.allowsSSH {
            SSHSession.tell(
                "nothing is management, the policy is to deny, and no entry allows tcp/22: only sources that are allowed reach "
                    + "this host by SSH; write management: ['tcp/22'] if others should",
                invocation.errorOutput)
        }
        SSHSession.warn(of: rules, on: name, undo: nil, invocation.errorOutput)
        FilterRemarks.warn(ofNeedsDroppedBy: rules, on: name, invocation.errorOutput)
        let file = invocation.text(config).map { $0 == "-" ? "standard input: " : "\($0): " } ?? ""
        invocation.output.line("\(file)fine: \(rules.summary)".printable)
    }
}

extension RateLimitFilter.Removal {
    /// What it says to people, behind the interface's name.
    fileprivate var text: String {
        switch self {
        case .filter: "the filter is unloaded"
        case .state: "no filter was on the interface; what was kept of one is removed"
        case .stateOfMissingInterface:
            "the interface is gone, or in another network namespace; what was kept of its filter is removed, whose program "
                + "lets all pass from now on if it is still on it"
        case .program:
            "the program of a filter is taken off whose state was not kept here, as when an interface comes from another "
                + "network namespace"
        }
    }
}

extension FilterRules {
    /// Whether an entry that is not about sources lets SSH's own port pass.
    fileprivate var allowsSSH: Bool {
        entries.contains { entry in
            guard entry.verdict == .allow else { return false }
            switch entry.subject {
            case .port(let ports):
                return ports.transport != .udp && (ports.first...max(ports.first, ports.last)).contains(22)
            case .ipProtocol(let number): return number == Transport.tcp.ipProtocol
            case .source, .sourcePort: return false
            }
        }
    }
}

extension FilterStatus {
    /// `eth0: native mode, through libxdp's dispatcher`.
    var grantText: String {
        "\(interface): \(mode.rawValue) mode, "
            + (usesDispatcher ? "through libxdp's dispatcher" : "alone on the interface")
    }
}
