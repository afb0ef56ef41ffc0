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

    /// The ratios of a report on one core: those between two are too unsteady to hold anyone to. Of suites that are not
    /// in the report those of `old` stay.
    public init(recording report: Report, room: Double, keeping old: [String: Double] = [:]) {
        let suites = Set(report.results.map(\.suite))
        self.init(
            room: room, commit: report.versions["apus"] ?? "unknown",
            machine: "\(report.machine.processor), Linux \(report.machine.kernel), \(report.date.prefix(10))",
            timeRatios: old.filter { !suites.contains(String($0.key.prefix { $0 != "/" })) }.merging(
                report.results.filter { $0.cores == 1 }.compactMap { finding in
                    // Four digits, since no more are known, and so that a new record changes few of them.
                    finding.timeRatio.map { (finding.name, ($0.median * 1e4).rounded() / 1e4) }
                }
            ) { $1 })
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

    /// Compares findings with the record: each that has a ratio, and each name of record in their suites, which is missed when
    /// it is gone. One without a record is unsure.
    public func check(_ findings: [Finding]) -> [Verdict] {
        let verdicts = findings.compactMap { finding -> Verdict? in
            guard let ratio = finding.timeRatio else { return nil }
            let figures = "time ratio \(ratio.text)"
            guard let record = timeRatios[finding.name] else {
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
        let (suites, names) = (Set(findings.map(\.suite)), Set(findings.map(\.name)))
        let gone = timeRatios.keys.sorted().filter { name in
            !names.contains(name) && suites.contains(String(name.prefix { $0 != "/" }))
        }
        return verdicts
            + gone.map {
                Verdict(name: $0, outcome: .missed, sentence: "of record, and not measured any more")
            }
    }

    /// As ``check(_:)``, but what got worse is measured once more before it counts, since something else may have
    /// disturbed it.
    ///
    /// - Parameter again: measures those of these names.
    public func check(_ findings: [Finding], again: (Set<String>) throws -> [Finding]) rethrows -> [Verdict] {
        let worse = Set(check(findings).filter { $0.outcome == .missed }.map(\.name))
        guard !worse.isEmpty else { return check(findings) }
        let second = try again(worse)
        return check(findings.map { first in second.first { $0.name == first.name } ?? first })
    }
}
