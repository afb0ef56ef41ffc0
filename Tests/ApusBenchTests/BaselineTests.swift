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
        #expect(outcomes([finding("tax/a", 0.8, cores: 2)]) == [:], "nor will there be one")
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

    @Test func `What is gone is not measured once more`() {
        let verdicts = baseline.check([finding("rings/a", 0.8)]) { names in
            Issue.record("asked for \(names)")
            return []
        }
        #expect(verdicts.map(\.outcome) == [.met, .missed])
    }

    @Test func `Of record counts only what was asked for`() {
        let part = baseline.check([finding("rings/a", 0.8)], of: ["rings/a", "wire"])
        #expect(part.map(\.name) == ["rings/a"])
        let whole = baseline.check([finding("rings/a", 0.8)], of: ["rings"])
        #expect(whole.map(\.outcome) == [.met, .missed], "rings/b was asked for")
    }

    /// A full run's report of those.
    func report(_ findings: [Finding]) throws -> Report {
        var report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        (report.effort, report.results) = ("full", findings)
        return report
    }

    @Test func `A record of some suites keeps those of the others, and the room`() throws {
        let report = try report([finding("rings/a", 0.9), finding("rings/new", 1)])
        let new = try Baseline(recording: report, replacing: baseline)
        #expect(new.timeRatios == ["rings/a": 0.9, "rings/new": 1, "wire/a": 1] && new.room == 1.25)
        #expect(
            new.changes(from: baseline) == "3 ratios of record; new: rings/new; gone: rings/b",
            "the whole suite was measured, so it is gone")
        #expect(new.changes(from: new) == "3 ratios of record")
    }

    @Test func `A part of a suite deletes nothing of record, but refuses to be recorded`() throws {
        var report = try report([finding("rings/a", 0.9)])
        report.names = ["rings/a", "wire/a"]
        let error = #expect(throws: BenchError.self) {
            try Baseline(recording: report, replacing: baseline)
        }
        #expect(
            error?.description
                == "it has 1 of the 2 benchmarks of rings on record; measure the whole suite")
        report.names = ["rings"]
        #expect(try Baseline(recording: report, replacing: baseline).timeRatios["rings/b"] == nil)
        report.names = ["rings/a", "rings/b"]
        report.results.append(finding("rings/b", 1))
        #expect(try Baseline(recording: report, replacing: baseline).timeRatios.count == 3)
    }

    @Test func `What says too little is not recorded, and the reason is said`() throws {
        let good = try report([finding("rings/a", 0.9)])
        func reason(_ change: (inout Report) -> Void) -> String? {
            var report = good
            change(&report)
            do { _ = try Baseline(recording: report) } catch { return "\(error)" }
            return nil
        }
        #expect(reason { _ in } == nil)
        #expect(reason { $0.build = "debug" } == "it is of a debug build")
        #expect(reason { $0.interrupted = true } == "the run was interrupted: measure anew")
        #expect(reason { $0.effort = "quick" } == "it is of a run that was quick, not full")
        #expect(reason { $0.effort = "full same" } == "it is of a run that was full same, not full")
        #expect(reason { $0.failures = [.init(name: "rings/b", reason: "why")] } == "rings/b failed: why")
        #expect(reason { $0.results[0].timeRatio = nil } == "it has no ratios on one core")
    }

    /// The fixture is a report of a run in which one ratio was made worse.
    @Test func `A report whose ratio was made worse does not pass its own record`() throws {
        let worse = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        var report = worse
        report.effort = "full"
        report.results[1].timeRatio = .init(median: 0.77, low: 0.76, high: 0.78)
        let record = try Baseline(recording: report, replacing: baseline)
        #expect(record.check(report.results).allSatisfy { $0.outcome == .met })
        #expect(
            record.check(worse.results).filter { $0.outcome == .missed }.map(\.name)
                == ["rings/spsc/one-core/bulk-8"])
    }

    @Test func `Of a report it records the ratios on one core, and reads back what it wrote`() throws {
        let report = try report([finding("rings/a", 0.12345), finding("rings/b", 1, cores: 2)])
        let record = try Baseline(recording: report)
        #expect(record.timeRatios == ["rings/a": 0.1235] && record.room == 1.4 && record.commit == "example")
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
        #expect(suites == ["rings", "pool", "wire", "tax", "scale", "filter"])
    }
}
