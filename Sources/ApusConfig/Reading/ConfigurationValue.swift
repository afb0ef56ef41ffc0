public import ApusWire

/// A type that one JSON5 value can be read as.
public protocol ConfigurationValue: Sendable {
    /// What a user has to write, as it follows the word "expected": `"address:port", such as "192.0.2.1:5004"`.
    static var expectation: String { get }

    /// Reads a value, or throws why it cannot be one of these.
    static func read(_ value: JSON5Value) throws(ValueRefusal) -> Self
}

/// Why a value cannot be what was expected.
public struct ValueRefusal: Error, Hashable, Sendable {
    /// The whole sentence, without a full stop.
    public let message: String

    /// A refusal in words of its own.
    public init(_ message: String) { self.message = message }

    /// `expected …, found …`, and a hint behind a semicolon.
    public init(expected: String, found: JSON5Value, hint: String? = nil) {
        message = "expected \(expected), found \(found.found)" + (hint.map { "; \($0)" } ?? "")
    }
}

extension Bool: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "true or false" }

    /// Reads `true` or `false`.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Bool {
        guard case .boolean(let flag) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        return flag
    }
}

extension Int: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "a whole number" }

    /// Reads a number without a fraction, however it was written: `1000`, `0x3e8`, `1e3`.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Int {
        switch value.kind {
        case .integer(let number): return number
        case .number(let number):
            if let exact = Int(exactly: number) { return exact }
        default: break
        }
        throw ValueRefusal(expected: expectation, found: value)
    }
}

extension Double: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "a number" }

    /// Reads a finite number.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Double {
        switch value.kind {
        case .integer(let number): return Double(number)
        case .number(let number) where number.isFinite: return number
        default: throw ValueRefusal(expected: expectation, found: value)
        }
    }
}

extension String: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "a text in quotes" }

    /// Reads a string.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> String {
        guard case .string(let text) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        return text
    }
}

extension Endpoint: ConfigurationValue {
    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "\"address:port\", such as \"192.0.2.1:5004\"" }

    /// Reads `"192.0.2.1:5004"` or `"[2001:db8::7]:5004"`.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Endpoint {
        guard case .string(let text) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        if let endpoint = Endpoint(text) { return endpoint }
        if let refusal = zoneRefusal(text) { throw refusal }
        if text.contains(where: { $0 == "," || $0 == " " }), !text.utf8.contains(0) {
            throw ValueRefusal(
                expected: expectation, found: value, hint: "one address and port, and no list of them")
        }
        let looksLikeIPv6 = !text.contains("[") && text.utf8.count { $0 == UInt8(ascii: ":") } > 1
        guard looksLikeIPv6 else {
            throw ValueRefusal(expected: expectation, found: value, hint: hint(for: text))
        }
        throw ValueRefusal(
            expected: "\"[address]:port\", such as \"[2001:db8::7]:5004\"", found: value,
            hint: "an IPv6 address stands in brackets")
    }

    /// What is wrong with a text that has one address and one port, or nearly so.
    private static func hint(for text: String) -> String? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        let isNumber = !port.isEmpty && port.allSatisfy { $0.isASCII && $0.isNumber }
        guard isNumber else { return nil }
        if UInt16(port) == nil { return Endpoint("\(host):1") == nil ? nil : "ports end at 65535" }
        let isName = host.allSatisfy { $0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_" }
        if isName, host.contains(where: \.isLetter) {
            return "names are not looked up, so write the address"
        }
        let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
        let plain = numbers.map { number in
            let rest = number.drop { $0 == "0" }
            return rest.isEmpty && !number.isEmpty ? "0" : String(rest)
        }
        guard Endpoint("\(plain.joined(separator: ".")):\(port)") != nil else { return nil }
        return "no number of an address begins with 0"
    }

    /// What to say to `[fe80::1%eth0]:5004` (RFC 4007 section 11): the interface has a place of its own.
    private static func zoneRefusal(_ text: String) -> ValueRefusal? {
        guard let percent = text.firstIndex(of: "%"), let end = text[percent...].firstIndex(of: "]"),
            let endpoint = Endpoint(String(text[..<percent] + text[end...]))
        else { return nil }
        let zone = String(text[text.index(after: percent)..<end]).printable
        return ValueRefusal(
            "no zone stands in an address; write \"\(endpoint)\", and \(zone) as the stream's \"interface\" or "
                + "--interface")
    }
}

/// A choice among a few words, such as `"auto"`, `"xdp"` or `"packet"`.
public protocol ConfigurationWord: ConfigurationValue, RawRepresentable, CaseIterable
where RawValue == String {
    /// What to answer to a word that is none of these but needs an explanation of its own.
    static func refusal(of word: String) -> String?
}

extension ConfigurationWord {
    /// The words, in quotes.
    public static var expectation: String { alternatives(allCases.map { "\"\($0.rawValue)\"" }) }

    /// No word needs an explanation, unless a type says otherwise.
    public static func refusal(of word: String) -> String? { nil }

    /// Reads one of the words.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> Self {
        guard case .string(let word) = value.kind else {
            throw ValueRefusal(expected: expectation, found: value)
        }
        if let choice = Self(rawValue: word) { return choice }
        if let message = refusal(of: word) { throw ValueRefusal(message) }
        let near = nearestName(to: word, among: allCases.map(\.rawValue))
        throw ValueRefusal(expected: expectation, found: value, hint: near.map { "did you mean \"\($0)\"?" })
    }
}
