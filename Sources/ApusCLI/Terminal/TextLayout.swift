import Apus

/// Breaks a text at spaces into lines of at most `width` columns; a longer word has a line of its own.
func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    var used = 0
    for word in text.split(separator: " ") {
        let columns = displayWidth(word)
        if !line.isEmpty, used + 1 + columns > width {
            lines.append(line)
            (line, used) = ("", 0)
        }
        if !line.isEmpty {
            line += " "
            used += 1
        }
        line += word
        used += columns
    }
    if !line.isEmpty || lines.isEmpty { lines.append(line) }
    return lines
}

/// The text with spaces behind it, or before it, up to `width` columns.
func padded(_ text: String, to width: Int, atStart: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - displayWidth(text)))
    return atStart ? space + text : text + space
}

/// The first `width` columns of a text, with an ellipsis if that is not all.
func truncated(_ text: String, to width: Int) -> String {
    guard displayWidth(text) > width else { return text }
    var result = ""
    var used = 0
    for character in text {
        let columns = displayWidth(String(character))
        if used + columns > width - 1 { break }
        result.append(character)
        used += columns
    }
    return width > 0 ? result + "…" : ""
}

extension String {
    /// The text with a space for each control character but the ends of its lines: what holds words of others, such
    /// as the names of interfaces, can't drive a terminal.
    var printableLines: String {
        split(separator: "\n", omittingEmptySubsequences: false).map { String($0).printable }
            .joined(separator: "\n")
    }
}
