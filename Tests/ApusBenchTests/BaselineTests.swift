import ApusBench
import Foundation
import Testing

@Suite("The baseline")
struct BaselineTests {
    let baseline = Baseline(
        room: 1.25, commit: "a", machine: "b", timeRatios: ["rings/a": 0.8, "rings/b": 0.8, "wire/a": 1])

    /// One whose ratio is that, give or take the spread.
    func finding(_ name: String, _ ratio: Double, spread: Double = 0.01, cores: Int = 1) -> Finding {
        let figures = Finding.Figures(name: "x", nanoseconds: 1, lowerQuartile: 1, upperQuartile: 1)
        return Finding(
            name: name, unit: "element", cores: cores, rounds: 9, apus: figures, peer: figures,
            timeRatio: .init(median: ratio, low: ratio - spread, high: ratio + spread))
    }

    func outcomes(_ findings: [Finding]) -> [String: Verdict.Outcome] {
        Dictionary(uniqueKeysWithValues: baseline.check(findings).map { ($0.name, $0.outcome) })
    }

    @Test func `A ratio that got worse than the room allows is caught, and one within it is not`() {
        #expect(
            outcomes([finding("rings/a", 1.02), finding("rings/b", 0.98)]) == [
                "rings/a": .missed, "rings/b": .met,
            ])
        // The limit, 1.0, lies in the interval.
        #expect(
            outcomes([finding("rings/a", 1.02, spread: 0.1), finding("rings/b", 0.4)])["rings/a"] == .unsure)
    }

    @Test func `A benchmark of record that is gone is missed, in the suites that ran`() {
        #expect(outcomes([finding("rings/a", 0.8)]) == ["rings/a": .met, "rings/b": .missed])
        #expect(outcomes([finding("tax/a", 0.8)]) == ["tax/a": .unsure], "there is no record of it")
    }

    @Test func `What got worse is measured again, and that counts`() throws {
        let first = [finding("rings/a", 1.2), finding("rings/b", 0.8)]
        var asked: [Set<String>] = []
        func outcomes(second: Double) throws -> [Verdict.Outcome] {
            baseline.check(first) { names in
                asked.append(names)
                return [finding("rings/a", second)]
            }.map(\.outcome)
        }
        #expect(try outcomes(second: 0.8) == [.met, .met])
        #expect(try outcomes(second: 1.2) == [.missed, .met])
        #expect(asked == [["rings/a"], ["rings/a"]])
        _ = baseline.check([finding("wire/a", 1)]) { _ in
            Issue.record("nothing got worse")
            return []
        }
    }

    @Test func `A record of some suites keeps those of the others`() throws {
        let report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        let suite = report.results[0].suite
        let old = ["\(suite)/gone": 1.0, "other/kept": 0.5]
        let new = Baseline(recording: report, room: 1.25, keeping: old)
        #expect(new.timeRatios["other/kept"] == 0.5)
        #expect(new.timeRatios["\(suite)/gone"] == nil)
        #expect(new.timeRatios.count > 1)
    }

    /// The fixture is a report of a run in which one ratio was made worse.
    @Test func `A report whose ratio was made worse does not pass its own record`() throws {
        var report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        report.results[1].timeRatio = .init(median: 0.77, low: 0.76, high: 0.78)
        let record = Baseline(recording: report, room: 1.25)
        #expect(record.check(report.results).allSatisfy { $0.outcome == .met })
        let worse = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        #expect(
            record.check(worse.results).filter { $0.outcome == .missed }.map(\.name)
                == ["rings/spsc/one-core/bulk-8"])
    }

    @Test func `Of a report it records the ratios on one core, and reads back what it wrote`() throws {
        var report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        report.results = [finding("rings/a", 0.12345), finding("rings/b", 1, cores: 2)]
        let record = Baseline(recording: report, room: 1.3)
        #expect(record.timeRatios == ["rings/a": 0.1235] && record.room == 1.3 && record.commit == "example")
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        try record.json().write(to: file)
        #expect(try Baseline(readingFrom: file.path()) == record)
    }

    @Test func `That of the repository can be read, and leaves room`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Benchmarks/baseline.json")
        let record = try Baseline(readingFrom: path.path())
        #expect(record.room > 1 && record.room < 2)
        let suites = Set(record.timeRatios.keys.map { $0.prefix { $0 != "/" } })
        #expect(suites == ["rings", "pool", "wire", "tax", "scale"])
    }
}
