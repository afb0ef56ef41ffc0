/// How long and how exactly is measured.
///
/// The numbers are fixed: who looks again and again, and stops when the interval is narrow, makes it too narrow.
public struct Effort: Sendable, Equatable {
    /// What a report calls it: `full` or `quick`, and ` same` behind that if it is so.
    public private(set) var name: String
    /// How long one competitor that can be repeated works in one round, in nanoseconds. Short beside the time
    /// slices of the kernel, so that on a busy machine few rounds are interrupted.
    public let roundTime: Double
    /// How often competitors are made anew, in memory that lies elsewhere each time.
    public let placements: Int
    /// How many rounds in each placement, of comparisons that don't say it themselves.
    public let rounds: Int
    /// Whether in each comparison the peer is Apus too, made the same way.
    public private(set) var isSame = false

    /// An effort of one's own. Placements and rounds are one at least.
    public init(name: String, roundTime: Double, placements: Int, rounds: Int) {
        precondition(placements > 0 && rounds > 0, "\(name) has no rounds")
        (self.name, self.roundTime, self.placements, self.rounds) = (name, roundTime, placements, rounds)
    }

    /// The same beside itself: how many of the intervals then hold 1 tells what they are worth (``Report/even``).
    public var same: Effort {
        var effort = self
        (effort.name, effort.isSame) = ("\(name) same", true)
        return effort
    }

    /// For figures to publish: the interval goes from the second smallest to the second largest placement, 96.1 %.
    public static let full = Effort(name: "full", roundTime: 2e5, placements: 9, rounds: 100)
    /// For a check before a change lands: as few placements as give an interval of 95 % (96.9 %).
    public static let quick = Effort(name: "quick", roundTime: 1e5, placements: 6, rounds: 40)
}
