import ApusBench

/// A verb, names, and options with and without a value.
struct Arguments {
    static let help = """
        bench run [NAME...]   measures all suites or these, and prints a table. A suite's name, or how the names of some
                              of its benchmarks begin: rings/spsc
            --quick           a short run: wider intervals, and not all of the suite forwarder
            --one-core        only what takes one core and no network
            --same            Apus beside itself: how many intervals hold 1 tells what they are worth
            --json FILE       keeps the figures, --html FILE draws them
            --targets FILE    says which targets they miss
            --baseline FILE   says which ratios got worse: than those of record, or than in another run's figures
            --commit ID, --swift VERSION: what the figures say that was measured
        bench suites          their names
        bench check --results FILE [--targets FILE] [--baseline FILE]
                              the same of a run that was kept; so two runs are compared, before and after a change
        bench page --results FILE --html FILE          draws it
        bench record --results FILE --baseline FILE    makes its ratios on one core those of record
        bench headline --results FILE                  its line for the history in Docs/Performance.md

        Exits with 1 when a target is missed, a ratio is worse than that of record or something can't be measured, with 64
        for wrong usage, and with 130 when it is interrupted: what was measured until then is kept.
        `make bench` builds this program, runs it, and installs what the suites need.
        """

    struct Wrong: Error, CustomStringConvertible {
        let description: String
        init(_ description: String) { self.description = description }
    }

    /// What each verb takes.
    private static let verbs: [(name: String, options: Set<String>)] = [
        (
            "run",
            ["quick", "one-core", "same", "json", "html", "targets", "baseline", "commit", "swift"]
        ),
        ("suites", []), ("check", ["results", "targets", "baseline"]), ("page", ["results", "html"]),
        ("record", ["results", "baseline"]), ("headline", ["results"]), ("help", []),
    ]
    /// Options without a value, and what those with one take.
    private static let flags: Set<String> = ["quick", "one-core", "same"]
    private static let values = ["commit": "an ID", "swift": "a version"]

    let verb: String
    private(set) var names: [String] = []
    private var options: [String: String] = [:]

    /// - Parameter suites: their names, for who leaves out the verb.
    init(_ words: some Sequence<String>, suites: [String]) throws {
        var rest = Array(words)[...]
        guard !rest.contains("--help"), !rest.contains("-h") else {
            verb = "help"
            return
        }
        let verb = rest.first?.hasPrefix("-") ?? true ? "run" : rest.removeFirst()
        guard let known = Self.verbs.first(where: { $0.name == verb })?.options else {
            let way =
                suites.contains(suite(of: verb))
                ? "bench run \(verb) measures that"
                : "there are: \(Self.verbs.map(\.name).joined(separator: ", "))"
            throw Wrong("there is no verb \(verb); \(way)")
        }
        self.verb = verb
        while let word = rest.popFirst() {
            guard word.hasPrefix("-") else {
                guard verb == "run" else { throw Wrong("\(verb) takes no names: \(word)") }
                names.append(word)
                continue
            }
            let name = String(word.trimmingPrefix("--"))
            guard Self.verbs.contains(where: { $0.options.contains(name) }) else {
                throw Wrong("there is no option \(word); bench --help lists them")
            }
            guard known.contains(name) else { throw Wrong("\(verb) takes no \(word)") }
            guard options[name] == nil else { throw Wrong("\(word) is there twice") }
            if Self.flags.contains(name) {
                options[name] = ""
            } else if let value = rest.popFirst(), !value.isEmpty, !value.hasPrefix("--") {
                options[name] = value
            } else {
                throw Wrong("\(word) takes \(Self.values[name] ?? "a file")")
            }
        }
    }

    func has(_ name: String) -> Bool { options[name] != nil }
    func value(_ name: String) -> String? { options[name] }
    func required(_ name: String) throws -> String {
        guard let value = options[name] else { throw Wrong("\(verb) needs --\(name) FILE") }
        return value
    }
}

/// The first part of a name.
func suite(of name: String) -> String { String(name.prefix { $0 != "/" }) }
