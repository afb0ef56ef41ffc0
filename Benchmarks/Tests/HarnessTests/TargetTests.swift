import Foundation
import Harness
import Testing

@Suite("Targets")
struct TargetTests {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    /// A report that was written by a run, of which one figure was changed.
    func report() throws -> Report {
        try Report(readingFrom: Self.fixtures.appending(path: "missed.json").path())
    }

    func outcomes(_ target: Target) throws -> [String: Verdict.Outcome] {
        Dictionary(uniqueKeysWithValues: Target.check(try report(), [target]).map { ($0.name, $0.outcome) })
    }

    @Test func `A ratio misses its target when all of its interval does, and else is met or unsure`() throws {
        let outcomes = try outcomes(Target(benchmarks: "rings/", timeRatioAtMost: 1))
        #expect(
            outcomes == [
                "rings/spsc/one-core/bulk-1": .met, "rings/spsc/one-core/bulk-8": .missed,
                "rings/mpmc/one-core/bulk-1": .unsure,
            ])
    }

    @Test func `A rate is the time upside down`() throws {
        #expect(
            try outcomes(Target(benchmarks: "rings/spsc/one-core/bulk-8", rateRatioAtLeast: 0.98))
                == ["rings/spsc/one-core/bulk-8": .missed])
        #expect(
            try outcomes(Target(benchmarks: "rings/spsc/one-core/bulk-8", rateRatioAtLeast: 0.4))
                == ["rings/spsc/one-core/bulk-8": .met])
    }

    @Test(arguments: [(2.0, Verdict.Outcome.met), (0.5, .missed)])
    func `A time is Apus' own`(_ limit: Double, _ outcome: Verdict.Outcome) throws {
        #expect(
            try outcomes(Target(benchmarks: "rings/spsc/one-core/bulk-1", nanosecondsAtMost: limit))
                == ["rings/spsc/one-core/bulk-1": outcome])
    }

    @Test func `A target whose benchmark is gone is missed, one of a suite that did not run is not`() throws {
        let gone = try outcomes(Target(benchmarks: "rings/renamed/", timeRatioAtMost: 1))
        #expect(gone == ["rings/renamed/": .missed])
        #expect(try outcomes(Target(benchmarks: "wire/", timeRatioAtMost: 1)).isEmpty)
    }

    @Test func `A debug build meets nothing`() throws {
        var report = try report()
        report.build = "debug"
        #expect(Target.check(report, []).map(\.outcome) == [.missed])
    }

    @Test func `A report reads back as it was written`() throws {
        let report = try report()
        #expect(try JSONDecoder().decode(Report.self, from: report.json()) == report)
    }

    @Test func `The targets in the repository can be read, and each says something`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../targets.json")
        let targets = try Target.read(path.path())
        #expect(!targets.isEmpty)
        for target in targets {
            #expect(
                target.timeRatioAtMost != nil || target.rateRatioAtLeast != nil
                    || target.nanosecondsAtMost != nil)
        }
    }
}
