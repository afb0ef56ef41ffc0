import Foundation
import Testing

@testable import ApusBench

@Suite("Findings")
struct FindingTests {
    @Test func `Of samples come the median, the quartiles, and the ratio of the rounds`() throws {
        // The ratio of the medians would be 2/3; round by round it is 1/2, 1, 3/5, 4/7, 5.
        let finding = Finding(
            "a/b", per: "packet", cores: 2, apus: ("Apus", [1, 2, 3, 4, 5]), peer: ("C", [2, 2, 5, 7, 1]))
        #expect(finding.rounds == 5 && finding.unit == "packet" && finding.cores == 2)
        #expect(
            finding.apus == Finding.Figures(name: "Apus", nanoseconds: 3, lowerQuartile: 2, upperQuartile: 4))
        #expect(
            finding.peer == Finding.Figures(name: "C", nanoseconds: 2, lowerQuartile: 2, upperQuartile: 5))
        #expect(
            finding.timeRatio == Finding.Interval(median: 3 / 5, low: 1 / 2, high: 5, confidence: 0.9375))
        #expect(finding.placements == 1)
    }

    @Test func `An interval of less than 95 % says so, in a line and in a verdict`() {
        func finding(_ rounds: Int) -> Finding {
            Finding(
                "a/b", per: "packet", apus: ("Apus", [Double](repeating: 1, count: rounds)),
                peer: ("C", [Double](repeating: 2, count: rounds)))
        }
        #expect(finding(2).line.hasSuffix("0.500 [0.500, 0.500] (50 %)"))
        #expect(finding(5).line.hasSuffix("0.500 [0.500, 0.500] (94 %)"))
        #expect(finding(6).line.hasSuffix("0.500 [0.500, 0.500]"))
        let record = Baseline(room: 1.25, commit: "a", machine: "b", timeRatios: ["a/b": 0.5])
        #expect(record.check([finding(2)])[0].sentence.contains("0.500] (50 %)"))
    }

    @Test func `One sample is a median without an interval, and nobody beside means no ratio`() {
        let finding = Finding("a/b", per: "packet", apus: ("Apus", [4]))
        #expect(finding.apus.nanoseconds == 4 && finding.rounds == 1 && finding.cores == 1)
        #expect(finding.peer == nil && finding.timeRatio == nil)
        #expect(finding.suite == "a")
    }

    @Test func `What was not found is absent from the JSON, and what was is read back`() throws {
        var finding = Finding("a/b", per: "packet", apus: ("Apus", [4]), peer: ("C", [2]))
        let plain = String(decoding: try JSONEncoder().encode(finding), as: UTF8.self)
        for field in ["bytes", "distribution", "backend", "ticks", "instructions"] {
            #expect(!plain.contains("\"\(field)\""))
        }
        finding.apus.bytes = 480
        finding.apus.distribution = [[1000, 0.5], [9000, 1]]
        finding.apus.backend = "AF_XDP native, copy"
        let data = try JSONEncoder().encode(finding)
        for field in ["bytes", "distribution", "backend"] {
            #expect(String(decoding: data, as: UTF8.self).contains("\"\(field)\""))
        }
        #expect(try JSONDecoder().decode(Finding.self, from: data) == finding)
        finding.peer = nil
        finding.timeRatio = nil
        let alone = try JSONEncoder().encode(finding)
        #expect(!String(decoding: alone, as: UTF8.self).contains("peer"))
        #expect(try JSONDecoder().decode(Finding.self, from: alone) == finding)
    }

    @Test func `What was left out, a debug build and a busy machine are warned of`() {
        func warnings(_ build: String, _ others: Double, _ leftOut: [String]) -> [String] {
            Report(
                effort: .quick, build: build, versions: [:], machine: Machine(Stopwatch()),
                load: Load(averageAtStart: 0, othersShare: others), leftOut: leftOut, results: []
            ).warnings
        }
        #expect(warnings("release", 0.01, []).isEmpty)
        #expect(warnings("release", 0.01, ["a: no root"]) == ["a: no root"])
        #expect(warnings("debug", 0.3, []).count == 2)
        #expect(warnings("debug", 0.3, [])[1].contains("30 %"))
        #expect(!warnings("debug", 0.3, [])[1].contains("ratios hold"))
    }
}
