extension JSON5Parser {
    // MARK: Strings

    /// JSON5String, in either kind of quotes.
    mutating func string() throws(ConfigurationError) -> String {
        let start = position
        let quote = byte
        advance()
        var text: [UInt8] = []
        while true {
            guard let first = byte, first != UInt8(ascii: "\n"), first != UInt8(ascii: "\r") else {
                throw error("the string that begins here does not end on its line", at: start)
            }
            if first == quote { break }
            if first == UInt8(ascii: "\\") {
                try escape(into: &text)
            } else {
                text.append(first)
                advance()
            }
        }
        advance()
        return String(decoding: text, as: UTF8.self)
    }

    /// EscapeSequence or LineContinuation.
    private mutating func escape(into text: inout [UInt8]) throws(ConfigurationError) {
        let start = position
        advance()
        guard let scalar else { throw error("the string does not end") }
        switch scalar.value {
        case "b": text.append(0x08)
        case "f": text.append(0x0c)
        case "n": text.append(0x0a)
        case "r": text.append(0x0d)
        case "t": text.append(0x09)
        case "v": text.append(0x0b)
        case "\r":
            if byte(ahead: 1) == UInt8(ascii: "\n") { advance() }
        case "\n", "\u{2028}", "\u{2029}": break
        case "0":
            if case UInt8(ascii: "0")...UInt8(ascii: "9") = byte(ahead: 1) ?? 0 {
                throw error("\"\\0\" cannot stand before a digit; write \"\\x00\"", at: start)
            }
            text.append(0)
        case "1"..."9":
            throw error(
                "\"\\\(scalar.value)\" is no escape sequence; a backslash is written \"\\\\\"", at: start)
        case "x":
            advance()
            let value = try hexadecimalDigits(2, of: "\\x", from: start)
            text.append(contentsOf: UTF8.encode(Unicode.Scalar(UInt8(value)))!)
            return
        case "u":
            text.append(contentsOf: UTF8.encode(try unicodeEscape(from: start))!)
            return
        default: text.append(contentsOf: source.bytes[offset..<offset + scalar.length])
        }
        advance(scalar.length)
    }

    /// UnicodeEscapeSequence behind its backslash; a surrogate needs its partner.
    private mutating func unicodeEscape(from start: SourcePosition) throws(ConfigurationError)
        -> Unicode.Scalar
    {
        advance()
        let value = try hexadecimalDigits(4, of: "\\u", from: start)
        if let scalar = Unicode.Scalar(value) { return scalar }
        if value < 0xdc00, byte == UInt8(ascii: "\\"), byte(ahead: 1) == UInt8(ascii: "u") {
            advance(2)
            let second = try hexadecimalDigits(4, of: "\\u", from: start)
            if (0xdc00...0xdfff).contains(second),
                let scalar = Unicode.Scalar(0x10000 + (value - 0xd800) << 10 + (second - 0xdc00))
            {
                return scalar
            }
        }
        throw error(
            "\"\\u\(hexadecimal(value, digits: 4))\" is half a character; the other half is missing",
            at: start)
    }

    private mutating func hexadecimalDigits(
        _ count: Int, of escape: String, from start: SourcePosition
    ) throws(ConfigurationError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected \(count) hexadecimal digits after \"\(escape)\"", at: start)
            }
            value = value << 4 | UInt32(digit)
            advance()
        }
        return value
    }

    // MARK: Identifiers

    /// JSON5Identifier (the IdentifierName of ECMAScript 5.1), or nil if none begins here.
    mutating func identifier() throws(ConfigurationError) -> String? {
        var name = ""
        while let scalar {
            let start = position
            var part = scalar.value
            if part == "\\" {
                guard byte(ahead: 1) == UInt8(ascii: "u") else {
                    throw error("expected \"\\u\" and four digits")
                }
                advance()
                part = try unicodeEscape(from: start)
                guard isIdentifierPart(part, first: name.isEmpty) else {
                    throw error("this character cannot stand in a key without quotes", at: start)
                }
            } else {
                guard isIdentifierPart(part, first: name.isEmpty) else { break }
                advance(scalar.length)
            }
            name.unicodeScalars.append(part)
        }
        return name.isEmpty ? nil : name
    }

    /// IdentifierStart, or IdentifierPart if not `first`.
    func isIdentifierPart(_ scalar: Unicode.Scalar, first: Bool) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "$", "_": return true
        case "0"..."9": return !first
        case "\u{200c}", "\u{200d}": return !first
        default: break
        }
        guard !scalar.isASCII else { return false }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .letterNumber:
            return true
        case .nonspacingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return !first
        default: return false
        }
    }

    // MARK: Numbers

    /// JSON5Number, but for the words among them, if they have no sign.
    mutating func number() throws(ConfigurationError) -> JSON5Value.Kind {
        let start = position
        var negative = false
        if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") {
            negative = byte == UInt8(ascii: "-")
            advance()
        }
        if let scalar, isIdentifierPart(scalar.value, first: true) {
            switch try identifier() {
            case "Infinity": return .number(negative ? -.infinity : .infinity)
            case "NaN": return .number(.nan)
            default: throw error("expected a number after the sign", at: start)
            }
        }
        let value: JSON5Value.Kind
        if byte == UInt8(ascii: "0"),
            byte(ahead: 1) == UInt8(ascii: "x") || byte(ahead: 1) == UInt8(ascii: "X")
        {
            value = try hexadecimalNumber(negative: negative, from: start)
        } else {
            value = try decimalNumber(negative: negative, from: start)
        }
        if let scalar, isIdentifierPart(scalar.value, first: false) || scalar.value == "." {
            throw error("\(foundHere) cannot stand in a number; a text stands in quotes")
        }
        return value
    }

    private mutating func hexadecimalNumber(
        negative: Bool, from start: SourcePosition
    ) throws(ConfigurationError) -> JSON5Value.Kind {
        advance(2)
        var digits = 0
        var exact: Int? = 0
        var rounded = 0.0
        while let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue {
            let (shifted, overflow) = (exact ?? 0).multipliedReportingOverflow(by: 16)
            exact = overflow ? nil : exact.map { _ in shifted + digit }
            rounded = rounded * 16 + Double(digit)
            digits += 1
            advance()
        }
        guard digits > 0 else { throw error("expected hexadecimal digits after \"0x\"", at: start) }
        return kind(exact: exact, rounded: rounded, negative: negative)
    }

    /// DecimalLiteral: digits on at least one side of the point, no leading zero.
    private mutating func decimalNumber(
        negative: Bool, from start: SourcePosition
    ) throws(ConfigurationError) -> JSON5Value.Kind {
        let first = offset
        let whole = skipDigits()
        if whole > 1, source.bytes[first] == UInt8(ascii: "0") {
            throw error("a number cannot begin with 0; leave it out", at: start)
        }
        var fraction = 0
        var isWhole = true
        if byte == UInt8(ascii: ".") {
            isWhole = false
            advance()
            fraction = skipDigits()
        }
        guard whole + fraction > 0 else { throw error("expected a digit, found \(foundHere)") }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            isWhole = false
            advance()
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { advance() }
            guard skipDigits() > 0 else {
                throw error("expected the digits of the exponent, found \(foundHere)")
            }
        }
        let text = String(decoding: source.bytes[first..<offset], as: UTF8.self)
        // strtod(3), which is beneath Double.init, wants a digit on the left of the point.
        let rounded = Double(text.first == "." ? "0" + text : text) ?? .infinity
        return kind(exact: isWhole ? Int(text) : nil, rounded: rounded, negative: negative)
    }

    private mutating func skipDigits() -> Int {
        let first = offset
        while let byte, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { advance() }
        return offset - first
    }

    private func kind(exact: Int?, rounded: Double, negative: Bool) -> JSON5Value.Kind {
        // -0 is a number of its own, and no integer.
        if let exact, !(negative && exact == 0) { return .integer(negative ? -exact : exact) }
        return .number(negative ? -rounded : rounded)
    }
}
