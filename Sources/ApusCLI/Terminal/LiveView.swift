/// Lines that are drawn over and over in their place; where no terminal is, a plain line each time.
struct LiveView {
    private let output: Output
    private var drawn = 0

    init(on output: Output) { self.output = output }

    /// Shows `lines` in place of those before, cut to the size of the terminal; or writes `plain`, if the
    /// output is no terminal.
    mutating func show(_ lines: [String], plain: @autoclosure () -> String) {
        guard output.isTerminal else {
            output.line(plain())
            return
        }
        let (width, height) = (output.width, max(1, output.height - 1))
        let shown = lines.prefix(height)
        // Cursor up to the first line, erase to the end of the screen (ECMA-48, CUU and ED).
        var text = drawn > 0 ? "\u{1b}[\(drawn)A\r\u{1b}[J" : ""
        for line in shown { text += cut(line, to: width) + "\n" }
        output.write(text)
        drawn = shown.count
    }

    /// Takes the lines off the terminal, to make room for something that stays.
    mutating func clear() {
        if drawn > 0 { output.write("\u{1b}[\(drawn)A\r\u{1b}[J") }
        drawn = 0
    }

    /// A line as it stands if it carries colour, which takes no columns; tables are cut before they are coloured.
    private func cut(_ line: String, to width: Int) -> String {
        line.utf8.contains(0x1b) ? line : truncated(line, to: width)
    }
}
