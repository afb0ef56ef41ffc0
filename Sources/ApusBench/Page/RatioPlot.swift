/// The ratios and their intervals, a line each, on a scale of logarithms from an eighth to eightfold.
struct RatioPlot {
    let findings: [Finding]

    var html: String {
        let findings = findings.filter { $0.timeRatio != nil }
        guard !findings.isEmpty else { return "" }
        let (left, right, row) = (350.0, 880.0, 20.0)
        let bottom = row * Double(findings.count) + 10
        let x = Scale(logarithmic: 0.125...8, (left, right))
        var marks = [0.125, 0.25, 0.5, 1, 2, 4, 8].map { ratio in
            """
            <line class="\(ratio == 1 ? "even" : "grid")" x1="\(fixed(x(ratio), 1))" x2="\(fixed(x(ratio), 1))" y1="0" y2="\(bottom)"/>
            <text x="\(fixed(x(ratio), 1))" y="\(bottom + 16)" text-anchor="middle">\(short(ratio))</text>
            """
        }
        for (number, finding) in findings.enumerated() {
            guard let ratio = finding.timeRatio, let peer = finding.peer else { continue }
            let y = row * Double(number) + 14
            let verdict = ratio.high <= 1 ? "faster" : ratio.low > 1 ? "slower" : "alike"
            marks.append(
                """
                <text x="0" y="\(y + 4)">\(escaped(finding.name)), \(escaped(peer.name))</text>
                <line class="\(verdict)" x1="\(fixed(x(ratio.low), 1))" x2="\(fixed(x(ratio.high), 1))" y1="\(y)" y2="\(y)"/>
                <circle class="\(verdict)" cx="\(fixed(x(ratio.median), 1))" cy="\(y)" r="4"><title>\(fixed(ratio.median, 3))</title></circle>
                """)
        }
        return """
            <figure class="wide"><figcaption><b>Ratios.</b> Apus' time over the other's, the median and the \
            interval that holds it with a confidence of 95 %, or of less where the table says so: left of the line at 1 \
            Apus is faster. What lies beyond an eighth or eightfold stands at the edge.</figcaption>
            <svg viewBox="0 0 900 \(bottom + 40)" role="img" aria-label="ratios and their intervals">
            \(marks.joined(separator: "\n"))
            <text x="\((left + right) / 2)" y="\(bottom + 34)" text-anchor="middle">Apus' time over the other's, no unit, logarithmic</text>
            </svg></figure>
            """
    }
}
