import Glibc

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

    /// An interval that holds the median of what the values are drawn from, whatever that looks like: from one of the
    /// smallest values to the one of the same rank among the largest, as near to each other as a confidence of 95 %
    /// leaves them. Of fewer than six values it goes from the smallest to the largest.
    ///
    /// It holds the median unless too few of the values lie to one side of it, of which each does with a chance of one
    /// half; so the confidence, which is given too, is exact for values that are independent of each other.
    public static func medianInterval(_ values: [Double]) -> (range: ClosedRange<Double>, confidence: Double)
    {
        let (sorted, count) = (values.sorted(), values.count)
        // How likely no more than so many lie to one side: the binomial distribution, by logarithms, as 2^-n is 0 for
        // thousands of values.
        var (rank, term) = (0, -Double(count) * log(2))
        var outside = exp(term)
        while true {
            term += log(Double(count - rank) / Double(rank + 1))
            let more = outside + exp(term)
            guard 1 - 2 * more >= 0.95 else { break }
            (rank, outside) = (rank + 1, more)
        }
        return (sorted[rank]...sorted[count - 1 - rank], 1 - 2 * outside)
    }
}
