/// Figures over the rounds of a measurement.
public enum Statistics {
    /// The value below which a share of the values lies, between neighbors in proportion (type 7 of Hyndman
    /// and Fan, as R and NumPy have it). There must be at least one value, and `share` is 0 to 1.
    public static func quantile(_ share: Double, ofSorted values: [Double]) -> Double {
        let position = share * Double(values.count - 1)
        let below = Int(position)
        guard below + 1 < values.count else { return values[below] }
        return values[below] + (values[below + 1] - values[below]) * (position - Double(below))
    }

    /// The middle value, or the mean of the two in the middle. There must be at least one value.
    public static func median(_ values: [Double]) -> Double { quantile(0.5, ofSorted: values.sorted()) }

    /// A confidence interval of the median, by the percentile bootstrap: values are drawn with replacement as
    /// often as there are any, and the interval holds that share of the medians of the draws.
    ///
    /// The draws are the same for the same number of values, so that a result can be computed again.
    public static func medianInterval(
        _ values: [Double], confidence: Double = 0.95, draws: Int = 1000
    ) -> ClosedRange<Double> {
        var random = SplitMix64(state: 0x4170_7573)
        var drawn = values
        let medians = (0..<draws).map { _ in
            for place in drawn.indices { drawn[place] = values[Int(random.next() % UInt64(values.count))] }
            return median(drawn)
        }.sorted()
        let outside = (1 - confidence) / 2
        return quantile(outside, ofSorted: medians)...quantile(1 - outside, ofSorted: medians)
    }
}

/// Vigna's SplitMix64: small, and the same numbers each time.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
