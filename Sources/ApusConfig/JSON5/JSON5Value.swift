// A reader of JSON5 (https://spec.json5.org) of our own. Foundation's JSONDecoder reads JSON5 as well, but it
// keeps no positions, passes over unknown keys and takes duplicate ones, and a configuration error has to say
// file, line and column.

/// A value of a JSON5 text and the place where it begins.
public struct JSON5Value: Hashable, Sendable {
    /// What the value is.
    public let kind: Kind
    /// Where its first character is.
    public let position: SourcePosition

    /// The kinds of JSON5 values.
    public enum Kind: Hashable, Sendable {
        case null
        case boolean(Bool)
        /// A number without fraction or exponent that fits 64 bits.
        case integer(Int)
        /// Any other number, also Infinity and NaN.
        case number(Double)
        case string(String)
        case array([JSON5Value])
        /// The members in the order of the text. No key is there twice.
        case object([JSON5Member])
    }

    /// Joins a value and its place.
    public init(_ kind: Kind, at position: SourcePosition) { (self.kind, self.position) = (kind, position) }

    /// Reads a whole text.
    ///
    /// The error has one element where the text is no JSON5, as what follows cannot be made out then; duplicate
    /// keys are all reported.
    public init(
        parsing source: ConfigurationSource, limits: JSON5Limits = JSON5Limits()
    ) throws(ConfigurationErrors) {
        let report = ConfigurationReport(on: source)
        do {
            self = try JSON5Parser.parse(source, limits: limits, report: report)
        } catch {
            throw ConfigurationErrors([error])
        }
        try report.check()
    }
}

/// A key of an object and its value.
public struct JSON5Member: Hashable, Sendable {
    /// The key, without quotes and escapes.
    public let key: String
    /// Where the key begins.
    public let position: SourcePosition
    /// What stands behind the colon.
    public let value: JSON5Value

    /// Joins a key, its place and a value.
    init(key: String, at position: SourcePosition, value: JSON5Value) {
        (self.key, self.position, self.value) = (key, position, value)
    }
}

/// What a text may not exceed, so that a hostile file costs neither stack nor memory.
public struct JSON5Limits: Sendable {
    /// The longest text, in bytes: 16 MiB.
    public var bytes = 16 << 20
    /// How deep arrays and objects may be in one another: 64.
    public var depth = 64
    /// How many values a text may have: 1,048,576.
    public var values = 1 << 20

    /// The limits named above.
    public init() {}
}

extension JSON5Value {
    /// The value as a message shows it: `"text"`, `12`, `an object`.
    package var found: String {
        switch kind {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .number(let value):
            value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : "\(value)"
        case .string(let text): text.quoted
        case .array(let elements): elements.isEmpty ? "an empty array" : "an array"
        case .object: "an object"
        }
    }
}
