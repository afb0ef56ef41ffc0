/// A value that is one text, the same in a file, on the command line and in messages.
public protocol ConfigurationText: ConfigurationValue, CustomStringConvertible {
    /// Reads the text, or throws why it can't be one of these. What ``description`` gives is read as the same value.
    init(_ text: String) throws(ValueRefusal)
}

extension ConfigurationText {
    /// Reads a text in quotes.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Self {
        guard case .string(let text) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        return try Self(text)
    }
}

extension ValueRefusal {
    /// `expected …, found "…"`, and a hint behind a semicolon: for a text, wherever it was written.
    init(expected: String, text: String, hint: String? = nil) {
        self.init("expected \(expected), found \(text.quoted)" + (hint.map { "; \($0)" } ?? ""))
    }
}

/// A number and the unit behind it: `1.5` and `Mpps`. One space may be between them.
struct Measure {
    /// The digits, perhaps with a point among them.
    let digits: Substring
    /// What follows, as it was written.
    let unit: Substring

    /// Takes a text apart; nil if no plain decimal number begins it.
    init?(_ text: String) {
        let number = text.prefix { ("0"..."9").contains($0) || $0 == "." }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        // More digits than this are of no use to anybody, and a number read from them would be unbounded.
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }), number.utf8.count <= 24 else { return nil }
        digits = number
        let rest = text[number.endIndex...]
        unit = rest.first == " " ? rest.dropFirst() : rest
    }

    /// The number without a fraction, if it is one and fits.
    var whole: UInt64? { UInt64(digits) }

    /// The number times a power of ten, rounded once and not twice.
    func scaled(byTenTo exponent: Int) -> Double { Double("\(digits)e\(exponent)") ?? .infinity }

    /// A finite number without the ".0" that Swift gives whole ones.
    static func text(_ number: Double) -> String {
        let text = "\(number)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}
