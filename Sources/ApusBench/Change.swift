/// What became of a ratio between two runs.
public struct Change: Equatable, Sendable {
    /// On which side of the interval before the one after lies.
    public enum Outcome: String, Sendable {
        /// All of it is below: Apus takes less of the peer's time.
        case better
        /// All of it is above.
        case worse
        /// They have something in common.
        case same = ""
    }
    /// That of the comparison.
    public var name: String
    /// Apus' time over the peer's in the earlier run.
    public var before: Finding.Interval
    /// In the later one.
    public var after: Finding.Interval

    /// Whether the intervals are disjoint, and how they lie.
    public var outcome: Outcome {
        after.low > before.high ? .worse : after.high < before.low ? .better : .same
    }

    /// Both in a line, and what that means.
    public var line: String {
        let line = name.padded(32) + before.text.padded(22) + "-> " + after.text
        return outcome == .same ? line : line.padded(32 + 22 + 3 + 22) + outcome.rawValue
    }

    /// The ratios that both runs have, to the same peer.
    public static func between(_ before: Report, _ after: Report) -> [Change] {
        after.results.compactMap { finding in
            let old = before.results.first { $0.name == finding.name && $0.peer?.name == finding.peer?.name }
            guard let before = old?.timeRatio, let after = finding.timeRatio else { return nil }
            return Change(name: finding.name, before: before, after: after)
        }
    }
}
