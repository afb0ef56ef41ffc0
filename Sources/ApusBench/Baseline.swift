import FoundationEssentials

/// The ratios of record, and how far a run may lie above them before it counts as a loss of speed.
public struct Baseline: Codable, Equatable, Sendable {
    /// A ratio has got worse when its whole interval lies above that of record times this.
    public var room: Double
    /// The commit that was measured.
    public var commit: String
    /// The processor, kernel and day of it.
    public var machine: String
    /// Apus' time over the peer's, by the finding's name.
    public var timeRatios: [String: Double]

    /// A baseline that is known already.
    public init(room: Double, commit: String, machine: String, timeRatios: [String: Double]) {
        (self.room, self.commit, self.machine, self.timeRatios) = (room, commit, machine, timeRatios)
    }

    /// The ratios of a report on one core: those between two are too unsteady to hold anyone to. Of suites that it has no
    /// such ratio of those of `old` stay, and so does the room.
    ///
    /// - Throws: `BenchError` with what speaks against it: a report that says too little, or of a part of a suite, as it
    ///   can't be told whether what is of record and not in it is gone or was not asked for.
    public init(recording report: Report, replacing old: Baseline? = nil) throws {
        if report.build != "release" { throw BenchError("it is of a debug build") }
        if report.interrupted != nil { throw BenchError("the run was interrupted: measure anew") }
        if report.effort != Effort.full.name {
            throw BenchError("it is of a run that was \(report.effort), not \(Effort.full.name)")
        }
        if let failure = report.failures.first {
            throw BenchError("\(failure.name) failed: \(failure.reason)")
        }
        // Four digits, since no more are known, and so that a new record changes few of them.
        let new = report.results.filter { $0.cores == 1 }.reduce(into: [String: Double]()) {
            ratios, finding in
            if let ratio = finding.timeRatio { ratios[finding.name] = (ratio.median * 1e4).rounded() / 1e4 }
        }
        guard !new.isEmpty else { throw BenchError("it has no ratios on one core") }
        let suites = Set(new.keys.map(suiteName))
        let known = (old?.timeRatios ?? [:]).filter { suites.contains(suiteName($0.key)) }
        for suite in suites.sorted() where !isAsked(suite, by: report.names) {
            let names = known.keys.filter { suiteName($0) == suite }
            let has = names.count { new[$0] != nil }
            guard has == names.count else {
                throw BenchError(
                    "it has \(has) of the \(names.count) benchmarks of \(suite) on record; measure the whole suite"
                )
            }
        }
        self.init(
            room: old?.room ?? 1.4, commit: report.versions["apus"] ?? "unknown",
            machine: "\(report.machine.processor), Linux \(report.machine.kernel), \(report.date.prefix(10))",
            timeRatios: (old?.timeRatios ?? [:]).filter { known[$0.key] == nil }.merging(new) { $1 })
    }

    /// What is in it that was not in `old`, what is gone, and how many it has, in a line.
    public func changes(from old: Baseline?) -> String {
        let (now, before) = (Set(timeRatios.keys), Set((old?.timeRatios ?? [:]).keys))
        let parts = [("new", now.subtracting(before)), ("gone", before.subtracting(now))].compactMap {
            $1.isEmpty ? nil : "\($0): \($1.sorted().joined(separator: ", "))"
        }
        return ([counted(now.count, "ratio of record", "ratios of record")] + parts).joined(separator: "; ")
    }

    /// What ``json()`` has written to a file.
    public init(readingFrom path: String) throws {
        self = try JSONDecoder().decode(Baseline.self, from: Data(contentsOf: URL(filePath: path)))
    }

    /// The baseline as JSON, keys in order.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// Compares findings with the record: each that has a ratio, and each name of record in their suites that was asked for,
    /// which is missed when it is gone. One on one core without a record is unsure.
    ///
    /// - Parameter names: what was asked for; `nil` stands for everything.
    public func check(_ findings: [Finding], of names: [String]? = nil) -> [Verdict] {
        let verdicts = findings.compactMap { finding -> Verdict? in
            guard let ratio = finding.timeRatio else { return nil }
            let figures = "time ratio \(ratio.text)"
            guard let record = timeRatios[finding.name] else {
                // Those between two cores have none, and get none.
                if finding.cores != 1 { return nil }
                return Verdict(
                    name: finding.name, outcome: .unsure,
                    sentence: "\(figures), and no record of it: make bench-record")
            }
            let limit = record * room
            return Verdict(
                name: finding.name,
                outcome: ratio.low > limit ? .missed : ratio.high > limit ? .unsure : .met,
                sentence: "\(figures), of record \(fixed(record, 3)), at most \(fixed(limit, 3))")
        }
        let (suites, found) = (Set(findings.map(\.suite)), Set(findings.map(\.name)))
        let gone = timeRatios.keys.sorted().filter { name in
            !found.contains(name) && suites.contains(suiteName(name)) && isAsked(name, by: names)
        }
        return verdicts
            + gone.map {
                Verdict(name: $0, outcome: .missed, sentence: "of record, and not measured any more")
            }
    }

    /// As ``check(_:of:)``, but what got worse is measured once more before it counts, since something else may have
    /// disturbed it.
    ///
    /// - Parameter again: measures those of these names.
    public func check(
        _ findings: [Finding], of names: [String]? = nil, again: (Set<String>) throws -> [Finding]
    ) rethrows -> [Verdict] {
        // What is gone can't be measured again.
        let worse = Set(check(findings, of: names).filter { $0.outcome == .missed }.map(\.name))
            .intersection(findings.map(\.name))
        guard !worse.isEmpty else { return check(findings, of: names) }
        let second = try again(worse)
        return check(findings.map { first in second.first { $0.name == first.name } ?? first }, of: names)
    }
}
