/// The ratios that Docs/Performance.md keeps for each commit that was measured.
public enum Headline {
    /// The columns: what stands above them, and the finding they are of.
    public static let columns: [(title: String, name: String)] = [
        ("SPSC 32", "rings/spsc/one-core/bulk-32"), ("MPMC 32", "rings/mpmc/one-core/bulk-32"),
        ("pool 32", "pool/one-core/bulk-32"), ("parse", "wire/parse/1500"), ("write", "wire/encode/1500"),
        ("echo 32", "tax/echo/batch-32"), ("to one, 32", "tax/forward-to-1/batch-32"),
        ("to four, 32", "tax/forward-to-4/batch-32"), ("100,000 streams", "scale/streams-100000"),
        ("AF_XDP echo 64", "ports/xdp-native/echo/64/c"), ("rate 172", "forwarder/rate/172"),
    ]

    /// A row of that table, in Markdown: the commit, the day, and the ratios that the report has.
    public static func row(of report: Report) -> String {
        let cells = columns.map { column in
            report.results.first { $0.name == column.name }?.timeRatio.map { fixed($0.median, 2) } ?? "–"
        }
        let commit = report.versions["apus"] ?? "unknown"
        return "| \(commit) | \(report.date.prefix(10)) | \(cells.joined(separator: " | ")) |"
    }

    /// What stands above the rows.
    public static var heading: String {
        "| commit | day | \(columns.map(\.title).joined(separator: " | ")) |\n"
            + "|\(String(repeating: "---|", count: columns.count + 2))"
    }
}
