/// A span of time: `90s`, `10m`, `2h`, `1d`, `1h30m`, `250ms`. From 1 ms to 365 days.
public struct FilterDuration: Hashable, Sendable, Comparable, ConfigurationText {
    /// How long it is.
    public var nanoseconds: UInt64

    /// A span of that many nanoseconds.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// A span of whole seconds, or the longest one where nanoseconds of so many can't be counted: 584 years.
    public static func seconds(_ seconds: UInt64) -> FilterDuration {
        let (nanoseconds, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return FilterDuration(nanoseconds: overflow ? .max : nanoseconds)
    }

    /// What a span may be: 1 ms to 365 days.
    public static let range = FilterDuration(nanoseconds: 1_000_000)...FilterDuration.seconds(365 * 86_400)

    /// The units, longest first, in nanoseconds.
    private static let units: [(name: String, nanoseconds: UInt64)] = [
        ("d", 86_400_000_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000),
        ("ms", 1_000_000), ("us", 1000), ("ns", 1),
    ]

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a time from 1 ms to 365 days, such as \"90s\", \"10m\" or \"1h30m\""
    }

    /// Reads whole numbers, each with its unit, the longest unit first: `d`, `h`, `m`, `s`, `ms`, `us` and `ns`.
    public init(_ text: String) throws(ValueRefusal) {
        func refusal(_ hint: String?) -> ValueRefusal {
            ValueRefusal(expected: Self.expectation, text: text, hint: hint)
        }
        var rest = text[...]
        var total: UInt64 = 0
        var last = UInt64.max
        guard !text.isEmpty else { throw refusal(nil) }
        while !rest.isEmpty {
            let digits = rest.prefix { ("0"..."9").contains($0) }
            let name = rest[digits.endIndex...].prefix { !("0"..."9").contains($0) }
            rest = rest[name.endIndex...]
            guard !digits.isEmpty else { throw refusal(nil) }
            guard !name.isEmpty else {
                throw refusal(
                    "of what? \"\(digits.prefix(9))s\" are seconds, \"\(digits.prefix(9))m\" minutes")
            }
            if name == "." { throw refusal("whole numbers of smaller units, as 1h30m is an hour and a half") }
            guard let unit = Self.units.first(where: { $0.name == name })?.nanoseconds else {
                throw refusal("the units are d, h, m, s and ms")
            }
            guard unit < last else { throw refusal("the longest unit comes first, and each once") }
            last = unit
            let (part, tooMany) = (UInt64(digits) ?? .max).multipliedReportingOverflow(by: unit)
            let (sum, tooLong) = total.addingReportingOverflow(part)
            guard !tooMany, !tooLong else { throw refusal(nil) }
            total = sum
        }
        self.init(nanoseconds: total)
        guard Self.range.contains(self) else { throw refusal(nil) }
    }

    /// Reads a text; a number without a unit is refused with what it may be.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> FilterDuration {
        if case .string(let text) = value.kind { return try FilterDuration(text) }
        var hint: String?
        if case .integer(let number) = value.kind, number > 0 {
            hint = "of what? \"\(number)s\" are seconds, \"\(number)m\" minutes"
        }
        throw ValueRefusal(expected: expectation, found: value, hint: hint)
    }

    /// As it is read.
    public var description: String {
        guard nanoseconds > 0 else { return "0s" }
        var left = nanoseconds
        var text = ""
        for unit in Self.units where left >= unit.nanoseconds {
            text += "\(left / unit.nanoseconds)\(unit.name)"
            left %= unit.nanoseconds
        }
        return text
    }

    /// The next whole second: what is left of a time, for people, and so that something is left.
    public var roundedUp: FilterDuration {
        let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        return .seconds(rest == 0 ? seconds : seconds + 1)
    }

    /// Whether `left` is shorter.
    public static func < (left: FilterDuration, right: FilterDuration) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}
