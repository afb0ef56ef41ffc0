import ApusConfig

/// A plot with two axes, as an element of HTML: a heading, a sentence what it shows, the drawing, a legend.
struct Chart {
    /// One line of the plot.
    struct Series {
        var name: String
        /// 0 is Apus, the others are its peers.
        var color: Int
        var points: [(x: Double, y: Double)]
    }

    var title: String
    var sentence: String
    /// What the axes show, with units.
    var xTitle: String
    var yTitle: String
    var series: [Series]
    var x: Scale
    var y: Scale
    /// The values to mark at the bottom; round ones if they are `nil`.
    var xTicks: [Double]?
    /// Whether points are marked, and not only joined.
    var hasMarks = true

    /// Where the plot lies in a drawing of 420 by 260.
    static let size = (width: 420.0, height: 260.0)
    static let across = (start: 62.0, end: 408.0)
    static let upwards = (start: 212.0, end: 10.0)

    var html: String {
        var marks: [String] = []
        for tick in xTicks ?? x.ticks {
            let place = fixed(x(tick), 1)
            marks.append(
                """
                <line class="grid" x1="\(place)" x2="\(place)" y1="\(Self.upwards.end)" y2="\(Self.upwards.start)"/>
                <text x="\(place)" y="\(Self.upwards.start + 16)" text-anchor="middle">\(short(tick))</text>
                """)
        }
        for tick in y.ticks {
            let place = fixed(y(tick), 1)
            marks.append(
                """
                <line class="grid" x1="\(Self.across.start)" x2="\(Self.across.end)" y1="\(place)" y2="\(place)"/>
                <text x="\(Self.across.start - 6)" y="\(place)" dy="4" text-anchor="end">\(short(tick))</text>
                """)
        }
        let (middle, half) = (
            (Self.across.start + Self.across.end) / 2, (Self.upwards.start + Self.upwards.end) / 2
        )
        marks.append(
            """
            <text x="\(middle)" y="\(Self.size.height - 8)" text-anchor="middle">\(escaped(xTitle))</text>
            <text transform="translate(14 \(half)) rotate(-90)" text-anchor="middle">\(escaped(yTitle))</text>
            """)
        for line in series {
            let points = line.points.map { "\(fixed(x($0.x), 1)),\(fixed(y($0.y), 1))" }
            marks.append(
                "<polyline class=\"series c\(line.color)\" points=\"\(points.joined(separator: " "))\"/>")
            guard hasMarks else { continue }
            marks += line.points.map { point in
                "<circle class=\"c\(line.color)\" cx=\"\(fixed(x(point.x), 1))\" cy=\"\(fixed(y(point.y), 1))\" r=\"3.5\"/>"
            }
        }
        let label = escaped("\(title): \(yTitle) by \(xTitle)")
        return """
            <figure><figcaption><b>\(escaped(title))</b> \(escaped(sentence))</figcaption>
            <svg viewBox="0 0 \(Self.size.width) \(Self.size.height)" role="img" aria-label="\(label)">
            \(marks.joined(separator: "\n"))
            </svg>
            \(legend(series.map { ($0.name, $0.color) }))</figure>
            """
    }
}

/// Which colour is whose.
func legend(_ names: [(name: String, color: Int)]) -> String {
    let items = names.map { "<span class=\"c\($0.color)\">\(escaped($0.name))</span>" }
    return "<div class=\"legend\">\(items.joined(separator: " "))</div>"
}

/// Text as it stands in HTML and in attributes.
func escaped(_ text: String) -> String {
    text.escaping(["&": "&amp;", "<": "&lt;", ">": "&gt;", "\"": "&quot;"])
}
