import FoundationEssentials

/// What a comparison shall reach: one line of targets.json.
public struct Target: Codable, Equatable, Sendable {
    /// The beginning of the names it is for.
    public var benchmarks: String
    /// Only those findings whose peer's name begins with that, if it is not `nil`.
    public var beside: String?
    /// Apus' time over the peer's.
    public var timeRatioAtMost: Double?
    /// Apus' rate over the peer's: the time ratio upside down.
    public var rateRatioAtLeast: Double?
    /// Apus' own time for each element or packet.
    public var nanosecondsAtMost: Double?

    /// A target for the benchmarks whose names begin like that.
    public init(
        benchmarks: String, beside: String? = nil, timeRatioAtMost: Double? = nil,
        rateRatioAtLeast: Double? = nil,
        nanosecondsAtMost: Double? = nil
    ) {
        (self.benchmarks, self.beside, self.timeRatioAtMost) = (benchmarks, beside, timeRatioAtMost)
        (self.rateRatioAtLeast, self.nanosecondsAtMost) = (rateRatioAtLeast, nanosecondsAtMost)
    }

    /// The targets in a file.
    public static func read(_ path: String) throws -> [Target] {
        try JSONDecoder().decode([Target].self, from: Data(contentsOf: URL(filePath: path)))
    }
}

/// What a check says of one comparison and one target.
public struct Verdict: Equatable, Sendable {
    /// On which side of the target the figure lies; `unsure` when the target is in its interval.
    public enum Outcome: String, Sendable {
        /// All of the interval is on the right side.
        case met
        /// The target lies in the interval, and near the median.
        case unsure
        /// All of it is on the wrong side, the median is by more than a tenth, or there is no figure.
        case missed
    }
    /// That of the finding, or what the target calls for and nobody measured.
    public var name: String
    /// What the figure says of the target.
    public var outcome: Outcome
    /// The figure and the target.
    public var sentence: String
}

extension Target {
    /// The targets of which ``check(_:_:)`` says nothing, since the report has no figure of their suite: none when some
    /// benchmarks were asked for by name.
    public static func unchecked(_ report: Report, _ targets: [Target]) -> [String] {
        guard report.names == nil else { return [] }
        let suites = Set(report.results.map(\.suite))
        return targets.map(\.benchmarks).filter { !suites.contains(suiteName($0)) }
    }

    /// Compares a report with the targets of the suites in it, as far as they were asked for.
    ///
    /// A ratio misses its target when its whole interval is on the wrong side, and meets it when all of it is
    /// on the right side; in between it is unsure, unless the median misses it by more than a tenth: an interval so wide
    /// must not hide a loss. A target that names nothing in its suite is missed, since
    /// else renaming a benchmark would meet it, unless only a part of what it is for was asked for.
    public static func check(_ report: Report, _ targets: [Target]) -> [Verdict] {
        let suites = Set(report.results.map(\.suite))
        var verdicts: [Verdict] = []
        for target in targets
        where suites.contains(suiteName(target.benchmarks)) && target.concerns(report.names) {
            let named = report.results.filter { $0.name.hasPrefix(target.benchmarks) }
            let findings = named.filter { target.beside.map(($0.peer?.name ?? "").hasPrefix) ?? true }
            if findings.isEmpty, isAsked(target.benchmarks, by: report.names) {
                let reason =
                    named.isEmpty
                    ? "no benchmark's name begins like that"
                    : "none of those benchmarks is beside \(target.beside ?? "")"
                verdicts.append(Verdict(name: target.benchmarks, outcome: .missed, sentence: reason))
            }
            verdicts += findings.flatMap { target.check($0) }
        }
        if report.build != "release" {
            verdicts.append(
                Verdict(name: "build", outcome: .missed, sentence: "only a release build can be checked"))
        }
        return verdicts
    }

    /// Whether who asked for those names asked for any of its benchmarks.
    private func concerns(_ names: [String]?) -> Bool {
        isAsked(benchmarks, by: names) || names!.contains { $0.hasPrefix(benchmarks) }
    }

    private func check(_ finding: Finding) -> [Verdict] {
        var verdicts: [Verdict] = []
        if finding.timeRatio == nil, timeRatioAtMost ?? rateRatioAtLeast != nil {
            verdicts.append(
                Verdict(name: finding.name, outcome: .missed, sentence: "a ratio to nobody: it has no peer"))
        }
        if let limit = timeRatioAtMost, let ratio = finding.timeRatio {
            verdicts.append(
                verdict(
                    finding, "time ratio", ratio.median, ratio.low...ratio.high, ratio.shortfall, "at most",
                    limit))
        }
        if let limit = rateRatioAtLeast, let ratio = finding.timeRatio {
            verdicts.append(
                verdict(
                    finding, "rate ratio", 1 / ratio.median, 1 / ratio.high...1 / ratio.low,
                    ratio.shortfall, "at least", limit, isFloor: true))
        }
        if let limit = nanosecondsAtMost {
            let own = finding.apus
            verdicts.append(
                verdict(
                    finding, "nanoseconds", own.nanoseconds, own.lowerQuartile...own.upperQuartile,
                    "", "at most", limit))
        }
        return verdicts
    }

    private func verdict(
        _ finding: Finding, _ what: String, _ value: Double, _ interval: ClosedRange<Double>,
        _ shortfall: String, _ relation: String, _ limit: Double, isFloor: Bool = false
    ) -> Verdict {
        let outcome: Verdict.Outcome =
            if isFloor {
                interval.upperBound < limit || value * 1.1 < limit
                    ? .missed : interval.lowerBound < limit ? .unsure : .met
            } else {
                interval.lowerBound > limit || value > limit * 1.1
                    ? .missed : interval.upperBound > limit ? .unsure : .met
            }
        let figures =
            "\(fixed(value, 3)) [\(fixed(interval.lowerBound, 3)), \(fixed(interval.upperBound, 3))]\(shortfall)"
        return Verdict(
            name: finding.name, outcome: outcome, sentence: "\(what) \(figures), \(relation) \(limit)")
    }
}
