import ApusBench
import Foundation
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

    @Test func `An interval so wide that it holds the target does not hide a loss`() throws {
        var report = try report()
        func outcome(_ median: Double, _ target: Target) -> Verdict.Outcome? {
            report.results[0].timeRatio = Finding.Interval(median: median, low: 0.5, high: 5)
            return Target.check(report, [target]).first?.outcome
        }
        let time = Target(benchmarks: report.results[0].name, timeRatioAtMost: 1)
        #expect(outcome(1.05, time) == .unsure && outcome(3, time) == .missed)
        let rate = Target(benchmarks: report.results[0].name, rateRatioAtLeast: 1)
        #expect(outcome(1.05, rate) == .unsure && outcome(1.2, rate) == .missed)
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

    @Test func `A target may be for one peer only, which has to be there`() throws {
        var report = try report()
        report.results[1].peer?.name = "testpmd 5tswap"
        func names(_ beside: String?) -> [String: Verdict.Outcome] {
            let target = Target(benchmarks: "rings/spsc/", beside: beside, timeRatioAtMost: 1)
            return Dictionary(
                uniqueKeysWithValues: Target.check(report, [target]).map { ($0.name, $0.outcome) })
        }
        #expect(names("testpmd") == ["rings/spsc/one-core/bulk-8": .missed])
        #expect(names("rte_ring") == ["rings/spsc/one-core/bulk-1": .met])
        #expect(names("VPP") == ["rings/spsc/": .missed])
        #expect(names(nil).count == 2)
    }

    @Test func `A ratio to nobody is missed, a time is not`() throws {
        var report = try report()
        report.results[0].peer = nil
        report.results[0].timeRatio = nil
        let name = report.results[0].name
        func outcomes(_ target: Target) -> [Verdict.Outcome] { Target.check(report, [target]).map(\.outcome) }
        #expect(outcomes(Target(benchmarks: name, timeRatioAtMost: 9)) == [.missed])
        #expect(outcomes(Target(benchmarks: name, rateRatioAtLeast: 0.1)) == [.missed])
        #expect(outcomes(Target(benchmarks: name, nanosecondsAtMost: 9)) == [.met])
    }

    @Test func `Targets of suites that were not measured are named`() throws {
        let report = try report()
        let suite = report.results[0].suite
        let targets = ["\(suite)/", "elsewhere/a", "elsewhere"].map {
            Target(benchmarks: $0, timeRatioAtMost: 1)
        }
        #expect(Target.unchecked(report, targets) == ["elsewhere/a", "elsewhere"])
        #expect(Target.check(report, targets).allSatisfy { !$0.name.hasPrefix("elsewhere") })
    }

    @Test func `Where benchmarks were asked for by name, targets of others are not missed`() throws {
        var report = try report()
        report.results = [report.results[0]]
        func missed(_ names: [String]?, _ targets: Target...) -> [String] {
            report.names = names
            return Target.check(report, targets).map(\.name) + Target.unchecked(report, targets)
        }
        let own = report.results[0].name
        let other = Target(benchmarks: "rings/mpmc/", timeRatioAtMost: 9)
        let wide = Target(benchmarks: "rings/", beside: "VPP", timeRatioAtMost: 9)
        let elsewhere = Target(benchmarks: "wire/", timeRatioAtMost: 9)
        #expect(missed(nil, other, wide, elsewhere) == ["rings/mpmc/", "rings/", "wire/"])
        #expect(missed(["rings"], other, wide, elsewhere) == ["rings/mpmc/", "rings/"])
        #expect(missed([own], other, wide, elsewhere) == [])
        #expect(missed([own], Target(benchmarks: "rings/", timeRatioAtMost: 9)) == [own])
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

    @Test func `What was asked for, and that a run was interrupted, is written only where it was so`() throws
    {
        var report = try report()
        func keys() throws -> Set<String> {
            let object = try JSONSerialization.jsonObject(with: report.json()) as? [String: Any]
            return Set(object?.keys.map { $0 } ?? []).intersection(["names", "interrupted"])
        }
        #expect(try keys() == [])
        (report.names, report.interrupted) = (["rings/spsc"], true)
        #expect(try keys() == ["names", "interrupted"])
        #expect(try JSONDecoder().decode(Report.self, from: report.json()) == report)
    }

    @Test func `A report of another form is refused, with what to do about it`() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString).json")
        defer { try? FileManager.default.removeItem(at: file) }
        var old = try report()
        old.schema = 2
        try old.json().write(to: file)
        let error = #expect(throws: BenchError.self) { try Report(readingFrom: file.path()) }
        #expect(error?.description.contains("of form 2") == true)
        #expect(error?.description.contains("measure them anew") == true)
    }

    @Test func `The targets in the repository can be read, and each says something`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Benchmarks/targets.json")
        let targets = try Target.read(path.path())
        #expect(!targets.isEmpty)
        for target in targets {
            #expect(
                target.timeRatioAtMost != nil || target.rateRatioAtLeast != nil
                    || target.nanosecondsAtMost != nil)
        }
    }
}
