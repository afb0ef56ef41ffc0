/// The text of a configuration and the name it goes by in messages.
///
/// Two sources are always equal, for the same reason as two ``SourceMap``s.
public struct ConfigurationSource: Hashable, Sendable {
    /// The file's name, as the user gave it.
    public var name: String
    /// The text in UTF-8, unless it is damaged.
    public var bytes: [UInt8]

    /// Joins a name and the bytes of a file.
    public init(name: String, bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }

    /// Joins a name and a text.
    public init(name: String, text: String) { (self.name, self.bytes) = (name, Array(text.utf8)) }

    /// No text: for what was built in code.
    public static let none = ConfigurationSource(name: "", bytes: [])

    /// Always true; see above.
    public static func == (left: ConfigurationSource, right: ConfigurationSource) -> Bool { true }

    /// Adds nothing, as all sources are equal.
    public func hash(into hasher: inout Hasher) {}
}

extension ConfigurationSource {
    /// The line of `position` and, beneath it, a caret at its column:
    ///
    /// ```
    ///   7 |     { listen: "192.0.2.1" },
    ///     |               ^
    /// ```
    ///
    /// Of a long line only the surroundings are shown. Control characters become spaces, so that a file
    /// cannot drive the terminal.
    func excerpt(at position: SourcePosition) -> String {
        let most = 100
        let first = position.column <= most - 20 ? 1 : position.column - 60
        let start = offset(beginning(ofLine: position.line), plus: first - 1)
        let caret = offset(start, plus: position.column - first)
        let end = offset(caret, plus: first + most - position.column)
        let head = printable(bytes[start..<caret])
        let tail = printable(bytes[caret..<end])
        let opening = first > 1 ? "…" : ""
        let closing = isEndOfLine(end) ? "" : "…"
        let number = "\(position.line)"
        let margin = String(repeating: " ", count: number.utf8.count)
        let indent = String(repeating: " ", count: displayWidth(opening + head))
        return "  \(number) | \(opening)\(head)\(tail)\(closing)\n  \(margin) | \(indent)^"
    }

    private func beginning(ofLine wanted: Int) -> Int {
        var (line, i) = (1, bytes.starts(with: byteOrderMark) ? byteOrderMark.count : 0)
        while line < wanted, i < bytes.count {
            // CR LF ends one line: the CR is passed over, the LF ends it.
            let isEnd =
                isEndOfLine(i) && !(isReturn(i) && i + 1 < bytes.count && bytes[i + 1] == UInt8(ascii: "\n"))
            if isEnd { line += 1 }
            i += 1
        }
        return i
    }

    /// The place `columns` scalars behind `start`, or the end of the line if it comes first. It reads no
    /// further than that, as a hostile file may be one long line.
    private func offset(_ start: Int, plus columns: Int) -> Int {
        var i = start
        var left = columns
        while !isEndOfLine(i) {
            if bytes[i] & 0xc0 != 0x80 {
                if left == 0 { break }
                left -= 1
            }
            i += 1
        }
        return i
    }

    private func isEndOfLine(_ i: Int) -> Bool {
        i >= bytes.count || bytes[i] == UInt8(ascii: "\n") || isReturn(i)
    }

    private func isReturn(_ i: Int) -> Bool { bytes[i] == UInt8(ascii: "\r") }

    private func printable(_ slice: ArraySlice<UInt8>) -> String {
        String(decoding: slice, as: UTF8.self).printable
    }
}

let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
