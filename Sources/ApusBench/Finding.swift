/// What a measurement found.
public struct Finding: Codable, Equatable, Sendable {
    /// That of the comparison.
    public var name: String
    /// What one of is meant by "each".
    public var unit: String
    /// How many cores were at work.
    public var cores: Int
    /// How many rounds were measured in all, each placement's after its warm-up.
    public var rounds: Int
    /// In how many placements of memory. Of more than one the interval is of their ratios, else of the rounds'.
    public var placements: Int
    /// How Apus did.
    public var apus: Figures
    /// How the other one did; `nil` where nobody stood beside Apus.
    public var peer: Figures?
    /// Apus' time over the peer's: below 1 Apus is faster. `nil` without a peer.
    public var timeRatio: Interval?

    /// One competitor's time for each element or packet, and what else was found of it.
    public struct Figures: Codable, Equatable, Sendable {
        /// Who it is.
        public var name: String
        /// Nanoseconds, the median of the rounds. Of a rate: 1e9 over packets in a second.
        public var nanoseconds: Double
        /// A quarter of the rounds were faster.
        public var lowerQuartile: Double
        /// A quarter of the rounds were slower.
        public var upperQuartile: Double
        /// Ticks of the time-stamp counter, the median; absent where it is not used, and of who takes the time itself
        /// (``Competitor/init(_:timing:)``).
        public var ticks: Double?
        /// User-mode instructions of the measuring thread; absent where the machine has no counter, and of who takes the
        /// time itself.
        public var instructions: Double?
        /// Memory for each stream or session, in bytes; absent where that was not measured.
        public var bytes: Double?
        /// How long single packets took: pairs of nanoseconds and the share of packets that took at most so
        /// long (0 to 1), both rising; absent where that was not measured.
        public var distribution: [[Double]]?
        /// The way of moving packets that was granted: `AF_XDP native, copy`; absent where there is none.
        public var backend: String?

        /// Figures that are known already.
        public init(
            name: String, nanoseconds: Double, lowerQuartile: Double, upperQuartile: Double,
            ticks: Double? = nil, instructions: Double? = nil, bytes: Double? = nil,
            distribution: [[Double]]? = nil, backend: String? = nil
        ) {
            (self.name, self.nanoseconds) = (name, nanoseconds)
            (self.lowerQuartile, self.upperQuartile) = (lowerQuartile, upperQuartile)
            (self.ticks, self.instructions, self.bytes) = (ticks, instructions, bytes)
            (self.distribution, self.backend) = (distribution, backend)
        }

        /// Median and quartiles of the rounds' samples, nanoseconds each. There must be at least one.
        public init(name: String, samples: [Double]) {
            let sorted = samples.sorted()
            self.init(
                name: name, nanoseconds: Statistics.quantile(0.5, ofSorted: sorted),
                lowerQuartile: Statistics.quantile(0.25, ofSorted: sorted),
                upperQuartile: Statistics.quantile(0.75, ofSorted: sorted))
        }
    }

    /// A median, and the interval that holds it with some confidence: 95 % where there are samples enough.
    public struct Interval: Codable, Equatable, Sendable {
        /// The value in the middle.
        public var median: Double
        /// Where the interval begins.
        public var low: Double
        /// Where it ends.
        public var high: Double
        /// How likely an interval that is made so holds it, 0 to 1: 0.95 and more of six samples, less of fewer.
        public var confidence: Double

        /// An interval that is known already.
        public init(median: Double, low: Double, high: Double, confidence: Double = 0.95) {
            (self.median, self.low, self.high, self.confidence) = (median, low, high, confidence)
        }

        /// Of those samples, by ``Statistics/medianInterval(_:)``. There must be at least one.
        public init(of samples: [Double]) {
            let (range, confidence) = Statistics.medianInterval(samples)
            self.init(
                median: Statistics.median(samples), low: range.lowerBound, high: range.upperBound,
                confidence: confidence)
        }

        /// The median and the interval in words, which say when it is one of less than 95 %.
        var text: String { "\(fixed(median, 3)) [\(fixed(low, 3)), \(fixed(high, 3))]\(shortfall)" }
        /// How likely it is, if less than 95 %; else nothing.
        var shortfall: String { confidence < 0.95 ? " (\(fixed(confidence * 100, 0)) %)" : "" }
    }

    /// A finding that is known already.
    public init(
        name: String, unit: String, cores: Int, rounds: Int, placements: Int = 1, apus: Figures,
        peer: Figures? = nil, timeRatio: Interval? = nil
    ) {
        (self.name, self.unit, self.cores, self.rounds) = (name, unit, cores, rounds)
        (self.placements, self.apus, self.peer, self.timeRatio) = (placements, apus, peer, timeRatio)
    }

    /// A finding of the rounds' own samples, nanoseconds each, all above 0: at least one, and of the peer as many, in
    /// the same order, since the ratio is that of the rounds.
    public init(
        _ name: String, per unit: String, cores: Int = 1, apus: (name: String, samples: [Double]),
        peer: (name: String, samples: [Double])? = nil
    ) {
        precondition(!apus.samples.isEmpty, "\(name) has no samples")
        let ratio = peer.map { peer in
            precondition(peer.samples.count == apus.samples.count, "\(name): rounds are not of both")
            return Interval(of: zip(apus.samples, peer.samples).map { $0 / $1 })
        }
        self.init(
            name: name, unit: unit, cores: cores, rounds: apus.samples.count,
            apus: Figures(name: apus.name, samples: apus.samples),
            peer: peer.map { Figures(name: $0.name, samples: $0.samples) }, timeRatio: ratio)
    }

    /// The first part of its name.
    public var suite: String { suiteName(name) }
}
