/// How many packets a second: `1000pps`, `10kpps`, `1.5Mpps`, `2/s`, or so many a minute, `30/m`, an hour, `20/h`, or a day,
/// `100/d`.
public struct PacketRate: Hashable, Sendable, ConfigurationText {
    /// Packets a second, 0.001 to 1,000,000,000.
    public var perSecond: Double

    /// A rate of so many packets a second.
    public init(perSecond: Double) { self.perSecond = perSecond }

    /// What a rate may be.
    public static let range = 0.001...1e9

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a rate of packets from 0.001 to 1000000000 a second, such as \"1000pps\", \"10kpps\" or \"30/m\""
    }

    private static let units: [RateUnit] = [RateUnit("pps", 0), RateUnit("kpps", 3), RateUnit("Mpps", 6)]

    /// The times that so many packets may be said for, in seconds.
    private static let spans: [(unit: String, seconds: Double)] = [
        ("/s", 1), ("/m", 60), ("/h", 3600), ("/d", 86_400), ("/min", 60),
    ]

    /// Reads one of the texts above; `/min` is the same as `/m`.
    public init(_ text: String) throws(ValueRefusal) {
        guard let rate = try Self.read(text) else {
            throw ValueRefusal(expected: Self.expectation, text: text, hint: RateUnit.hint(for: text))
        }
        self = rate
    }

    /// The rate in a text; nil if it has no unit of packets.
    static func read(_ text: String) throws(ValueRefusal) -> PacketRate? {
        guard let measure = Measure(text) else { return nil }
        let span = spans.first { $0.unit == measure.unit }
        guard
            let rate = span.map({ measure.scaled(byTenTo: 0) / $0.seconds }) ?? RateUnit.value(measure, units)
        else { return nil }
        guard range.contains(rate) else {
            let hint = rate > range.lowerBound ? nil : "the smallest is \"0.001pps\", which is \"3.6/h\""
            throw ValueRefusal(expected: expectation, text: text, hint: hint)
        }
        return PacketRate(perSecond: rate)
    }

    /// As it is read, such as `1.5Mpps`; `20/h` where that is shorter than the fraction of a packet that it is a second.
    public var description: String {
        let text = RateUnit.text(perSecond, Self.units)
        guard text.utf8.count > 12 else { return text }
        for span in Self.spans {
            let count = (perSecond * span.seconds).rounded()
            if count >= 1, count <= 1e9, count / span.seconds == perSecond {
                return Measure.text(count) + span.unit
            }
        }
        return text
    }
}

/// How many bits a second, of whole frames without their check sequence: `64kbit`, `50Mbit`, `1Gbit`.
///
/// Prefixes are decimal: `1kbit` is 1000 bits. `bit/s` and `bps` are the same as `bit`.
public struct BitRate: Hashable, Sendable, ConfigurationText {
    /// Bits a second, 8 to 1,000,000,000,000.
    public var perSecond: Double

    /// A rate of so many bits a second.
    public init(perSecond: Double) { self.perSecond = perSecond }

    /// What a rate may be.
    public static let range = 8.0...1e12

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String {
        "a rate of bits from 8 bit to 1000 Gbit a second, such as \"64kbit\", \"50Mbit\" or \"1Gbit\""
    }

    private static let units: [RateUnit] = [
        RateUnit("bit", 0), RateUnit("kbit", 3), RateUnit("Mbit", 6), RateUnit("Gbit", 9),
    ]

    /// Reads one of the texts above.
    public init(_ text: String) throws(ValueRefusal) {
        guard let rate = try Self.read(text) else {
            throw ValueRefusal(expected: Self.expectation, text: text, hint: RateUnit.hint(for: text))
        }
        self = rate
    }

    /// The rate in a text; nil if it has no unit of bits.
    static func read(_ text: String) throws(ValueRefusal) -> BitRate? {
        guard let measure = Measure(text), let rate = RateUnit.value(measure, spellings) else { return nil }
        guard range.contains(rate) else { throw ValueRefusal(expected: expectation, text: text) }
        return BitRate(perSecond: rate)
    }

    private static let spellings = units.flatMap { unit in
        let prefix = unit.name.dropLast(3)
        return [unit, RateUnit("\(prefix)bit/s", unit.exponent), RateUnit("\(prefix)bps", unit.exponent)]
    }

    /// As it is read, such as `50Mbit`.
    public var description: String { RateUnit.text(perSecond, Self.units) }
}

/// A rate of either kind, as a limit's `rate` has it.
public enum FilterRate: Hashable, Sendable, ConfigurationText {
    /// Packets a second.
    case packets(PacketRate)
    /// Bits a second.
    case bits(BitRate)

    /// See ``ConfigurationValue/expectation``.
    public static var expectation: String { "a rate, such as \"1000pps\", \"30/m\" or \"10Mbit\"" }

    /// Reads a rate of packets or of bits.
    public init(_ text: String) throws(ValueRefusal) {
        if let rate = try PacketRate.read(text) {
            self = .packets(rate)
        } else if let rate = try BitRate.read(text) {
            self = .bits(rate)
        } else {
            throw ValueRefusal(expected: Self.expectation, text: text, hint: RateUnit.hint(for: text))
        }
    }

    /// Reads a text; a number without a unit is refused with the two it may be.
    public static func read(_ value: JSON5Value) throws(ValueRefusal) -> FilterRate {
        if case .string(let text) = value.kind { return try FilterRate(text) }
        var hint: String?
        if case .integer(let number) = value.kind, number > 0 {
            hint = "of what? \"\(number)pps\" or \"\(number)bit\""
        }
        throw ValueRefusal(expected: expectation, found: value, hint: hint)
    }

    /// As it is read.
    public var description: String {
        switch self {
        case .packets(let rate): "\(rate)"
        case .bits(let rate): "\(rate)"
        }
    }
}

/// A unit of a rate: its name, and the power of ten that it is.
struct RateUnit {
    let name: String
    let exponent: Int

    init(_ name: String, _ exponent: Int) { (self.name, self.exponent) = (name, exponent) }

    /// What a measure is in one of `units`; nil if its unit is none of them.
    static func value(_ measure: Measure, _ units: [RateUnit]) -> Double? {
        units.first { $0.name == measure.unit }.map { measure.scaled(byTenTo: $0.exponent) }
    }

    /// The text in the largest unit that takes at most three decimals and is read as the same number.
    static func text(_ value: Double, _ units: [RateUnit]) -> String {
        for unit in units.reversed() {
            let scaled = value / Double("1e\(unit.exponent)")!
            let number = Measure.text(scaled)
            let decimals = number.firstIndex(of: ".").map { number[$0...].utf8.count - 1 } ?? 0
            if scaled >= 1, decimals <= 3, Double("\(number)e\(unit.exponent)") == value {
                return number + unit.name
            }
        }
        return Measure.text(value) + units[0].name
    }

    /// What to say of a text that should be a rate and is none.
    static func hint(for text: String) -> String? {
        guard let measure = Measure(text) else { return nil }
        let (digits, unit) = (measure.digits, String(measure.unit))
        if unit.isEmpty { return "of what? \"\(digits)pps\" or \"\(digits)bit\"" }
        if let octets = hint(octets: measure) { return octets }
        if let time = hint(time: measure) { return time }
        if ["k", "K", "M"].contains(unit) {
            let prefix = unit.lowercased() == "k" ? "k" : unit
            return "of what? \"\(digits)\(prefix)pps\" or \"\(digits)\(prefix)bit\""
        }
        let names = ["kpps", "Mpps", "pps", "/s", "/m", "kbit", "Mbit", "Gbit", "bit"]
        let same = names.first { $0.lowercased() == unit.lowercased() }
        return (same ?? nearestName(to: unit, among: names)).map { "did you mean \"\(digits)\($0)\"?" }
    }

    /// What to say of a count for a time that is named in another way, as `5/hour` and `5pph` have it. The nearest name would be
    /// another time.
    private static func hint(time measure: Measure) -> String? {
        let unit = measure.unit.lowercased()
        let times = [
            ("s", ["/sec", "/second", "/seconds"]),
            ("m", ["/m", "/min", "/mins", "/minute", "/minutes", "ppm"]),
            ("h", ["/h", "/hr", "/hour", "/hours", "pph"]), ("d", ["/d", "/day", "/days", "ppd"]),
        ]
        if let name = times.first(where: { $1.contains(unit) })?.0 {
            return "did you mean \"\(measure.digits)/\(name)\"?"
        }
        if unit.hasPrefix("/"), unit != "/s" {
            return "packets are counted by \"/s\", \"/m\", \"/h\" or \"/d\""
        }
        let isBits = unit.contains("bit/") || unit.contains("pps/")
        return isBits && !unit.hasSuffix("/s")
            ? "rates in that unit are for a second; leave the time out" : nil
    }

    /// What to say of octets a second, as `1MB/s` has them: how many bits they are.
    private static func hint(octets measure: Measure) -> String? {
        var unit = measure.unit
        if unit.hasSuffix("/s") || unit.hasSuffix("ps") { unit = unit.dropLast(2) }
        let names = ["B", "byte", "bytes", "Byte", "Bytes", "octet", "octets"]
        guard let name = names.first(where: unit.hasSuffix) else { return nil }
        let exponents = ["": 0, "k": 3, "K": 3, "M": 6, "G": 9]
        let what = "rates are of packets or bits"
        guard let exponent = exponents[String(unit.dropLast(name.utf8.count))] else { return what }
        let bits = BitRate(perSecond: measure.scaled(byTenTo: exponent) * 8)
        return BitRate.range.contains(bits.perSecond) ? "\(what), and so many octets are \"\(bits)\"" : what
    }
}
