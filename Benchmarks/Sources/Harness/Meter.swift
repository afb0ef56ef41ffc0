/// Measures comparisons: both competitors in turn, many times, on the core the caller is pinned to.
package struct Meter {
    /// How long and how exactly is measured.
    package struct Effort: Sendable {
        /// How long one competitor works in one round, in nanoseconds. Short beside the time slices of the
        /// kernel, so that on a busy machine few rounds are interrupted.
        package var roundTime: Double
        package var minimumRounds: Int
        package var maximumRounds: Int
        /// Rounds go on until the ratio's interval is that narrow to either side, relative to the ratio.
        package var precision: Double

        /// For figures to publish.
        package static let full = Effort(
            roundTime: 2e5, minimumRounds: 100, maximumRounds: 1000, precision: 0.003)
        /// For a check before a change lands.
        package static let quick = Effort(
            roundTime: 1e5, minimumRounds: 40, maximumRounds: 400, precision: 0.01)
    }

    private let stopwatch: Stopwatch
    private let effort: Effort

    package init(_ stopwatch: Stopwatch, _ effort: Effort) {
        (self.stopwatch, self.effort) = (stopwatch, effort)
    }

    /// Warms both up, then lets them work in turn, A B B A A B …, so that what disturbs the machine for longer
    /// than a round disturbs both, and neither always comes first.
    package func measure(_ comparison: Comparison) throws -> Finding {
        let (apus, peer) = try comparison.competitors()
        let repeats = (calibrate(apus), calibrate(peer))
        var samples: (apus: [Sample], peer: [Sample]) = ([], [])
        var interval = 0.0...0.0
        var nextLook = effort.minimumRounds
        for round in 1...effort.maximumRounds {
            if round % 2 == 1 {
                samples.apus.append(sample(apus, repeats.0))
                samples.peer.append(sample(peer, repeats.1))
            } else {
                samples.peer.append(sample(peer, repeats.1))
                samples.apus.append(sample(apus, repeats.0))
            }
            guard round == nextLook || round == effort.maximumRounds else { continue }
            nextLook = round * 3 / 2
            interval = Statistics.medianInterval(ratios(samples))
            let width = interval.upperBound - interval.lowerBound
            if width <= 2 * effort.precision * interval.lowerBound { break }
        }
        return Finding(
            name: comparison.name, unit: comparison.unit, cores: comparison.cores, rounds: samples.apus.count,
            apus: figures(apus.name, samples.apus), peer: figures(peer.name, samples.peer),
            timeRatio: Finding.Interval(
                median: Statistics.median(ratios(samples)), low: interval.lowerBound,
                high: interval.upperBound))
    }

    private struct Sample {
        var nanoseconds: Double
        var instructions: Double?
    }

    private func sample(_ competitor: Competitor, _ repeats: Int) -> Sample {
        var count = 0
        let (time, instructions) = stopwatch.measure { count = competitor.run(repeats) }
        precondition(count > 0, "\(competitor.name) did nothing")
        return Sample(
            nanoseconds: time / Double(count), instructions: instructions.map { $0 / Double(count) })
    }

    /// How many repeats fill a round. Warms up as well.
    private func calibrate(_ competitor: Competitor) -> Int {
        var repeats = 1
        while true {
            // The best of some, as one may have been interrupted, or its partner have been asleep.
            let times = (0..<5).map { _ in
                stopwatch.measure { _ = competitor.run(repeats) }.nanoseconds
            }
            let time = times.min()!
            if time >= effort.roundTime / 4 { return max(1, Int(Double(repeats) * effort.roundTime / time)) }
            repeats *= 2
        }
    }

    private func ratios(_ samples: (apus: [Sample], peer: [Sample])) -> [Double] {
        zip(samples.apus, samples.peer).map { $0.nanoseconds / $1.nanoseconds }
    }

    private func figures(_ name: String, _ samples: [Sample]) -> Finding.Figures {
        let times = samples.map(\.nanoseconds).sorted()
        let instructions = samples.compactMap(\.instructions)
        let median = Statistics.quantile(0.5, ofSorted: times)
        return Finding.Figures(
            name: name, nanoseconds: median, lowerQuartile: Statistics.quantile(0.25, ofSorted: times),
            upperQuartile: Statistics.quantile(0.75, ofSorted: times),
            ticks: stopwatch.nanosecondsPerTick.map { median / $0 },
            instructions: instructions.isEmpty ? nil : Statistics.median(instructions))
    }
}
