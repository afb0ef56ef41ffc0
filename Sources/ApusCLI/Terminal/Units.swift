/// Figures as people read them: three digits and a prefix.
enum Units {
    /// `0 packets/s`, `950 packets/s`, `12.3 k packets/s`, `1.49 M packets/s`.
    static func packetRate(_ perSecond: Double) -> String { rate(perSecond, " packets/s") }

    /// `0 bit/s`, `128 kbit/s`, `9.87 Gbit/s`.
    static func bitRate(_ perSecond: Double) -> String { rate(perSecond, "bit/s") }

    /// `0`, `950`, `12.3 k`: a rate whose unit stands elsewhere.
    static func perSecond(_ value: Double) -> String { String(rate(value, " ").dropLast()) }

    /// Three significant digits: `0.25`, `12.3`, `1234`.
    static func decimal(_ value: Double) -> String { digits(value) }

    /// `512 B`, `1.50 KiB`, `16.0 GiB`.
    static func bytes(_ count: Int) -> String {
        let (value, prefix) = scaled(Double(count), step: 1024, ["", "Ki", "Mi", "Gi", "Ti", "Pi"])
        return prefix.isEmpty ? "\(count) B" : "\(digits(value)) \(prefix)B"
    }

    /// `0`, `999`, `1,234,567`.
    static func count(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `0.00 %`, `12.5 %`, `100 %`.
    static func percent(_ fraction: Double) -> String { "\(digits(fraction * 100)) %" }

    /// A unit's prefix stands before it without a space; packets are no unit, and bring a space along.
    private static func rate(_ value: Double, _ unit: String) -> String {
        let (scaled, prefix) = scaled(value, step: 1000, ["", "k", "M", "G", "T"])
        if !prefix.isEmpty { return "\(digits(scaled)) \(prefix)\(unit)" }
        let isSmallFraction = value < 10 && value != value.rounded()
        let number = isSmallFraction ? digits(scaled) : "\(Int(scaled.rounded()))"
        return unit.first == " " ? number + unit : "\(number) \(unit)"
    }

    /// The value divided until it is below the step, as it will be shown: 999.7 is 1.00 k, not 1000.
    private static func scaled(_ value: Double, step: Double, _ prefixes: [String]) -> (Double, String) {
        guard value.isFinite else { return (0, "") }
        var (value, index) = (value, 0)
        while abs(value) >= step - 0.5, index + 1 < prefixes.count {
            value /= step
            index += 1
        }
        return (value, prefixes[index])
    }

    /// Three significant digits: `1.23`, `12.3`, `123`.
    private static func digits(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let magnitude = abs(value)
        let decimals = magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0
        let factor = [1.0, 10, 100][decimals]
        let scaled = Int((magnitude * factor).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard decimals > 0 else { return "\(sign)\(scaled)" }
        let fraction = String(scaled % Int(factor))
        return
            "\(sign)\(scaled / Int(factor)).\(String(repeating: "0", count: decimals - fraction.count))\(fraction)"
    }
}
