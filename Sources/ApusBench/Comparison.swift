/// Apus beside somebody else.
public struct Comparison {
    /// Suite, subject and parameters, by slashes: `rings/spsc/one-core/bulk-8`. Targets name it, so it stays.
    public let name: String
    /// What is counted: `element`, `frame`, `packet`.
    public let unit: String
    /// How many cores it needs.
    public let cores: Int
    /// How many rounds in each placement; as the effort says if that is `nil`.
    public let rounds: Int?
    /// Makes the two, with memory of their own; called at the beginning of each placement. What they hold is given
    /// back at its end, so it has to be freed with them. Who can, makes the peer first if asked to.
    public let competitors: (_ peerFirst: Bool) throws -> (apus: Competitor, peer: Competitor)

    /// A comparison of that name, whose two are made together. Rounds are one at least.
    public init(
        _ name: String, per unit: String, cores: Int = 1, rounds: Int? = nil,
        _ competitors: @escaping () throws -> (apus: Competitor, peer: Competitor)
    ) {
        self.init(name, unit, cores, rounds) { _ in try competitors() }
    }

    /// A comparison of that name, whose two are made one after the other: each as often first as the other.
    public init(
        _ name: String, per unit: String, cores: Int = 1, rounds: Int? = nil,
        apus: @escaping () throws -> Competitor, peer: @escaping () throws -> Competitor
    ) {
        self.init(name, unit, cores, rounds) { peerFirst in
            guard peerFirst else { return (try apus(), try peer()) }
            let peer = try peer()
            return (try apus(), peer)
        }
    }

    private init(
        _ name: String, _ unit: String, _ cores: Int, _ rounds: Int?,
        _ competitors: @escaping (Bool) throws -> (apus: Competitor, peer: Competitor)
    ) {
        precondition(rounds ?? 1 > 0, "\(name) has no rounds")
        (self.name, self.unit, self.cores) = (name, unit, cores)
        (self.rounds, self.competitors) = (rounds, competitors)
    }
}
