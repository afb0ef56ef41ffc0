import ApusBench
import Foundation
import FoundationXML
import Testing

@Suite("The page")
struct PageTests {
    /// A report with something for each plot.
    static let report: Report = {
        func finding(_ name: String, _ apus: Double, _ peer: (String, Double), cores: Int = 1) -> Finding {
            Finding(
                name, per: "packet", cores: cores, apus: ("Apus", [apus, apus * 1.1, apus * 1.2]),
                peer: (peer.0, [peer.1, peer.1 * 1.1, peer.1 * 1.15]))
        }
        var findings = [1, 8, 32, 64].map { bulk in
            finding(
                "rings/spsc/one-core/bulk-\(bulk)", 1 / Double(bulk) + 0.3,
                ("rte_ring", 1.2 / Double(bulk) + 0.3))
        }
        findings += [1, 8, 32, 256].map {
            finding("tax/echo/batch-\($0)", 11.3 + 9 / Double($0), ("C <\u{301}twin>", 11.4 + 3 / Double($0)))
        }
        findings += [
            ("ports/receive/batch-1", "C"), ("ports/receive/batch-1", "testpmd"),
            ("ports/receive/batch-32", "C"), ("ports/receive/batch-32", "testpmd"),
        ]
        .map { finding($0.0, 300, ($0.1, $0.1 == "C" ? 280 : 350)) }
        var rate = finding("forwarder/rate/172", 1500, ("rtpengine", 16_000), cores: 2)
        rate.apus.backend = "AF_XDP native, copy"
        var latency = finding("forwarder/latency/172", 21_000, ("rtpengine", 44_000), cores: 2)
        latency.apus.distribution = [
            [12_000, 0.1], [20_000, 0.5], [40_000, 0.99], [90_000, 0.9999], [200_000, 1],
        ]
        latency.peer?.distribution = [[30_000, 0.1], [44_000, 0.5], [300_000, 0.99], [900_000, 1]]
        findings += [rate, latency]
        findings += [1, 100, 10_000].map { streams in
            var finding = finding(
                "scale/streams-\(streams)", 60 + Double(streams) / 500, ("C", 55 + Double(streams) / 500))
            finding.apus.bytes = 480
            return finding
        }
        return Report(
            effort: .full, build: "release",
            versions: ["apus": "1234567", "rtpengine": "10.5", "twins": "Clang 21 (https://example.org)"],
            machine: Machine(Stopwatch()), load: Load(averageAtStart: 3, othersShare: 0.4),
            leftOut: ["ports: no second core"],
            results: findings)
    }()

    let page = report.page()

    /// The figure whose caption has those words.
    func figure(_ words: String) throws -> String {
        let figures = page.components(separatedBy: "<figure").dropFirst().map {
            $0.components(separatedBy: "</figure>")[0]
        }
        return try #require(figures.first { $0.contains(words) }, "no figure says: \(words)")
    }

    func count(_ words: String, in text: String) -> Int { text.components(separatedBy: words).count - 1 }

    @Test func `It loads nothing from elsewhere`() {
        for loading in ["<script", "<link", "<img", "<iframe", "src=", "href=", "url(", "@import"] {
            #expect(!page.contains(loading), "\(loading)")
        }
    }

    @Test func `Each drawing is well-formed, and says what it shows`() {
        let drawings = page.components(separatedBy: "<svg").dropFirst().map {
            "<svg" + $0.components(separatedBy: "</svg>")[0] + "</svg>"
        }
        #expect(drawings.count == 12)
        for drawing in drawings {
            let parser = XMLParser(data: Data(drawing.utf8))
            #expect(parser.parse(), "\(parser.parserError.map { "\($0)" } ?? "")\n\(drawing)")
            #expect(drawing.contains("aria-label="))
            #expect(drawing.firstMatch(of: /[", ](nan|-?inf)[", ]/) == nil)
        }
    }

    @Test func `It names what was measured and on what, and warns`() {
        let machine = Self.report.machine
        for words in [
            machine.kernel, machine.system, "1234567", "rtpengine</td><td>10.5", "AF_XDP native, copy",
            "40.0 % of the machine",
            "Warning: a busy machine", "Warning: ports: no second core.",
        ] {
            #expect(page.contains(words), "\(words)")
        }
        for finding in Self.report.results { #expect(page.contains("<td>\(finding.name)</td>")) }
        #expect(page.contains("prefers-color-scheme: dark") && page.contains("C &lt;\u{301}twin&gt;"))
    }

    @Test func `Ratios have a mark each, on a scale that is named`() throws {
        let ratios = try figure("Ratios.")
        #expect(count("<circle ", in: ratios) == 4)
        #expect(ratios.contains("Apus' time over the other's, no unit, logarithmic"))
    }

    @Test func `Throughput by bulk and batch size has a line for each competitor`() throws {
        let bulk = try figure("rings/spsc/one-core.")
        #expect(count("<polyline ", in: bulk) == 2 && count("<circle ", in: bulk) == 8)
        #expect(bulk.contains("packets at a time, logarithmic") && bulk.contains("million packets/s"))
        #expect(bulk.contains(">Apus</span>") && bulk.contains(">rte_ring</span>"))
        #expect(count("<polyline ", in: try figure("tax/echo.")) == 2)
        // One beside two peers.
        #expect(count("<polyline ", in: try figure("ports/receive.")) == 3)
    }

    @Test func `Latency has the share of slow packets by time`() throws {
        let latency = try figure("forwarder/latency/172.")
        #expect(count("<polyline ", in: latency) == 2)
        #expect(
            latency.contains("microseconds, logarithmic") && latency.contains("share of packets, logarithmic")
        )
    }

    @Test func `Cost as sessions grow has time and memory`() throws {
        let figures = page.components(separatedBy: "<figure").filter { $0.contains("as sessions grow") }
        #expect(figures.count == 2)
        #expect(figures.allSatisfy { $0.contains("streams, logarithmic") })
        #expect(figures[0].contains(">nanoseconds<") && figures[1].contains(">bytes a stream<"))
    }

    @Test func `Forwarders' rates are bars, and latencies are not among them`() throws {
        let bars = try figure("Forwarders.")
        #expect(count("<rect ", in: bars) == 2 && bars.contains("thousand packets/s"))
        #expect(bars.contains("forwarder/rate/172, Apus, AF_XDP native, copy") && !bars.contains("latency"))
    }

    @Test func `The published driver stands beside the language tax, with its source`() {
        #expect(page.contains("arXiv 1909.06344"))
        // 4.8 of 27.4 million packets a second, 32 at a time.
        #expect(page.contains("<td>0.205</td><td>0.167</td><td>0.158</td><td>0.175</td><td>0.186</td>"))
        #expect(page.contains("Apus, echo, of its C twin's rate"))
        var without = Self.report
        without.results.removeAll { $0.suite == "tax" }
        #expect(!without.page().contains("1909.06344"))
    }

    @Test func `A report with nobody beside Apus is a page too`() {
        var alone = Self.report
        alone.results = [Finding("rings/a", per: "element", apus: ("Apus", [1, 2, 3]))]
        #expect(alone.page().contains("<td>2.00 (1.50–2.50)</td>") && !alone.page().contains("Ratios."))
    }
}
