/// How long and how exactly is measured.
public struct Effort: Sendable, Equatable {
    /// What a report calls it: `full` or `quick`.
    public let name: String
    /// How long one competitor that can be repeated works in one round, in nanoseconds. Short beside the time
    /// slices of the kernel, so that on a busy machine few rounds are interrupted.
    public let roundTime: Double
    /// How many rounds at least and at most, of comparisons that don't say it themselves.
    public let rounds: ClosedRange<Int>
    /// Rounds go on until the interval of 95 % is that narrow to either side, relative to the value.
    public let precision: Double

    /// An effort of one's own.
    public init(name: String, roundTime: Double, rounds: ClosedRange<Int>, precision: Double) {
        (self.name, self.roundTime, self.rounds, self.precision) = (name, roundTime, rounds, precision)
    }

    /// For figures to publish.
    public static let full = Effort(name: "full", roundTime: 2e5, rounds: 100...1000, precision: 0.003)
    /// For a check before a change lands.
    public static let quick = Effort(name: "quick", roundTime: 1e5, rounds: 40...400, precision: 0.01)
}
