import Foundation

/// What a comparison shall reach: one line of targets.json.
package struct Target: Codable, Equatable {
    /// The beginning of the names it is for.
    package var benchmarks: String
    /// Apus' time over the peer's.
    package var timeRatioAtMost: Double?
    /// Apus' rate over the peer's: the time ratio upside down.
    package var rateRatioAtLeast: Double?
    /// Apus' own time for each element or packet.
    package var nanosecondsAtMost: Double?

    package init(
        benchmarks: String, timeRatioAtMost: Double? = nil, rateRatioAtLeast: Double? = nil,
        nanosecondsAtMost: Double? = nil
    ) {
        (self.benchmarks, self.timeRatioAtMost) = (benchmarks, timeRatioAtMost)
        (self.rateRatioAtLeast, self.nanosecondsAtMost) = (rateRatioAtLeast, nanosecondsAtMost)
    }

    /// The targets in a file.
    package static func read(_ path: String) throws -> [Target] {
        try JSONDecoder().decode([Target].self, from: Data(contentsOf: URL(filePath: path)))
    }
}

/// What a check says of one comparison and one target.
package struct Verdict: Equatable {
    package enum Outcome: String { case met, unsure, missed }
    package var name: String
    package var outcome: Outcome
    package var sentence: String
}

extension Target {
    /// Compares a report with the targets of the suites in it.
    ///
    /// A ratio misses its target when its whole interval is on the wrong side, and meets it when all of it is
    /// on the right side; in between it is unsure. A target that names nothing in its suite is missed, since
    /// else renaming a benchmark would meet it.
    package static func check(_ report: Report, _ targets: [Target]) -> [Verdict] {
        let suites = Set(report.results.map { String($0.name.prefix { $0 != "/" }) })
        var verdicts: [Verdict] = []
        for target in targets where suites.contains(String(target.benchmarks.prefix { $0 != "/" })) {
            let findings = report.results.filter { $0.name.hasPrefix(target.benchmarks) }
            if findings.isEmpty {
                verdicts.append(
                    Verdict(
                        name: target.benchmarks, outcome: .missed,
                        sentence: "no benchmark's name begins like that"))
            }
            verdicts += findings.flatMap { target.check($0) }
        }
        if report.build != "release" {
            verdicts.append(
                Verdict(name: "build", outcome: .missed, sentence: "only a release build can be checked"))
        }
        return verdicts
    }

    private func check(_ finding: Finding) -> [Verdict] {
        let ratio = finding.timeRatio
        var verdicts: [Verdict] = []
        if let limit = timeRatioAtMost {
            verdicts.append(
                verdict(finding, "time ratio", ratio.median, ratio.low...ratio.high, "at most", limit))
        }
        if let limit = rateRatioAtLeast {
            verdicts.append(
                verdict(
                    finding, "rate ratio", 1 / ratio.median, 1 / ratio.high...1 / ratio.low, "at least",
                    limit, isFloor: true))
        }
        if let limit = nanosecondsAtMost {
            let own = finding.apus
            verdicts.append(
                verdict(
                    finding, "nanoseconds", own.nanoseconds, own.lowerQuartile...own.upperQuartile,
                    "at most", limit))
        }
        return verdicts
    }

    private func verdict(
        _ finding: Finding, _ what: String, _ value: Double, _ interval: ClosedRange<Double>,
        _ relation: String, _ limit: Double, isFloor: Bool = false
    ) -> Verdict {
        let outcome: Verdict.Outcome =
            if isFloor {
                interval.upperBound < limit ? .missed : interval.lowerBound < limit ? .unsure : .met
            } else {
                interval.lowerBound > limit ? .missed : interval.upperBound > limit ? .unsure : .met
            }
        let figures = String(format: "%.3f [%.3f, %.3f]", value, interval.lowerBound, interval.upperBound)
        return Verdict(
            name: finding.name, outcome: outcome, sentence: "\(what) \(figures), \(relation) \(limit)")
    }
}
