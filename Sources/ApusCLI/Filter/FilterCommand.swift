import Apus
import Glibc

/// `apus filter`: the rate-limit filter of an interface.
enum FilterCommand {
    static let command = Command(
        name: "filter",
        summary: "limit and drop packets before the kernel's stack gets them",
        discussion: [
            "A filter is an XDP program that stays on its interface when the command has ended, with rules that can be "
                + "changed while packets flow. Each packet is judged in this order: what can't be parsed; ARP and neighbor "
                + "discovery, which pass; services of management, which pass; sources that are banned; the lists of "
                + "addresses, ports and protocols; the policy; and then the limits, all of which must have room.",
            "SSH at TCP port 22 is management unless the rules say otherwise. Where rules would drop the SSH connection "
                + "that a command runs in, it warns, and says how to undo it. To try rules first, load them with --dry-run: "
                + "all packets pass, and what would be dropped is counted.",
            "To load a filter and to change it takes CAP_NET_ADMIN and CAP_BPF (kernels before Linux 6.6 may want "
                + "CAP_PERFMON too), and CAP_SYS_ADMIN to see and to be beside other XDP programs; to look at it, "
                + "CAP_BPF; and each, access to the BPF file system at /sys/fs/bpf, where it is kept. A reboot removes all; apus-filter@IF.service loads it again.",
            "Without root: give a copy of the program that only its user may run these capabilities, `setcap "
                + "cap_bpf,cap_net_admin,cap_perfmon+ep` and its path, and that user a folder, after each boot: `mkdir -m 700 "
                + "/sys/fs/bpf/apus && chown USER /sys/fs/bpf/apus && chmod o+x /sys/fs/bpf`. "
                + "Filters are that user's from then on, and root is refused until the folder is removed.",
            "The manual, which apus man prints, explains the keys of a file of rules, and Docs/Filter.md how limits count.",
        ],
        subcommands: [
            load, reload, unload, status, top, limit, allow, deny, remove, explain, dump, export, words,
        ],
        exitMeanings: [
            .usage:
                "Wrong usage: an unknown option, a missing value, or a rule that makes no sense beside those in force.",
            .noInput: "There is no such interface or file, or no such entry or limit.",
            .unavailable:
                "The host cannot do what was asked, or not now; or no filter is loaded, or one is already. The message says "
                + "what is in the way and how to mend it.",
            .configuration:
                "The file of rules is wrong; the message says where, as file:line:column, and what was meant.",
        ],
        run: { invocation throws(ExitFailure) in
            let names = invocation.command.visibleSubcommands.map(\.name).joined(separator: ", ")
            throw ExitFailure(
                .usage, "a command is missing; there are: \(names)",
                wayOut: "apus filter --help shows what each does.")
        })

    static let interface = Argument(
        name: "IF", help: "The interface, by the kernel's name.", completion: .interface)
    static let optionalInterface = Argument(
        name: "IF", help: "The interface; all that have a filter without it.", isRequired: false,
        completion: .interface)
    static let json = Option(long: "json", help: "Print the figures as JSON.")

    /// What it takes to look at a filter, and to change one.
    static let (looking, changing): ([Capability], [Capability]) = ([.bpf], [.bpf, .netAdmin])

    /// Makes sure that the process may do it, as the kernel would only show an empty BPF file system otherwise.
    static func require(_ capabilities: [Capability], for purpose: String) throws(ExitFailure) {
        let held = Capabilities.current()
        // CAP_SYS_ADMIN includes what BPF takes (capabilities(7)).
        let missing = capabilities.filter { !held.has($0) && !($0 == .bpf && held.has(.sysAdmin)) }
        let folder = RateLimitFilter.folderGrant.map { "`\($0)`" }
        guard missing.isEmpty else {
            // All that a filter takes, as setcap replaces what was there.
            let command = Capability.grantCommand([.bpf, .netAdmin, .perfmon])
            throw ExitFailure(
                .notPermitted,
                "\(purpose) needs \(missing.map(\.name).joined(separator: ", ")); run as root, or have root run once, on a "
                    + "copy that only you may run, `\(command)`"
                    + (folder.map { " and after each boot \($0)" } ?? ""))
        }
        let place = "/sys/fs/bpf"
        guard unsafe access(place, F_OK) != 0 || access(place, X_OK) == 0 else {
            throw ExitFailure(
                .notPermitted, "\(purpose) needs access to \(place), where filters are kept",
                wayOut: "Run it as root, or have root run after each boot \(folder ?? "chmod o+x \(place)").")
        }
    }

    /// The filter that is loaded on an interface.
    static func filter(on interface: String) throws(ExitFailure) -> RateLimitFilter {
        try filtering { () throws(FilterError) in try RateLimitFilter(on: interface) }
    }

    /// Removes what commands that were killed have left, before filters are changed, and says so. What can't be removed is
    /// no reason to leave other filters as they are.
    static func prepareChange(_ purpose: String, _ invocation: Invocation) throws(ExitFailure) {
        try require(changing, for: purpose)
        let output = invocation.errorOutput
        func say(_ removed: [RateLimitFilter.Removed]) {
            for one in removed {
                output.line(
                    "remark: \(one.interface): removed what was left of a filter that is not in force"
                        .printable)
            }
        }
        do throws(FilterError) {
            say(try RateLimitFilter.cleanUp())
        } catch {
            guard case .partly(let removed, let errors) = error.cause else { throw ExitFailure(error) }
            say(removed)
            for error in errors { output.line("warning: \(error)".printable) }
        }
    }

    /// The filters that an invocation names: one, or all; no failure where there are none.
    ///
    /// - Parameter others: interfaces that are left out.
    static func filters(
        _ invocation: Invocation, but others: [String] = []
    ) throws(ExitFailure) -> [RateLimitFilter] {
        try require(looking, for: "looking at filters")
        guard !invocation.arguments.isEmpty else {
            return try filtering { () throws(FilterError) in try RateLimitFilter.all() }
        }
        var filters: [RateLimitFilter] = []
        for name in invocation.arguments where !others.contains(name) {
            let filter = try filter(on: name)
            if !filters.contains(filter) { filters.append(filter) }
        }
        return filters
    }

    /// What is to be said of filters that another tool has taken off.
    static func takenOff() throws(ExitFailure) -> [FilterError] {
        try filtering { () throws(FilterError) in try RateLimitFilter.takenOff() }
    }

    /// What the filters that an invocation names are doing, and why some of all could not be asked: those are not to hide
    /// the others.
    static func statuses(
        _ invocation: Invocation, but others: [String] = []
    ) throws(ExitFailure) -> (all: [FilterStatus], failure: ExitFailure?) {
        var (all, errors): ([FilterStatus], [FilterError]) = ([], [])
        for filter in try filters(invocation, but: others) {
            do throws(FilterError) { all.append(try filter.status()) } catch { errors.append(error) }
        }
        return (all, errors.isEmpty ? nil : ExitFailure(errors))
    }
}

/// Runs what may fail with an error of a filter.
func filtering<Result: ~Copyable>(
    _ body: () throws(FilterError) -> Result
) throws(ExitFailure) -> Result {
    do throws(FilterError) { return try body() } catch { throw ExitFailure(error) }
}

extension ExitFailure {
    /// What is in the way of a filter.
    init(_ error: FilterError) {
        switch error.cause {
        case .interface(let inner): self.init(ForwarderError.xdp(inner))
        case .rules(let errors):
            // Of rules by options: what is in force has no place to point at.
            self.init(.usage, errors.errors.map(\.message).joined(separator: "\n"))
        case .partly(_, let errors): self.init(errors)
        case .notThere: self.init(.noInput, "\(error)")
        case .failed(_, let code, let detail):
            // With words beside it EACCES is the verifier's, which a program is not good enough for.
            let isNotPermitted = code == EPERM || code == EACCES && detail.isEmpty
            self.init(isNotPermitted ? .notPermitted : .unavailable, "\(error)")
        case .notLoaded, .takenOff, .withoutState, .notEthernet, .alreadyLoaded, .noBPFFileSystem,
            .otherVersion, .busy, .unavailable:
            self.init(.unavailable, "\(error)")
        }
    }

    /// What is in the way of several filters, with the code of the first.
    init(_ errors: [FilterError]) {
        self.init(
            errors.first.map { ExitFailure($0).code } ?? .unavailable,
            errors.map { ExitFailure($0).message }.joined(separator: "\n"))
    }
}

extension FilterRules {
    /// How many entries and limits there are.
    var summary: String {
        let (lists, limits) = (entries.count, limits.count)
        return "\(Units.count(lists)) \(lists == 1 ? "entry" : "entries"), "
            + "\(limits) limit\(limits == 1 ? "" : "s")\(isDryRun ? ", dry run: all packets pass" : "")"
    }

    /// A verdict in words: `the limit "source udp/5004" has no room`.
    func text(of verdict: FilterVerdict) -> String {
        switch verdict {
        case .reason(let reason): reason.text
        case .limit(let index): "the limit \(limits[index].name.quoted) has no room"
        }
    }
}
