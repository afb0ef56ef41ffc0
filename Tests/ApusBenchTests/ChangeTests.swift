import ApusBench
import Testing

@Suite("Two runs")
struct ChangeTests {
    func report(_ findings: [(name: String, peer: String, ratio: Double)]) -> Report {
        let findings = findings.map { name, peer, ratio in
            Finding(
                name: name, unit: "packet", cores: 1, rounds: 9,
                apus: .init(name: "Apus", nanoseconds: 1, lowerQuartile: 1, upperQuartile: 1),
                peer: .init(name: peer, nanoseconds: 1, lowerQuartile: 1, upperQuartile: 1),
                timeRatio: .init(median: ratio, low: ratio - 0.05, high: ratio + 0.05))
        }
        return Report(
            effort: .full, build: "release", versions: [:], machine: Machine(Stopwatch()),
            load: Load(averageAtStart: 0, othersShare: 0), results: findings)
    }

    @Test func `What changed is a ratio whose interval lies beside the one before`() {
        let before = report([("a", "C", 1), ("b", "C", 1), ("c", "C", 1)])
        let changes = Change.between(before, report([("a", "C", 1.09), ("b", "C", 1.2), ("c", "C", 0.8)]))
        #expect(changes.map(\.outcome) == [.same, .worse, .better])
        #expect(
            changes[1].line
                == "b                               1.000 [0.950, 1.050]  -> 1.200 [1.150, 1.250]  worse")
        #expect(changes[0].line.hasSuffix("-> 1.090 [1.040, 1.140]"))
    }

    @Test func `Only what both have beside the same peer is compared`() {
        let before = report([("a", "C", 1), ("b", "C", 1), ("only before", "C", 1)])
        var after = report([("b", "testpmd", 2), ("a", "C", 1), ("only after", "C", 1), ("b", "C", 1)])
        #expect(Change.between(before, after).map(\.name) == ["a", "b"])
        after.results[1].timeRatio = nil
        #expect(Change.between(before, after).map(\.name) == ["b"])
    }
}
