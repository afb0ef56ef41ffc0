import Glibc

/// From values to places along an axis.
struct Scale {
    /// The values at both ends, and where those are.
    let values: ClosedRange<Double>
    let places: (start: Double, end: Double)
    let isLogarithmic: Bool

    /// A linear scale from 0, up to a round number.
    init(linearTo most: Double, _ places: (start: Double, end: Double)) {
        let step = Self.step(most)
        values = 0...max(step, (most / step).rounded(.up) * step)
        (self.places, isLogarithmic) = (places, false)
    }

    /// A scale of logarithms.
    init(logarithmic values: ClosedRange<Double>, _ places: (start: Double, end: Double)) {
        let low = max(values.lowerBound, 1e-12)
        self.values = low...max(values.upperBound, low * 1.0001)
        (self.places, isLogarithmic) = (places, true)
    }

    func callAsFunction(_ value: Double) -> Double {
        let value = min(max(value, values.lowerBound), values.upperBound)
        let share =
            isLogarithmic
            ? log(value / values.lowerBound) / log(values.upperBound / values.lowerBound)
            : (value - values.lowerBound) / (values.upperBound - values.lowerBound)
        return places.start + (places.end - places.start) * share
    }

    /// Round values to mark: of a logarithmic scale the powers of ten, or 1, 2 and 5 times those if there are few.
    var ticks: [Double] {
        guard isLogarithmic else {
            let step = Self.step(values.upperBound)
            return (0...Int((values.upperBound / step).rounded())).map { Double($0) * step }
        }
        let powers =
            (Int(log10(values.lowerBound).rounded(.down))...Int(log10(values.upperBound).rounded(.up)))
            .map { pow(10, Double($0)) }
        let decades = log10(values.upperBound / values.lowerBound)
        let all = decades > 3 ? powers : powers.flatMap { [$0, 2 * $0, 5 * $0] }
        return all.filter { $0 >= values.lowerBound * 0.999 && $0 <= values.upperBound * 1.001 }
    }

    /// A round step that divides `most` in about four.
    private static func step(_ most: Double) -> Double {
        guard most > 0 else { return 1 }
        let rough = most / 4
        let power = pow(10, log10(rough).rounded(.down))
        return [1, 2, 2.5, 5, 10].first { $0 * power >= rough }! * power
    }
}

/// A number as an axis shows it: no more digits than it has, and none that no one needs.
func short(_ value: Double) -> String {
    if value != 0, abs(value) < 0.001 { return "\(value)" }
    let text = fixed(value, abs(value) >= 100 ? 0 : 3)
    guard text.contains(".") else { return text }
    let trimmed = text.reversed().drop { $0 == "0" }.drop { $0 == "." }
    return String(trimmed.reversed())
}
