/// What a measurement found.
public struct Finding: Codable, Equatable, Sendable {
    /// That of the comparison.
    public var name: String
    /// What one of is meant by "each".
    public var unit: String
    /// How many cores were at work.
    public var cores: Int
    /// How many rounds were measured, after the warm-up.
    public var rounds: Int
    /// How Apus did.
    public var apus: Figures
    /// How the other one did; `nil` where nobody stood beside Apus.
    public var peer: Figures?
    /// Apus' time over the peer's, round by round: below 1 Apus is faster. `nil` without a peer.
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
        /// Ticks of the time-stamp counter, the median; absent where it is not used.
        public var ticks: Double?
        /// User-mode instructions of the measuring thread; absent where the machine has no counter.
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

    /// A median, and the interval that holds it with a confidence of 95 %.
    public struct Interval: Codable, Equatable, Sendable {
        /// The value in the middle.
        public var median: Double
        /// Where the interval begins.
        public var low: Double
        /// Where it ends.
        public var high: Double

        /// An interval that is known already.
        public init(median: Double, low: Double, high: Double) {
            (self.median, self.low, self.high) = (median, low, high)
        }

        /// Of those samples, by ``Statistics/medianInterval(_:confidence:draws:)``. There must be at least one.
        public init(of samples: [Double]) {
            let interval = Statistics.medianInterval(samples)
            self.init(
                median: Statistics.median(samples), low: interval.lowerBound, high: interval.upperBound)
        }
    }

    /// A finding that is known already.
    public init(
        name: String, unit: String, cores: Int, rounds: Int, apus: Figures, peer: Figures? = nil,
        timeRatio: Interval? = nil
    ) {
        (self.name, self.unit, self.cores, self.rounds) = (name, unit, cores, rounds)
        (self.apus, self.peer, self.timeRatio) = (apus, peer, timeRatio)
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
    public var suite: String { String(name.prefix { $0 != "/" }) }
}
