import ApusBench
import Foundation
import FoundationXML
import Testing

@Suite("The page")
struct PageTests {
    @Test func `It names and draws each benchmark, and needs nothing from elsewhere`() throws {
        let report = try Report(readingFrom: TargetTests.fixtures.appending(path: "missed.json").path())
        let page = report.page()
        for finding in report.results { #expect(page.contains(finding.name)) }
        for loading in ["<script", "<link", "<img", "src=", "url(", "@import"] {
            #expect(!page.contains(loading), "\(loading)")
        }
        let plot = try #require(page.firstRange(of: "<svg"))
        let end = try #require(page.firstRange(of: "</svg>"))
        let drawing = String(page[plot.lowerBound..<end.upperBound])
        #expect(XMLParser(data: Data(drawing.utf8)).parse())
        #expect(drawing.components(separatedBy: "<circle ").count - 1 == report.results.count)
    }
}
