/// One of two programs that do the same work.
package struct Competitor {
    /// Who it is: `Apus`, `rte_ring`, `C`.
    package let name: String
    /// Does the work that many times over, and says how many elements or packets that were.
    package let run: (_ repeats: Int) -> Int

    package init(_ name: String, run: @escaping (_ repeats: Int) -> Int) {
        (self.name, self.run) = (name, run)
    }
}

/// Apus beside somebody else.
package struct Comparison {
    /// Suite, subject and parameters, by slashes: `rings/spsc/one-core/bulk-8`. Targets name it, so it stays.
    package let name: String
    /// What is counted: `element`, `frame`, `packet`.
    package let unit: String
    /// How many cores it needs.
    package let cores: Int
    /// Makes the two, with memory of their own; called when their turn comes.
    package let competitors: () throws -> (apus: Competitor, peer: Competitor)

    package init(
        _ name: String, per unit: String, cores: Int = 1,
        _ competitors: @escaping () throws -> (apus: Competitor, peer: Competitor)
    ) {
        (self.name, self.unit, self.cores, self.competitors) = (name, unit, cores, competitors)
    }

    /// The first part of its name.
    package var suite: String { String(name.prefix { $0 != "/" }) }
}

/// What a measurement found.
package struct Finding: Codable, Equatable {
    /// That of the comparison.
    package var name: String
    /// What one of is meant by "each".
    package var unit: String
    /// How many cores were at work.
    package var cores: Int
    /// How many rounds were measured, after the warm-up.
    package var rounds: Int
    package var apus: Figures
    package var peer: Figures
    /// Apus' time over the peer's, round by round: below 1 Apus is faster.
    package var timeRatio: Interval

    /// One competitor's time for each element or packet.
    package struct Figures: Codable, Equatable {
        package var name: String
        /// Nanoseconds, the median of the rounds.
        package var nanoseconds: Double
        /// A quarter of the rounds were faster.
        package var lowerQuartile: Double
        /// A quarter of the rounds were slower.
        package var upperQuartile: Double
        /// Ticks of the time-stamp counter, the median; absent where it is not used.
        package var ticks: Double?
        /// User-mode instructions of the measuring thread; absent where the machine has no counter.
        package var instructions: Double?

        package init(
            name: String, nanoseconds: Double, lowerQuartile: Double, upperQuartile: Double,
            ticks: Double? = nil, instructions: Double? = nil
        ) {
            (self.name, self.nanoseconds) = (name, nanoseconds)
            (self.lowerQuartile, self.upperQuartile) = (lowerQuartile, upperQuartile)
            (self.ticks, self.instructions) = (ticks, instructions)
        }
    }

    /// A median, and the interval that holds it with a confidence of 95 %.
    package struct Interval: Codable, Equatable {
        package var median: Double
        package var low: Double
        package var high: Double

        package init(median: Double, low: Double, high: Double) {
            (self.median, self.low, self.high) = (median, low, high)
        }
    }

    package init(
        name: String, unit: String, cores: Int, rounds: Int, apus: Figures, peer: Figures, timeRatio: Interval
    ) {
        (self.name, self.unit, self.cores, self.rounds) = (name, unit, cores, rounds)
        (self.apus, self.peer, self.timeRatio) = (apus, peer, timeRatio)
    }
}
