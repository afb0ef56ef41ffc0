/// Figures that others have published, to see Apus' beside them. They are of other machines, so only their ratios are
/// worth comparing.
enum Published {
    /// ixy.swift, the published user-space driver in Swift, beside ixy in C: million packets a second that one core forwards,
    /// of 64 octets on two ports of 10 Gbit/s, Xeon E3-1230 v2 at 3.3 GHz, by batch size. The plot data img/batches-3.3.tex
    /// of github.com/ixy-languages/ixy-languages, of the paper arXiv 1909.06344 (ANCS 2019).
    static let ixy: [(batch: Int, swift: Double, c: Double)] = [
        (1, 1.7, 8.3), (4, 3.5, 20.9), (8, 4.1, 26.0), (32, 4.8, 27.4), (256, 5.1, 27.4),
    ]

    /// That table, if the report has anything of Apus to stand beside it.
    static func ixyTable(_ findings: [Finding]) -> String {
        let programs = [
            ("echo", "tax/echo"), ("forwarder, one destination", "tax/forward-to-1"),
            ("forwarder, four destinations", "tax/forward-to-4"),
        ]
        func rate(_ subject: String, _ batch: Int) -> String {
            findings.first { $0.name == "\(subject)/batch-\(batch)" }?.timeRatio.map {
                fixed(1 / $0.median, 2)
            } ?? "–"
        }
        let shown = programs.filter { program in
            findings.contains { $0.name.hasPrefix(program.1 + "/batch-") }
        }
        guard !shown.isEmpty else { return "" }
        let heads = ["packets at a time"] + ixy.map { "\($0.batch)" }
        var rows = [["ixy.swift, of ixy's rate in C"] + ixy.map { fixed($0.swift / $0.c, 3) }]
        rows += shown.map { program in
            ["Apus, \(program.0), of its C twin's rate"] + ixy.map { rate(program.1, $0.batch) }
        }
        rows.append(["ixy.swift, million packets/s"] + ixy.map { fixed($0.swift, 1) })
        rows.append(["ixy in C, million packets/s"] + ixy.map { fixed($0.c, 1) })
        return """
            <h3>Beside the published driver in Swift</h3>
            <p>How much of C's rate is left in Swift, 1 is all of it. ixy.swift is the one published user-space driver in \
            Swift; it forwards between two ports of a real card, Apus here between ports in memory, each beside the same \
            program in C. So compare the shares, not the rates. Source: the plot data of ixy-languages \
            (img/batches-3.3.tex; Emmerich et al., “The Case for Writing Network Drivers in High-Level Programming \
            Languages”, ANCS 2019, arXiv 1909.06344), Xeon E3-1230 v2 at 3.3 GHz, 64 octets, one core.</p>
            \(table(heads, rows))
            """
    }
}

/// A table of texts, the first column at the left.
func table(_ heads: [String], _ rows: [[String]]) -> String {
    func line(_ cells: [String], _ tag: String) -> String {
        "<tr>" + cells.map { "<\(tag)>\(escaped($0))</\(tag)>" }.joined() + "</tr>"
    }
    return """
        <div class="scroll"><table>\(line(heads, "th"))
        \(rows.map { line($0, "td") }.joined(separator: "\n"))
        </table></div>

        """
}
