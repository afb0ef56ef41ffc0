/// Measures comparisons: both competitors in turn, many times, on the core the caller is pinned to.
public struct Meter {
    private let stopwatch: Stopwatch
    /// How long and how exactly is measured.
    public let effort: Effort

    /// One that takes times with that stopwatch.
    public init(_ stopwatch: Stopwatch, _ effort: Effort) {
        (self.stopwatch, self.effort) = (stopwatch, effort)
    }

    /// Makes both anew in each placement of memory, warms them up, then lets them work in turn, A B B A A B …, so that what
    /// disturbs the machine for longer than a round disturbs both, and neither always comes first.
    ///
    /// The ratio is the median of the placements' ratios, each the median of its rounds'.
    ///
    /// - Parameter progress: gets a few words several times a second, between two rounds.
    public func measure(
        _ comparison: Comparison, progress: (String) -> Void = { _ in }
    ) throws -> Finding {
        let both = try series(effort.placements, comparison.rounds ?? effort.rounds, progress) { peerFirst in
            let (apus, peer) = try comparison.competitors(peerFirst)
            guard effort.isSame else { return [apus, peer] }
            let other = try comparison.competitors(peerFirst).apus
            return peerFirst ? [other, apus] : [apus, other]
        }
        let ratios = both.map { pair in
            Statistics.median(zip(pair[0].times, pair[1].times).map { $0 / $1 })
        }
        let (apus, peer) = (Series(joining: both.map { $0[0] }), Series(joining: both.map { $0[1] }))
        var finding = Finding(
            comparison.name, per: comparison.unit, cores: comparison.cores, apus: (apus.name, apus.times),
            peer: (peer.name, peer.times))
        if effort.placements > 1 { finding.timeRatio = Finding.Interval(of: ratios) }
        finding.placements = effort.placements
        count(apus, in: &finding.apus)
        if finding.peer != nil { count(peer, in: &finding.peer!) }
        return finding
    }

    /// Measures one with nobody beside it, in as many placements and rounds as the effort says.
    public func measure(_ subject: Subject, progress: (String) -> Void = { _ in }) throws -> Finding {
        let all = try series(effort.placements, effort.rounds, progress) { _ in [try subject.competitor()] }
        let apus = Series(joining: all.map { $0[0] })
        var finding = Finding(
            subject.name, per: subject.unit, cores: subject.cores, apus: (apus.name, apus.times))
        finding.placements = effort.placements
        count(apus, in: &finding.apus)
        return finding
    }

    /// What was measured of one competitor, round by round.
    private struct Series {
        let name: String
        let isTimedHere: Bool
        var samples: [Sample] = []

        init(_ competitor: Competitor, rounds: Int) {
            name = competitor.name
            isTimedHere = if case .timed = competitor.work { false } else { true }
            samples.reserveCapacity(rounds)
        }

        init(joining parts: [Series]) {
            self = parts[0]
            samples = parts.flatMap(\.samples)
        }

        var times: [Double] { samples.map(\.nanoseconds) }
    }

    /// The rounds of each placement, of each competitor that `make` makes.
    private func series(
        _ placements: Int, _ rounds: Int, _ progress: (String) -> Void,
        _ make: (_ peerFirst: Bool) throws -> [Competitor]
    ) throws -> [[Series]] {
        var said = Stopwatch.clock
        return try (0..<placements).map { placement in
            try displaced {
                let competitors = try make(placement % 2 == 1)
                let turns = try competitors.map(warmed)
                var series = competitors.map { Series($0, rounds: rounds) }
                for round in 0..<rounds {
                    for step in turns.indices {
                        let turn = round % 2 == 0 ? step : turns.count - 1 - step
                        series[turn].samples.append(try turns[turn]())
                    }
                    if Stopwatch.clock - said > 200_000_000 {
                        progress("round \(placement * rounds + round + 1) of \(placements * rounds)")
                        said = Stopwatch.clock
                    }
                }
                return series
            }
        }
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
    private func count(_ series: Series, in figures: inout Finding.Figures) {
        guard series.isTimedHere else { return }
        figures.ticks = stopwatch.nanosecondsPerTick.map { figures.nanoseconds / $0 }
        let instructions = series.samples.compactMap(\.instructions)
        if !instructions.isEmpty { figures.instructions = Statistics.median(instructions) }
    }
}
