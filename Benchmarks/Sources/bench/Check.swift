import ApusBench
import Foundation

/// What `--baseline` names: ratios of record, or the figures of another run.
enum Before {
    case record(Baseline)
    case run(Report, path: String)

    /// What that file holds.
    init(_ path: String) throws {
        self = try reading(path, "ratios of record, nor figures of a run (--json)") { path in
            if let record = try? Baseline(readingFrom: path) { return .record(record) }
            return .run(try Report(readingFrom: path), path: path)
        }
    }
}

/// What `--targets` and `--baseline` name, read before anything is measured.
struct Checks {
    private let targets: [Target]?
    private let before: Before?

    init(_ arguments: Arguments) throws {
        targets = try arguments.value("targets").map { try reading($0, "targets", Target.read) }
        before = try arguments.value("baseline").map { try Before($0) }
    }

    var isEmpty: Bool { targets == nil && before == nil }

    /// Says what is missed or got worse, and returns whether nothing is.
    ///
    /// - Parameter again: measures those benchmarks once more, before it counts that they got worse.
    func pass(_ report: Report, again: (Set<String>) -> [Finding] = { _ in [] }) throws -> Bool {
        var isGood = true
        switch before {
        case .record(let record):
            let verdicts = record.check(report.results, of: report.names, again: again)
            isGood = say(verdicts, "ratio of record", "ratios of record")
        case .run(let before, let path): isGood = try compare(report, with: before, path)
        case nil: break
        }
        guard let targets else { return isGood }
        let isMet = say(Target.check(report, targets), "target", "targets")
        let unchecked = Target.unchecked(report, targets)
        if !unchecked.isEmpty {
            print("not checked, as their suites were not measured: \(unchecked.joined(separator: ", "))")
        }
        return isGood && isMet && unchecked.isEmpty
    }
}

/// Prints what is not met, and returns whether nothing is missed.
private func say(_ verdicts: [Verdict], _ one: String, _ many: String) -> Bool {
    for verdict in verdicts where verdict.outcome != .met {
        print("\(verdict.outcome): \(verdict.name): \(verdict.sentence)")
    }
    let missed = verdicts.count { $0.outcome == .missed }
    print("\(counted(verdicts.count, one, many)), \(missed) missed")
    return missed == 0
}

/// Prints the ratios that both runs have, and returns whether none got worse.
private func compare(_ report: Report, with before: Report, _ path: String) throws -> Bool {
    let changes = Change.between(before, report)
    guard !changes.isEmpty else { throw BenchError("no ratio is in both \(path) and this run") }
    func name(_ run: Report) -> String { "\(run.versions["apus"] ?? "unknown"), \(run.effort), \(run.date)" }
    print("from \(name(before)) to \(name(report)):")
    for change in changes { print(change.line) }
    let names = [Set(before.results.map(\.name)), Set(report.results.map(\.name))]
    let single = names[0].symmetricDifference(names[1])
    if !single.isEmpty { print("in one of them only: \(single.sorted().joined(separator: ", "))") }
    let (better, worse) = (changes.count { $0.outcome == .better }, changes.count { $0.outcome == .worse })
    print("\(counted(changes.count, "ratio", "ratios")) in both, \(better) better, \(worse) worse")
    if better + worse > 0 {
        print(
            "an interval is of one run, and knows nothing of what differs between two: measure each several times"
        )
    }
    return worse == 0
}

/// Makes a report's ratios those of record.
func record(_ arguments: Arguments) throws {
    let report = try results(arguments)
    let path = try arguments.required("baseline")
    let output = try Output("baseline", arguments)
    let isNew = !FileManager.default.fileExists(atPath: path)
    let old = isNew ? nil : try reading(path, "ratios of record", Baseline.init(readingFrom:))
    let new: Baseline
    do { new = try Baseline(recording: report, replacing: old) } catch {
        throw BenchError("\(try arguments.required("results")) can't become the record: \(error)")
    }
    try output?.write(new.json())
    print("\(path): \(new.changes(from: old))")
}
