extension Finding {
    /// A line of a table on the terminal, of a finding beside a peer.
    public var line: String {
        let line = name.padded(32) + apus.spread
        guard let peer, let timeRatio else { return line }
        return line + "  " + peer.spread + " " + peer.name.padded(12) + timeRatio.text
    }

    /// What stands above the lines.
    public static var heading: String {
        "".padded(32) + "Apus".padded(18) + "beside".padded(31) + "Apus' time over the other's, 95 %"
    }
}

extension Finding.Figures {
    fileprivate var spread: String {
        let width = (upperQuartile - lowerQuartile) / nanoseconds / 2
        return fixed(nanoseconds, 2).padded(8, atStart: true) + " ns ±"
            + fixed(width * 100, 0).padded(2, atStart: true) + " %"
    }
}

/// A number and what it counts: `1 target`, `2 targets`.
public func counted(_ count: Int, _ one: String, _ many: String) -> String {
    "\(count) \(count == 1 ? one : many)"
}

/// A number with so many decimals.
func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    var digits = String(Int((abs(value) * (0..<decimals).reduce(1) { power, _ in power * 10 }).rounded()))
    digits = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
    let sign = value < 0 && digits.contains { $0 != "0" } ? "-" : ""
    let (whole, fraction) = (digits.dropLast(decimals), digits.suffix(decimals))
    return sign + whole + (decimals > 0 ? "." + fraction : "")
}

extension String {
    func padded(_ width: Int, atStart: Bool = false) -> String {
        let space = String(repeating: " ", count: max(atStart ? 0 : 1, width - count))
        return atStart ? space + self : self + space
    }
}
