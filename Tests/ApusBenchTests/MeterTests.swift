import Foundation
import Testing

@testable import ApusBench

@Suite("The meter")
struct MeterTests {
    static let effort = Effort(name: "test", roundTime: 1e4, placements: 2, rounds: 3)
    let meter = Meter(Stopwatch(), effort)

    /// What happened, in its order.
    final class Log { var lines: [String] = [] }

    /// One whose packets take that long, by its own account.
    func clocked(_ name: String, _ log: Log, count: Int = 10, nanoseconds: Double) -> Competitor {
        Competitor(
            name,
            timing: {
                log.lines.append(name)
                return (count, nanoseconds)
            })
    }

    /// A meter that measures in so many placements.
    func meter(placements: Int) -> Meter {
        Meter(Stopwatch(), Effort(name: "test", roundTime: 1e4, placements: placements, rounds: 3))
    }

    func measured(
        placements: Int = 2, rounds: Int? = nil, _ apus: Competitor, _ peer: Competitor
    ) throws -> Finding {
        try meter(placements: placements).measure(
            Comparison("a/b", per: "packet", rounds: rounds) { (apus, peer) })
    }

    @Test func `In each placement both warm up, then work in turn and neither is always first`() throws {
        let log = Log()
        let finding = try measured(
            rounds: 5, clocked("A", log, nanoseconds: 50), clocked("B", log, nanoseconds: 100))
        #expect(log.lines.joined() == "ABABBAABBAABABABBAABBAAB")
        #expect(finding.rounds == 10 && finding.placements == 2)
        #expect(finding.apus.nanoseconds == 5 && finding.peer?.nanoseconds == 10)
        #expect(finding.timeRatio == Finding.Interval(median: 0.5, low: 0.5, high: 0.5, confidence: 0.5))
    }

    @Test func `In each placement both are made anew, each as often first as the other, and then dropped`()
        throws
    {
        let log = Log()
        final class Held {
            let name: String
            let log: Log
            init(_ name: String, _ log: Log) {
                (self.name, self.log) = (name, log)
                log.lines.append(name)
            }
            deinit { log.lines.append("-") }
            func time() -> (count: Int, nanoseconds: Double) { (1, 1) }
        }
        func make(_ name: String) -> Competitor {
            let held = Held(name, log)
            return Competitor(name) { held.time() }
        }
        let comparison = Comparison("a/b", per: "packet", apus: { make("A") }, peer: { make("B") })
        #expect(try meter(placements: 4).measure(comparison).placements == 4)
        #expect(log.lines.joined() == "AB--BA--AB--BA--")
    }

    @Test func `The ratio is the median of the placements' medians, its interval that of the placements`()
        throws
    {
        // A placement's own time, and a round that was disturbed in each.
        let times: [Double] = [100, 90, 130, 110, 95, 105]
        var (made, rounds) = (-1, 0)
        let comparison = Comparison("a/b", per: "packet", rounds: 3) {
            made += 1
            rounds = 0
            let time = times[made]
            return (
                Competitor("A") {
                    rounds += 1
                    return (1, rounds == 2 ? 1000 : time)
                }, Competitor("B") { (1, 100) }
            )
        }
        let finding = try meter(placements: 6).measure(comparison)
        #expect(
            finding.timeRatio == Finding.Interval(median: 1.025, low: 0.9, high: 1.3, confidence: 0.96875))
        #expect(finding.rounds == 18 && finding.apus.upperQuartile > 130)
    }

    @Test func `Beside itself Apus is made twice, the peer does nothing, and even intervals are counted`()
        throws
    {
        let log = Log()
        var made = 0
        // Instances take one after the other 100, 101, 102, …: which is first changes, so neither is always faster.
        let comparison = Comparison(
            "a/b", per: "packet",
            apus: {
                made += 1
                let time = Double(99 + made)
                return Competitor("Apus") { (1, time) }
            }, peer: { clocked("C", log, nanoseconds: 1) })
        let same = Meter(
            Stopwatch(), Effort(name: "test", roundTime: 1e4, placements: 6, rounds: 3).same)
        let finding = try same.measure(comparison)
        #expect(made == 12 && log.lines.isEmpty)
        #expect(finding.apus.name == "Apus" && finding.peer?.name == "Apus")
        let ratio = try #require(finding.timeRatio)
        #expect(ratio.low < 1 && ratio.high > 1)
        var odd = finding
        odd.timeRatio = .init(median: 1.1, low: 1.05, high: 1.2, confidence: 0.95)
        var other = odd
        other.peer?.name = "C"
        let report = Report(
            effort: .quick.same, build: "release", versions: [:], machine: Machine(Stopwatch()),
            load: Load(averageAtStart: 0, othersShare: 0), results: [finding, odd, other])
        #expect(report.even == (1, 2, 0.96875 + 0.95) && report.effort == "quick same")
    }

    @Test func `A comparison says how many rounds it takes, if the effort shall not`() throws {
        let log = Log()
        let (a, b) = (clocked("A", log, nanoseconds: 50), clocked("B", log, nanoseconds: 100))
        #expect(try measured(a, b).rounds == 6)
        #expect(try measured(placements: 3, rounds: 2, a, b).rounds == 6)
        let finding = try measured(placements: 1, rounds: 7, a, b)
        #expect(finding.rounds == 7 && finding.placements == 1)
        #expect(finding.timeRatio?.confidence == 0.984375, "the rounds are the samples")
    }

    @Test func `Placements put what is allocated at other places of a page, of the heap and of the stack`()
        throws
    {
        var places: (heap: Set<UInt>, stack: Set<UInt>) = ([], [])
        for _ in 0..<32 {
            try displaced {
                let block = UnsafeMutableRawPointer.allocate(byteCount: 3000, alignment: 16)
                defer { unsafe block.deallocate() }
                places.heap.insert(UInt(bitPattern: block) % 4096)
                var local = 0
                unsafe withUnsafeMutablePointer(to: &local) {
                    _ = places.stack.insert(UInt(bitPattern: $0) % 4096)
                }
            }
        }
        #expect(places.heap.count > 8 && places.stack.count > 8, "\(places.heap.count) \(places.stack.count)")
    }

    @Test func `One that must be prepared is, before each round, and that is not timed`() throws {
        let log = Log()
        let slowlyPrepared = Competitor(
            "A",
            prepare: {
                log.lines.append("prepare")
                usleep(20_000)
            },
            run: {
                log.lines.append("run")
                return 1
            })
        let finding = try measured(
            placements: 1, rounds: 3, slowlyPrepared, clocked("B", Log(), nanoseconds: 100))
        #expect(
            log.lines
                == [String](repeating: "prepare run", count: 4).flatMap { $0.split(separator: " ") }.map {
                    String($0)
                })
        #expect(finding.apus.nanoseconds < 10_000_000)
    }

    @Test func `What a competitor's work takes is timed, as often as it fills a round`() throws {
        var calls: [Int] = []
        let sleeper = Competitor("A") { repeats in
            calls.append(repeats)
            for _ in 0..<repeats { usleep(50) }
            return repeats
        }
        let finding = try measured(sleeper, clocked("B", Log(), count: 1, nanoseconds: 50_000))
        #expect(finding.apus.nanoseconds > 49_000)
        #expect(calls.suffix(3).allSatisfy { $0 == calls.last }, "each round has the same work")
    }

    @Test func `Ticks are of what was timed here, not of what took the time itself`() throws {
        let finding = try measured(
            Competitor(
                "A", prepare: {},
                run: {
                    usleep(10)
                    return 1
                }), clocked("B", Log(), nanoseconds: 100))
        #expect((finding.apus.ticks == nil) == (Stopwatch().nanosecondsPerTick == nil))
        #expect(finding.peer?.ticks == nil && finding.peer?.instructions == nil)
    }

    @Test(arguments: [(0, 100.0), (10, 0)])
    func `One that did nothing has no figures`(_ count: Int, _ nanoseconds: Double) {
        let nobody = clocked("B", Log(), count: count, nanoseconds: nanoseconds)
        #expect(throws: BenchError.self) {
            try measured(clocked("A", Log(), nanoseconds: 50), nobody)
        }
        #expect(throws: BenchError.self) {
            try measured(Competitor("A") { _ in 0 }, clocked("B", Log(), nanoseconds: 50))
        }
    }

    @Test func `What goes wrong in a round ends the measurement with its own words`() throws {
        let broken = Competitor("A", prepare: { throw BenchError("no veth") }, run: { 1 })
        let error = #expect(throws: BenchError.self) {
            try measured(broken, clocked("B", Log(), nanoseconds: 1))
        }
        #expect(error?.description == "no veth")
    }

    @Test func `Progress is told of between rounds that are long`() throws {
        var said: [String] = []
        let slow = Competitor(
            "A", prepare: { usleep(150_000) },
            run: {
                usleep(1); return 1
            })
        let comparison = Comparison("a/b", per: "packet", rounds: 2) { (slow, slow) }
        _ = try Trial(comparison).run(meter) { said.append($0) }
        #expect(said.last == "round 4 of 4")
    }
}

@Suite("Trials and suites")
struct TrialTests {
    let meter = Meter(Stopwatch(), MeterTests.effort)

    @Test func `A trial is told the effort, and finds several figures`() throws {
        var said: [String] = []
        let trial = Trial("a/bisection") { effort, progress in
            progress("at 1 Mpps")
            return (1...effort.rounds).map {
                Finding("a/bisection/\($0)", per: "packet", apus: ("Apus", [1]), peer: ("B", [2]))
            }
        }
        #expect(try trial.run(meter) { said.append($0) }.map(\.name) == (1...3).map { "a/bisection/\($0)" })
        #expect(said == ["at 1 Mpps"])
    }

    @Test func `A comparison is a trial of its name`() throws {
        let trial = Trial(
            Comparison("a/b", per: "frame", cores: 2, rounds: 1) {
                (Competitor("A", timing: { (1, 3) }), Competitor("B", timing: { (1, 2) }))
            })
        let findings = try trial.run(meter)
        #expect(trial.name == "a/b" && findings.map(\.name) == ["a/b"])
        #expect(findings[0].unit == "frame" && findings[0].cores == 2 && findings[0].timeRatio?.median == 1.5)
    }

    @Test func `A suite's versions are looked up when it runs`() throws {
        var asked = 0
        func peers() -> [String: String] {
            asked += 1
            return ["testpmd": "22.11"]
        }
        let suite = Suite("a", versions: peers(), leftOut: ["a: no root"], [] as [Trial])
        #expect(asked == 0)
        #expect(try suite.versions() == ["testpmd": "22.11"] && asked == 1)
        #expect(suite.leftOut == ["a: no root"] && suite.trials.isEmpty)
    }

    /// What a run of these trials leaves, and the reports that it gave on its way.
    private func run(_ trials: [Trial], versions: @escaping () throws -> [String: String] = { [:] }) throws
        -> (
            report: Report, kept: [Report]
        )
    {
        var kept: [Report] = []
        let report = try Report.measuring(
            [Suite("a", versions: try versions(), trials)], MeterTests.effort, versions: ["apus": "1"],
            progress: { _ in }, found: { _ in }, kept: { kept.append($0) })
        return (report, kept)
    }

    private func trial(_ name: String, _ reason: String? = nil) -> Trial {
        Trial(name) { (_: Effort, _) in
            if let reason { throw BenchError(reason) }
            return [Finding(name, per: "packet", apus: ("Apus", [1]))]
        }
    }

    @Test func `A trial that fails is named with its reason, and the others go on`() throws {
        let (report, _) = try run([trial("a/1"), trial("a/2", "a packet was lost"), trial("a/3")])
        #expect(report.results.map(\.name) == ["a/1", "a/3"])
        #expect(report.failures.map(\.line) == ["failed: a/2: a packet was lost"])
        #expect(report.page().contains("failed: a/2: a packet was lost"))
        #expect(try JSONDecoder().decode(Report.self, from: report.json()) == report)
    }

    @Test func `After each trial there is a report of what was found so far`() throws {
        let (report, kept) = try run([trial("a/1"), trial("a/2", "no veth"), trial("a/3")]) { ["C": "21"] }
        #expect(kept.map(\.results.count) == [1, 1, 2] && kept.map(\.failures.count) == [0, 1, 1])
        #expect(kept.allSatisfy { $0.versions == ["apus": "1", "C": "21"] })
        #expect(report.results == kept.last?.results)
        // If the run ends there, however it does, that is all there is.
        #expect(
            kept.allSatisfy { $0.interrupted == true && $0.warnings.contains { $0.hasPrefix("interrupted") } }
        )
        #expect(report.interrupted == nil && !report.warnings.contains { $0.hasPrefix("interrupted") })
    }

    @Test func `Versions that can't be found are a failure of the suite, not of its figures`() throws {
        let (report, _) = try run([trial("a/1")]) { throw BenchError("no testpmd") }
        #expect(report.failures.map(\.line) == ["failed: a: no testpmd"] && report.results.count == 1)
    }

    @Test func `A report that can't be kept ends the run`() {
        #expect(throws: BenchError.self) {
            try Report.measuring(
                [Suite("a", [trial("a/1")])], MeterTests.effort, versions: [:], progress: { _ in },
                found: { _ in }, kept: { _ in throw BenchError("the disk is full") })
        }
    }
}
