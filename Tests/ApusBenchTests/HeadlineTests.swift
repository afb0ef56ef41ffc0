import ApusBench
import Foundation
import Testing

@Suite("The line for the history")
struct HeadlineTests {
    @Test func `It has the commit, the day and each ratio that was measured`() throws {
        var report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        report.results[0].name = "rings/spsc/one-core/bulk-32"
        report.results[1].name = "tax/forward-to-4/batch-32"
        #expect(
            Headline.row(of: report)
                == "| example | 2026-11-21 | 0.85 | – | – | – | – | – | – | 2.00 | – | – | – |")
    }

    @Test func `The table in the document has its columns`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Docs/Performance.md")
        let lines = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
        let heading = Headline.heading.split(separator: "\n")
        let place = try #require(lines.firstIndex(of: heading[0]), "no line is: \(heading[0])")
        #expect(lines[place + 1] == heading[1])
        let columns = heading[0].count { $0 == "|" }
        for row in lines[(place + 2)...].prefix(while: { $0.hasPrefix("|") }) {
            #expect(row.count { $0 == "|" } == columns, "\(row)")
        }
    }

    @Test func `Its columns of suites that have a record are benchmarks of record`() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../Benchmarks/baseline.json")
        let record = try Baseline(readingFrom: path.path())
        let suites = Set(record.timeRatios.keys.map { $0.prefix { $0 != "/" } })
        let columns = Headline.columns.filter { suites.contains($0.name.prefix { $0 != "/" }) }
        #expect(columns.count == Headline.columns.count - 2)
        for column in columns { #expect(record.timeRatios[column.name] != nil, "\(column.name)") }
    }
}
