/// Packets a second of whole forwarders, as bars.
enum RateBars {
    /// The findings of the suite `forwarder` that are rates: latencies have a plot of their own.
    static func html(_ findings: [Finding]) -> String {
        let rates = findings.filter { $0.suite == "forwarder" && $0.apus.distribution == nil }
        guard !rates.isEmpty else { return "" }
        let rows = rates.flatMap { finding in
            [(finding, finding.apus, 0)] + (finding.peer.map { [(finding, $0, 1)] } ?? [])
        }
        let (left, right, row) = (350.0, 880.0, 24.0)
        let bottom = row * Double(rows.count) + 6
        let x = Scale(linearTo: rows.map { 1e6 / $0.1.lowerQuartile }.max()!, (left, right))
        var marks = x.ticks.map { tick in
            """
            <line class="grid" x1="\(fixed(x(tick), 1))" x2="\(fixed(x(tick), 1))" y1="0" y2="\(bottom)"/>
            <text x="\(fixed(x(tick), 1))" y="\(bottom + 16)" text-anchor="middle">\(short(tick))</text>
            """
        }
        for (number, (finding, figures, color)) in rows.enumerated() {
            let y = row * Double(number) + 4
            let (slow, fast) = (x(1e6 / figures.upperQuartile), x(1e6 / figures.lowerQuartile))
            let name = [finding.name, figures.name, figures.backend].compactMap(\.self).joined(
                separator: ", ")
            marks.append(
                """
                <text x="0" y="\(y + 13)">\(escaped(name))</text>
                <rect class="c\(color)" x="\(left)" y="\(y)" width="\(fixed(x(1e6 / figures.nanoseconds) - left, 1))" height="16"/>
                <line class="whisker" x1="\(fixed(slow, 1))" x2="\(fixed(fast, 1))" y1="\(y + 8)" y2="\(y + 8)"/>
                """)
        }
        let names = [rates[0].apus.name] + Set(rates.compactMap(\.peer?.name)).sorted()
        return """
            <figure class="wide"><figcaption><b>Forwarders.</b> Packets a second that each moves from one interface to \
            another: longer is better. The line at a bar's end is where half of the rounds lay.</figcaption>
            <svg viewBox="0 0 900 \(bottom + 40)" role="img" aria-label="rates of forwarders">
            \(marks.joined(separator: "\n"))
            <text x="\((left + right) / 2)" y="\(bottom + 34)" text-anchor="middle">thousand packets/s</text>
            </svg>
            \(legend(names.enumerated().map { ($0.element, min($0.offset, 1)) }))</figure>
            """
    }
}
