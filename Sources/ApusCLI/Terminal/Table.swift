import Apus

/// Rows whose columns are aligned: texts at the left, numbers at the right.
struct Table {
    /// The heading of a column, and where its cells stand.
    struct Column {
        var title: String
        var isNumber = false
    }

    let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row, which has a cell for each column.
    mutating func add(_ cells: [String]) {
        precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
        rows.append(cells.map(\.printable))
    }

    /// The heading and the rows, at most `width` columns of the terminal each, two spaces between the cells.
    ///
    /// If it does not fit, the widest column of texts is shortened, to eight columns at least.
    func lines(width: Int = .max) -> [String] {
        var widths = columns.indices.map { i in
            rows.map { displayWidth($0[i]) }.reduce(displayWidth(columns[i].title), max)
        }
        let excess = widths.reduce(2 * (columns.count - 1), +) - width
        if excess > 0,
            let widest = columns.indices.filter({ !columns[$0].isNumber }).max(by: { widths[$0] < widths[$1] }
            )
        {
            widths[widest] = max(min(8, widths[widest]), widths[widest] - excess)
        }
        return [line(columns.map(\.title), widths)] + rows.map { line($0, widths) }
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let shown = columns.indices.map { i in
            padded(truncated(cells[i], to: widths[i]), to: widths[i], atStart: columns[i].isNumber)
        }
        let line = shown.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
