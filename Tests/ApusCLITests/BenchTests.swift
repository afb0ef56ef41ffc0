import ApusBench
import Foundation
import Testing

@testable import ApusCLI

/// `apus bench`, as the built program runs it.
@Suite struct BenchTests {
    private func report(_ line: String) throws -> Report {
        let run = try shell(line)
        #expect(run.code == 0 && run.errors == "", "\(run.errors)")
        return try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    }

    @Test func `it measures what it was asked for, and says on what`() throws {
        let report = try report("apus bench wire --quick --json")
        #expect(
            report.results.map(\.name)
                == ["parse", "encode"].flatMap { work in
                    ["64", "1500", "8192", "65507"].map { "wire/\(work)/\($0)" }
                })
        for finding in report.results {
            let own = finding.apus
            #expect(own.name == "Apus" && finding.peer == nil && finding.timeRatio == nil)
            #expect(0 < own.lowerQuartile && own.lowerQuartile <= own.nanoseconds)
            #expect(own.nanoseconds <= own.upperQuartile && own.upperQuartile < 1e6)
            #expect((own.ticks == nil) == (report.machine.clock != "tsc"))
            #expect(finding.placements == Effort.quick.placements && finding.cores == 1)
            #expect(finding.rounds == finding.placements * Effort.quick.rounds)
        }
        #expect(report.effort == "quick" && report.versions["apus"] == Version.number)
        #expect(!report.machine.kernel.isEmpty && report.machine.cores > 0)
        // These tests are a debug build.
        #expect(report.build == "debug" && report.warnings.contains { $0.contains("debug build") })
    }

    @Test func `on one core it says what it leaves out`() throws {
        let report = try report("taskset -c 0 apus bench --quick --json pool")
        #expect(report.results.map(\.cores) == [1, 1, 1, 1])
        #expect(report.warnings.contains { $0 == "pool: measured on one core only, and nothing between two" })
    }

    @Test func `the table has a row for each figure, and no escapes or progress where no terminal is`() throws
    {
        let run = try shell("COLUMNS=100 taskset -c 0 apus bench pool --quick")
        #expect(run.code == 0 && run.errors == "")
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines[0].contains("ns") && lines[0].contains("quartiles"))
        #expect(lines.filter { $0.hasPrefix("pool/one-core/bulk-") && $0.hasSuffix("frame") }.count == 4)
        #expect(
            lines.contains { $0.contains("Linux ") }
                && lines.contains { $0.hasPrefix("warning: a debug build") })
        #expect(!run.output.contains("\u{1b}"))
    }

    @Test func `a terminal shows what is measured now, and takes it off again`() throws {
        let run = try shell(
            "script -qec 'TERM=xterm taskset -c 0 apus bench pool --quick' /dev/null",
            environment: ["COLUMNS": "100"])
        #expect(run.output.contains("\r\u{1b}[K4 of 4: pool/one-core/bulk-64"))
        let last = try #require(run.output.range(of: "\r\u{1b}[K", options: .backwards))
        #expect(run.output[last.upperBound...].hasPrefix("\u{1b}[1m"), "the table's heading")
    }

    @Test func `a name that is not there is wrong usage`() throws {
        let run = try apus("bench", "rigns")
        #expect(run.code == 64)
        #expect(run.errors == "apus bench: there is no benchmark \"rigns\"; did you mean rings?\n")
    }

    @Test func `a suite may be asked for as its figures are called`() throws {
        let report = try report("taskset -c 0 apus bench rings --quick --json")
        #expect(!report.results.isEmpty && report.results.allSatisfy { $0.suite == "rings" })
        #expect(report.names == ["rings"])
    }

    @Test func `what could not be measured has a line, with the reason`() {
        let report = Report(
            effort: .quick, build: "release", versions: ["apus": "1"], machine: Machine(Stopwatch()),
            load: Load(averageAtStart: 0, othersShare: 0), results: [],
            failures: [.init(name: "wire/a", reason: "a frame is refused")])
        let lines = BenchText.lines(report, width: 200, style: Style(isOn: false))
        #expect(lines.last == "failed: wire/a: a frame is refused")
    }

    @Test func `what was counted has a column, and what was not has none`() {
        func text(_ ticks: Double?, _ instructions: Double?) -> [String] {
            var finding = Finding("rings/a", per: "element", apus: ("Apus", [1.5, 2, 2.5]))
            (finding.apus.ticks, finding.apus.instructions) = (ticks, instructions)
            let report = Report(
                effort: .quick, build: "release", versions: ["apus": "1"], machine: Machine(Stopwatch()),
                load: Load(averageAtStart: 0, othersShare: 0), results: [finding])
            return BenchText.lines(report, width: 200, style: Style(isOn: false))
        }
        #expect(
            text(5.2, 7)[0].split(separator: " ") == [
                "ns", "quartiles", "cycles", "instructions", "for", "each",
            ])
        #expect(
            text(5.2, 7)[1].split(separator: " ") == [
                "rings/a", "2.00", "1.75–2.25", "5.20", "7.00", "element",
            ])
        #expect(text(nil, nil)[0].split(separator: " ") == ["ns", "quartiles", "for", "each"])
        #expect(text(nil, nil).last?.contains("others used 0.00 % of the machine") == true)
    }
}
