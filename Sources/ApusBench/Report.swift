import FoundationEssentials

/// All that one run found: what `--json` writes. Benchmarks/README.md describes it.
public struct Report: Codable, Equatable, Sendable {
    /// The version of this form. It grows when a field changes its meaning or goes, not when one is added.
    public var schema = Report.form
    private static var form: Int { 3 }
    /// When it was done, as ISO 8601.
    public var date: String
    /// `full`, or `quick` for a short run.
    public var effort: String
    /// `release`, or `debug`, whose figures say nothing.
    public var build: String
    /// What was measured, by name: `apus`, `swift`, and what the suites say of their peers.
    public var versions: [String: String]
    /// Where.
    public var machine: Machine
    /// What else that had to do.
    public var load: Load
    /// What speaks against the figures, in sentences.
    public var warnings: [String]
    /// What was found, in the order of measuring.
    public var results: [Finding]
    /// What could not be measured.
    public var failures: [Failure]
    /// What was asked for, each the beginning of some benchmarks' names; `nil` when everything was.
    public var names: [String]?
    /// `true` when not all that was asked for was measured, because the run was ended; else `nil`.
    public var interrupted: Bool?

    /// A trial that was begun and did not come to its end.
    public struct Failure: Codable, Equatable, Sendable {
        /// That of the trial, or of the suite whose versions could not be found.
        public var name: String
        /// Why, in a sentence.
        public var reason: String

        /// A failure of that trial.
        public init(name: String, reason: String) { (self.name, self.reason) = (name, reason) }

        /// Both in a line.
        public var line: String { "failed: \(name): \(reason)" }
    }

    /// A report of now.
    ///
    /// - Parameters:
    ///   - build: `release` or `debug`: of the code that was measured.
    ///   - leftOut: what was not measured and why, a sentence each.
    ///   - names: what was asked for; nothing stands for everything.
    ///   - isInterrupted: whether more was to be measured.
    public init(
        effort: Effort, build: String, versions: [String: String], machine: Machine, load: Load,
        leftOut: [String] = [], results: [Finding], failures: [Failure] = [], names: [String] = [],
        isInterrupted: Bool = false
    ) {
        date = Date.now.formatted(.iso8601)
        (self.effort, self.build, self.versions) = (effort.name, build, versions)
        (self.machine, self.load, self.results, self.failures) = (machine, load, results, failures)
        self.names = names.isEmpty ? nil : names
        interrupted = isInterrupted ? true : nil
        warnings = isInterrupted ? ["interrupted: the rest of what was asked for was not measured"] : []
        if build == "debug" { warnings.append("a debug build: the figures say nothing") }
        if load.othersShare > Load.quietLimit {
            warnings.append(
                "a busy machine: others had \(Int((load.othersShare * 100).rounded())) % of its time; "
                    + "times and ratios may both be off, so measure again when it is quiet")
        }
        warnings += leftOut
    }

    /// What ``json()`` has written to a file. One of another form is refused: its intervals mean something else.
    public init(readingFrom path: String) throws {
        struct Form: Decodable { var schema: Int }
        let data = try Data(contentsOf: URL(filePath: path))
        let form = try JSONDecoder().decode(Form.self, from: data).schema
        guard form == Self.form else {
            throw BenchError(
                "the figures in \(path) are of form \(form), and this program reads form \(Self.form): measure them "
                    + "anew, or read them with the version of Apus that wrote them")
        }
        self = try JSONDecoder().decode(Report.self, from: data)
    }

    /// The report as JSON, keys in order.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }
}

extension Report {
    /// `release` or `debug`: how this was built.
    public static var build: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    /// Measures the suites one after the other, on the core that the calling thread is pinned to. A trial that fails is
    /// named in the report, and the others go on.
    ///
    /// - Parameters:
    ///   - versions: of what the suites don't tell of: `apus`, `swift`.
    ///   - progress: gets what is measured now, and nothing when that has ended.
    ///   - found: gets each finding when it is there.
    ///   - names: what was asked for, for the report; nothing stands for everything.
    ///   - kept: gets the report so far after each trial, as one of an interrupted run, so that a run that ends early,
    ///     however that comes, has not been for nothing. What it throws ends the run.
    public static func measuring(
        _ suites: [Suite], _ effort: Effort, versions: [String: String], names: [String] = [],
        progress: (String) -> Void, found: (Finding) -> Void, kept: (Report) throws -> Void = { _ in }
    ) throws -> Report {
        let stopwatch = Stopwatch()
        let (meter, watch) = (Meter(stopwatch, effort), LoadWatch())
        let count = suites.map(\.trials.count).reduce(0, +)
        var (versions, findings, failures, number) = (versions, [Finding](), [Failure](), 0)
        func report(isInterrupted: Bool = false) -> Report {
            Report(
                effort: effort, build: build, versions: versions, machine: Machine(stopwatch),
                load: watch.load,
                leftOut: suites.flatMap(\.leftOut), results: findings, failures: failures, names: names,
                isInterrupted: isInterrupted)
        }
        func attempt(_ name: String, _ work: () throws -> Void) {
            do { try work() } catch { failures.append(Failure(name: name, reason: "\(error)")) }
        }
        for suite in suites {
            attempt(suite.name) { versions.merge(try suite.versions()) { $1 } }
            for trial in suite.trials {
                number += 1
                let step = "\(number) of \(count): \(trial.name)"
                progress(step)
                attempt(trial.name) {
                    let some = try trial.run(meter) { progress("\(step), \($0)") }
                    progress("")
                    some.forEach(found)
                    findings += some
                }
                progress("")
                try kept(report(isInterrupted: true))
            }
        }
        return report()
    }

    /// Of a run beside itself (``Effort/same``): how many ratios' intervals hold 1, of how many, and how many are to be
    /// expected by their confidences. Far fewer mean that the intervals are too narrow.
    public var even: (held: Int, of: Int, expected: Double) {
        let ratios = results.filter { $0.peer?.name == $0.apus.name }.compactMap(\.timeRatio)
        return (
            ratios.count { $0.low <= 1 && 1 <= $0.high }, ratios.count,
            ratios.map(\.confidence).reduce(0, +)
        )
    }
}
