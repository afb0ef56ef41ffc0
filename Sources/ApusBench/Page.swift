import FoundationEssentials
import Glibc

extension Report {
    /// The figures as one page of HTML with nothing outside it: for each suite a plot of the ratios and their
    /// intervals, and the table.
    public func page() -> String { ApusBench.page(self) }
}

private func page(_ report: Report) -> String {
    let suites = report.results.reduce(into: [(name: String, findings: [Finding])]()) { suites, finding in
        let name = finding.suite
        if suites.last?.name != name { suites.append((name, [])) }
        suites[suites.count - 1].findings.append(finding)
    }
    let machine = report.machine
    let facts = [
        "\(machine.processor), \(machine.cores) cores, Linux \(machine.kernel), \(machine.system)",
        "Apus \(report.versions["apus"] ?? "?"), Swift \(report.versions["swift"] ?? "?"), "
            + report.versions.filter { !["apus", "swift"].contains($0.key) }.sorted { $0.key < $1.key }
            .map { "\($0.key) \($0.value)" }.joined(separator: ", "),
        "\(report.date), \(report.effort) run, \(report.build) build, clock: \(machine.clock)",
    ]
    return """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>Apus beside its peers</title><style>
        body { font: 15px/1.4 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em }
        svg { width: 100%; height: auto } svg text { font: 12px system-ui, sans-serif; fill: currentColor }
        table { border-collapse: collapse } td, th { padding: .1em .8em; text-align: right }
        td:first-child, th:first-child { text-align: left } .warning { color: #b00020 }
        @media (prefers-color-scheme: dark) { body { background: #111; color: #ddd } }
        </style></head><body>
        <h1>Apus beside its peers</h1>
        <p>\(facts.map(escaped).joined(separator: "<br>"))</p>
        \(report.warnings.map { "<p class=\"warning\">\(escaped($0))</p>" }.joined(separator: "\n"))
        <p>Apus' time over the other's, with the interval of 95 %: left of the line Apus is faster.</p>
        \(suites.map { "<h2>\(escaped($0.name))</h2>\n" + plot($0.findings) + table($0.findings) }
            .joined(separator: "\n"))
        </body></html>

        """
}

/// Ratios on a scale of logarithms, from an eighth to eightfold.
private func plot(_ findings: [Finding]) -> String {
    let (left, width, row) = (260.0, 560.0, 20.0)
    let height = row * Double(findings.count) + 30
    func x(_ ratio: Double) -> Double { left + width * (log2(min(max(ratio, 0.125), 8)) + 3) / 6 }
    var marks = [0.125, 0.25, 0.5, 1, 2, 4, 8].map { ratio in
        let dashes = ratio == 1 ? "" : " stroke-dasharray=\"2 4\" opacity=\".5\""
        return """
            <line x1="\(x(ratio))" x2="\(x(ratio))" y1="0" y2="\(height - 20)" stroke="gray"\(dashes)/>
            <text x="\(x(ratio))" y="\(height - 4)" text-anchor="middle">\(ratio)</text>
            """
    }
    for (number, finding) in findings.enumerated() {
        guard let ratio = finding.timeRatio else { continue }
        let y = row * Double(number) + 14
        let color = ratio.high <= 1 ? "#1a7f37" : ratio.low > 1 ? "#b3541e" : "#777"
        marks.append(
            """
            <text x="0" y="\(y + 4)">\(escaped(finding.name))</text>
            <line x1="\(x(ratio.low))" x2="\(x(ratio.high))" y1="\(y)" y2="\(y)" stroke="\(color)" stroke-width="3"/>
            <circle cx="\(x(ratio.median))" cy="\(y)" r="4" fill="\(color)"/>
            """)
    }
    return "<svg viewBox=\"0 0 \(left + width + 20) \(height)\">\(marks.joined(separator: "\n"))</svg>\n"
}

private func table(_ findings: [Finding]) -> String {
    let rows = findings.map { finding in
        let cells = [
            finding.name, two(finding.apus.nanoseconds) + " ns",
            finding.peer.map { two($0.nanoseconds) + " ns" } ?? "", finding.peer?.name ?? "",
            finding.timeRatio.map { "\(two($0.median)) [\(two($0.low)), \(two($0.high))]" } ?? "",
        ]
        return "<tr>" + cells.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>"
    }
    let heads = ["", "Apus", "beside", "", "ratio"].map { "<th>\($0)</th>" }.joined()
    return "<table><tr>\(heads)</tr>\n\(rows.joined(separator: "\n"))</table>\n"
}

private func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
}

private func two(_ value: Double) -> String { fixed(value, 2) }
