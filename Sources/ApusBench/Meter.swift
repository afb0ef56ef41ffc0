/// Measures comparisons: both competitors in turn, many times, on the core the caller is pinned to.
public struct Meter {
    private let stopwatch: Stopwatch
    /// How long and how exactly is measured.
    public let effort: Effort

    /// One that takes times with that stopwatch.
    public init(_ stopwatch: Stopwatch, _ effort: Effort) {
        (self.stopwatch, self.effort) = (stopwatch, effort)
    }

    /// Warms both up, then lets them work in turn, A B B A A B …, so that what disturbs the machine for longer
    /// than a round disturbs both, and neither always comes first.
    ///
    /// - Parameter progress: gets a few words several times a second, between two rounds.
    public func measure(
        _ comparison: Comparison, progress: (String) -> Void = { _ in }
    ) throws -> Finding {
        let (apus, peer) = try comparison.competitors()
        let (ours, theirs) = (try warmed(apus), try warmed(peer))
        let rounds = comparison.rounds ?? effort.rounds
        var samples: (apus: [Sample], peer: [Sample]) = ([], [])
        var looks = Looks(rounds)
        var said = Stopwatch.clock
        for round in 1...rounds.upperBound {
            if round % 2 == 1 {
                samples.apus.append(try ours())
                samples.peer.append(try theirs())
            } else {
                samples.peer.append(try theirs())
                samples.apus.append(try ours())
            }
            if Stopwatch.clock - said > 200_000_000 {
                progress("round \(round) of \(rounds.upperBound) at most")
                said = Stopwatch.clock
            }
            let ratios = { zip(samples.apus, samples.peer).map { $0.nanoseconds / $1.nanoseconds } }
            if looks.isEnough(after: round, precision: effort.precision, ratios) { break }
        }
        var finding = Finding(
            comparison.name, per: comparison.unit, cores: comparison.cores,
            apus: (apus.name, samples.apus.map(\.nanoseconds)),
            peer: (peer.name, samples.peer.map(\.nanoseconds)))
        count(samples.apus, of: apus, in: &finding.apus)
        if finding.peer != nil { count(samples.peer, of: peer, in: &finding.peer!) }
        return finding
    }

    /// Measures one with nobody beside it, in as many rounds as its own time takes to be known that exactly.
    public func measure(_ subject: Subject, progress: (String) -> Void = { _ in }) throws -> Finding {
        let competitor = try subject.competitor()
        let round = try warmed(competitor)
        var samples: [Sample] = []
        var looks = Looks(effort.rounds)
        for number in 1...effort.rounds.upperBound {
            samples.append(try round())
            if looks.isEnough(
                after: number, precision: effort.precision, { samples.map(\.nanoseconds) })
            {
                break
            }
        }
        var finding = Finding(
            subject.name, per: subject.unit, cores: subject.cores,
            apus: (competitor.name, samples.map(\.nanoseconds)))
        count(samples, of: competitor, in: &finding.apus)
        return finding
    }

    private struct Sample {
        var nanoseconds: Double
        var instructions: Double?
    }

    /// Lets a competitor work for the first time, and returns what does one round of it.
    private func warmed(_ competitor: Competitor) throws -> () throws -> Sample {
        let round: () throws -> Sample
        switch competitor.work {
        case .repeated(let run):
            let repeats = try calibrate(competitor.name, run)
            return { try timed(competitor.name) { run(repeats) } }
        case .once(let prepare, let run):
            round = {
                try prepare()
                return try timed(competitor.name, run)
            }
        case .timed(let timing):
            round = {
                let (count, time) = try timing()
                return try sample(competitor.name, count, time, nil)
            }
        }
        _ = try round()
        return round
    }

    private func timed(_ name: String, _ run: () throws -> Int) throws -> Sample {
        var count = 0
        let (time, instructions) = try stopwatch.measure { count = try run() }
        return try sample(name, count, time, instructions)
    }

    private func sample(
        _ name: String, _ count: Int, _ time: Double, _ instructions: Double?
    ) throws -> Sample {
        guard count > 0, time > 0 else {
            throw BenchError("\(name) did nothing: \(count) in \(time) nanoseconds")
        }
        return Sample(
            nanoseconds: time / Double(count), instructions: instructions.map { $0 / Double(count) })
    }

    /// How many repeats fill a round. Warms up as well.
    private func calibrate(_ name: String, _ run: (Int) -> Int) throws -> Int {
        var repeats = 1
        while true {
            // The best of some, as one may have been interrupted, or its partner have been asleep.
            let times = try (0..<5).map { _ in
                var count = 0
                let time = stopwatch.measure { count = run(repeats) }.nanoseconds
                guard count > 0 else { throw BenchError("\(name) did nothing") }
                return time
            }
            let time = times.min()!
            if time >= effort.roundTime / 4 { return max(1, Int(Double(repeats) * effort.roundTime / time)) }
            repeats *= 2
        }
    }

    /// Adds ticks and instructions, where the time was taken here.
    private func count(_ samples: [Sample], of competitor: Competitor, in figures: inout Finding.Figures) {
        if case .timed = competitor.work { return }
        figures.ticks = stopwatch.nanosecondsPerTick.map { figures.nanoseconds / $0 }
        let instructions = samples.compactMap(\.instructions)
        if !instructions.isEmpty { figures.instructions = Statistics.median(instructions) }
    }
}

/// After which rounds it is looked whether they were enough: not after each, since that costs more than a round.
private struct Looks {
    private let rounds: ClosedRange<Int>
    private var next: Int

    init(_ rounds: ClosedRange<Int>) { (self.rounds, next) = (rounds, rounds.lowerBound) }

    /// Whether the median of the values is known that exactly.
    mutating func isEnough(after round: Int, precision: Double, _ values: () -> [Double]) -> Bool {
        guard round == next else { return false }
        next = max(round + 1, round * 3 / 2)
        let interval = Statistics.medianInterval(values())
        return interval.upperBound - interval.lowerBound <= 2 * precision * interval.lowerBound
    }
}
