/// A recursive descent over the UTF-8 bytes; the comments name the productions of https://spec.json5.org.
///
/// The depth of recursion is bounded by ``JSON5Limits/depth``, the time is linear in the size of the text.
struct JSON5Parser {
    let source: ConfigurationSource
    let limits: JSON5Limits
    let report: ConfigurationReport

    var offset = 0
    private var line = 1
    private var lineStart = 0
    /// The bytes of the line so far that begin no scalar, and so are no column.
    private var continuations = 0
    private var values = 0

    /// Reads the one value of a text. Throws at the first place that is no JSON5; duplicate keys go to `report`.
    static func parse(
        _ source: ConfigurationSource, limits: JSON5Limits, report: ConfigurationReport
    ) throws(ConfigurationError) -> JSON5Value {
        var parser = JSON5Parser(source: source, limits: limits, report: report)
        try parser.checkText()
        try parser.skipSpace()
        let value = try parser.value(depth: 0)
        try parser.skipSpace()
        guard parser.byte == nil else {
            throw parser.error("expected the end of the file, found \(parser.foundHere)")
        }
        return value
    }

    private init(source: ConfigurationSource, limits: JSON5Limits, report: ConfigurationReport) {
        (self.source, self.limits, self.report) = (source, limits, report)
    }

    private mutating func checkText() throws(ConfigurationError) {
        guard source.bytes.count <= limits.bytes else {
            throw error(
                "the file is too long: it may have \(limits.bytes) bytes, and has \(source.bytes.count)")
        }
        if source.bytes.starts(with: byteOrderMark) {
            offset = byteOrderMark.count
            lineStart = offset
        }
        if String(validating: source.bytes, as: UTF8.self) == nil {
            var scalars = source.bytes[offset...].makeIterator()
            var decoder = UTF8()
            while case .scalarValue(let scalar) = decoder.decode(&scalars) {
                for _ in 0..<(UTF8.width(scalar)) { advance() }
            }
            throw error("the file is no UTF-8 text: this byte cannot stand here")
        }
    }

    // MARK: Values

    /// JSON5Value.
    private mutating func value(depth: Int) throws(ConfigurationError) -> JSON5Value {
        let start = position
        values += 1
        guard values <= limits.values else {
            throw error("too many values: a configuration may have \(limits.values)")
        }
        switch byte ?? 0 {
        case UInt8(ascii: "{"): return JSON5Value(.object(try object(depth: depth)), at: start)
        case UInt8(ascii: "["): return JSON5Value(.array(try array(depth: depth)), at: start)
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return JSON5Value(.string(try string()), at: start)
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"):
            return JSON5Value(try number(), at: start)
        default: return JSON5Value(try word(), at: start)
        }
    }

    /// JSON5Object. Duplicate keys, which the grammar permits, are reported.
    private mutating func object(depth: Int) throws(ConfigurationError) -> [JSON5Member] {
        let opening = position
        try enter(depth)
        var members: [JSON5Member] = []
        var firstPlaces: [String: SourcePosition] = [:]
        while true {
            try skipSpace()
            if byte == UInt8(ascii: "}") { break }
            let place = position
            let key = try memberName(opening: opening)
            try skipSpace()
            guard byte == UInt8(ascii: ":") else {
                throw error("expected \":\" after the key, found \(foundHere)")
            }
            advance()
            try skipSpace()
            let value = try value(depth: depth + 1)
            if let first = firstPlaces.updateValue(place, forKey: key) {
                firstPlaces[key] = first
                report.add(
                    "\(key.quoted) is there twice", at: .text(place),
                    notes: [.init("the first \(key.quoted) is here", at: .text(first))])
            } else {
                members.append(JSON5Member(key: key, at: place, value: value))
            }
            try skipSpace()
            if byte == UInt8(ascii: ",") {
                advance()
            } else if byte != UInt8(ascii: "}") {
                throw unclosed("expected \",\" or \"}\" after the value, found \(foundHere)", "{", opening)
            }
        }
        advance()
        return members
    }

    /// JSON5Array.
    private mutating func array(depth: Int) throws(ConfigurationError) -> [JSON5Value] {
        let opening = position
        try enter(depth)
        var elements: [JSON5Value] = []
        while true {
            try skipSpace()
            if byte == UInt8(ascii: "]") { break }
            guard byte != nil else {
                throw unclosed("expected a value or \"]\", found the end of the file", "[", opening)
            }
            elements.append(try value(depth: depth + 1))
            try skipSpace()
            if byte == UInt8(ascii: ",") {
                advance()
            } else if byte != UInt8(ascii: "]") {
                throw unclosed("expected \",\" or \"]\" after the value, found \(foundHere)", "[", opening)
            }
        }
        advance()
        return elements
    }

    private mutating func enter(_ depth: Int) throws(ConfigurationError) {
        guard depth < limits.depth else {
            throw error("too deep: arrays and objects may be in one another \(limits.depth) times")
        }
        advance()
    }

    /// JSON5MemberName: a string or an identifier.
    private mutating func memberName(opening: SourcePosition) throws(ConfigurationError) -> String {
        if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") { return try string() }
        if let name = try identifier() { return name }
        throw unclosed("expected a key or \"}\", found \(foundHere)", "{", opening)
    }

    /// JSON5Null, JSON5Boolean, and the two words among the numbers.
    private mutating func word() throws(ConfigurationError) -> JSON5Value.Kind {
        let start = position
        let what = foundHere
        guard let name = try identifier() else { throw error("expected a value, found \(what)") }
        switch name {
        case "null": return .null
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "Infinity": return .number(.infinity)
        case "NaN": return .number(.nan)
        default:
            throw error(
                "expected a value, found \(String(name.unicodeScalars.prefix(60))); "
                    + "a text stands in quotes: \(name.quoted)",
                at: start)
        }
    }

    // MARK: The text

    /// The byte at hand, or nil at the end.
    var byte: UInt8? { offset < source.bytes.count ? source.bytes[offset] : nil }

    /// The byte `distance` bytes on, or nil behind the end.
    func byte(ahead distance: Int) -> UInt8? {
        offset + distance < source.bytes.count ? source.bytes[offset + distance] : nil
    }

    /// The scalar at hand and its length in bytes. The text was found valid before.
    var scalar: (value: Unicode.Scalar, length: Int)? {
        guard let first = byte else { return nil }
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
        var bits = UInt32(first) & (0x7f >> UInt32(length))
        for i in 1..<length { bits = bits << 6 | UInt32(source.bytes[offset + i] & 0x3f) }
        return Unicode.Scalar(bits).map { ($0, length) }
    }

    /// Passes one byte, and keeps count of lines and columns.
    mutating func advance() {
        let passed = source.bytes[offset]
        offset += 1
        if passed & 0xc0 == 0x80 {
            continuations += 1
        } else if passed == UInt8(ascii: "\n") || (passed == UInt8(ascii: "\r") && byte != UInt8(ascii: "\n"))
        {
            line += 1
            lineStart = offset
            continuations = 0
        }
    }

    mutating func advance(_ count: Int) { for _ in 0..<count { advance() } }

    /// Where the byte at hand is.
    var position: SourcePosition {
        SourcePosition(line: line, column: offset - lineStart - continuations + 1)
    }

    // MARK: Errors

    /// What is at hand, for a message.
    var foundHere: String {
        guard let scalar else { return "the end of the file" }
        switch scalar.value {
        case "\"": return "a string"
        case "\n", "\r": return "the end of the line"
        default:
            return scalar.value.properties.generalCategory == .control
                ? "the control character U+\(hexadecimal(scalar.value.value, digits: 4))"
                : "\"\(scalar.value)\""
        }
    }

    func error(_ message: String, at place: SourcePosition? = nil) -> ConfigurationError {
        ConfigurationError(message, at: .text(place ?? position), in: source)
    }

    private func unclosed(_ message: String, _ bracket: String, _ opening: SourcePosition)
        -> ConfigurationError
    {
        let note = ConfigurationError.Note(
            "the \"\(bracket)\" that is open there is here", at: .text(opening))
        return ConfigurationError(message, at: .text(position), in: source, notes: [note])
    }
}

func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
}
