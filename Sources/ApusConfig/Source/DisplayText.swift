/// How many columns of a terminal a text takes: two for a wide East Asian character or a pictogram, none for
/// a combining mark.
package func displayWidth(_ text: some StringProtocol) -> Int {
    var width = 0
    for scalar in text.unicodeScalars {
        if scalar.isASCII {
            width += 1
        } else {
            width += columns(of: scalar)
        }
    }
    return width
}

private func columns(of scalar: Unicode.Scalar) -> Int {
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch scalar.value {
    // The ranges of UAX #11 that are wide or full-width, without their holes.
    case 0x1100...0x115f, 0x2e80...0xa4cf, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe30...0xfe6f, 0xff01...0xff60,
        0xffe0...0xffe6, 0x1f300...0x1faff, 0x20000...0x3fffd:
        return 2
    default: return 1
    }
}

extension String {
    /// The text with a space for each control character, so that it can go to a terminal.
    package var printable: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .format: result.unicodeScalars.append(" ")
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text with other words for some of its scalars. A letter and the marks behind it are one character, which
    /// hides from a search for the letter.
    package func escaping(_ words: [Unicode.Scalar: String]) -> String {
        var result = ""
        for scalar in unicodeScalars {
            if let word = words[scalar] {
                result.unicodeScalars.append(contentsOf: word.unicodeScalars)
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The text in double quotes, at most 60 characters of it, fit for a terminal. Scalars are counted: one
    /// letter may carry accents without end.
    package var quoted: String {
        let head = unicodeScalars.prefix(60)
        return "\"\(String(head).printable)\(head.endIndex < endIndex ? "…" : "")\""
    }
}
