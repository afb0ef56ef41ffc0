/// A verb, names, and options with and without a value.
struct Arguments {
    static let help = """
        bench run [NAME...]   measures all suites or these, and prints a table. A suite's name, or how the names of some
                              of its benchmarks begin: rings/spsc
            --quick           a short run: wider intervals, and not all of the suite forwarder
            --one-core        only what takes one core and no network
            --same            Apus beside itself: how many intervals hold 1 tells what they are worth
            --json FILE       keeps the figures, --html FILE draws them
            --targets FILE    says which targets they miss, --baseline FILE which ratios got worse
            --commit ID, --swift VERSION: what the figures say that was measured
        bench suites          their names
        bench check --results FILE --targets FILE      which targets a run that was kept misses
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

    private static let valued: Set<String> = [
        "json", "html", "targets", "baseline", "commit", "swift", "results",
    ]
    private static let flags: Set<String> = ["quick", "one-core", "same"]

    let verb: String
    private(set) var names: [String] = []
    private var options: [String: String] = [:]

    init(_ words: some Sequence<String>) throws {
        var rest = Array(words)[...]
        let isOption = rest.first.map { $0.hasPrefix("--") && $0 != "--help" } ?? true
        verb = isOption ? "run" : rest.removeFirst()
        while let word = rest.popFirst() {
            guard word.hasPrefix("--") else {
                names.append(word)
                continue
            }
            let name = String(word.dropFirst(2))
            if Self.flags.contains(name) {
                options[name] = ""
            } else if Self.valued.contains(name), let value = rest.popFirst() {
                options[name] = value
            } else {
                throw Wrong("\(word) is no option, or has no value; bench --help lists them")
            }
        }
    }

    func has(_ name: String) -> Bool { options[name] != nil }
    func value(_ name: String) -> String? { options[name] }
    func required(_ name: String) throws -> String {
        guard let value = options[name] else { throw Wrong("--\(name) is needed") }
        return value
    }
}
