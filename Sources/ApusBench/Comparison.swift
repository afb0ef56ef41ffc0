/// Apus beside somebody else.
public struct Comparison {
    /// Suite, subject and parameters, by slashes: `rings/spsc/one-core/bulk-8`. Targets name it, so it stays.
    public let name: String
    /// What is counted: `element`, `frame`, `packet`.
    public let unit: String
    /// How many cores it needs.
    public let cores: Int
    /// How many rounds at least and at most; as the effort says if that is `nil`.
    public let rounds: ClosedRange<Int>?
    /// Makes the two, with memory of their own; called when their turn comes.
    public let competitors: () throws -> (apus: Competitor, peer: Competitor)

    /// A comparison of that name. Rounds are one at least.
    public init(
        _ name: String, per unit: String, cores: Int = 1, rounds: ClosedRange<Int>? = nil,
        _ competitors: @escaping () throws -> (apus: Competitor, peer: Competitor)
    ) {
        precondition(rounds.map { $0.lowerBound > 0 } ?? true, "\(name) has no rounds")
        (self.name, self.unit, self.cores, self.rounds) = (name, unit, cores, rounds)
        self.competitors = competitors
    }
}
