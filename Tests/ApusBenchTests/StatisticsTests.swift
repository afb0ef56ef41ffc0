import ApusBench
import Testing

@Suite("Statistics")
struct StatisticsTests {
    @Test(
        arguments: [
            ([3.0], 3.0), ([5, 1, 3], 3), ([4, 1, 3, 2], 2.5), ([1, 1, 1, 1_000_000], 1),
        ] as [([Double], Double)])
    func `The median is the middle value, whatever the order and the outliers`(
        _ values: [Double], _ median: Double
    ) {
        #expect(Statistics.median(values) == median)
    }

    /// As NumPy's `quantile` gives them.
    @Test(arguments: [(0, 1.0), (0.25, 1.75), (0.5, 2.5), (0.9, 3.7), (1, 4)] as [(Double, Double)])
    func `Quantiles lie between neighbors in proportion`(_ share: Double, _ value: Double) {
        #expect(abs(Statistics.quantile(share, ofSorted: [1, 2, 3, 4]) - value) < 1e-12)
    }

    @Test func `The interval of equal values is that value`() {
        #expect(Statistics.medianInterval([2, 2, 2, 2, 2]) == 2...2)
    }

    @Test func `The interval is the same each time, and narrower with more values`() {
        let some = (0..<21).map { Double($0 * 37 % 21) }
        let more = (0..<21 * 16).map { Double($0 * 37 % 336) / 16 }
        let (few, many) = (Statistics.medianInterval(some), Statistics.medianInterval(more))
        #expect(few == Statistics.medianInterval(some))
        #expect(few.contains(10) && many.contains(10.4))
        // Its width falls with the root of the number.
        let shrunk = (few.upperBound - few.lowerBound) / (many.upperBound - many.lowerBound)
        #expect(shrunk > 2.5 && shrunk < 6)
    }

    /// The promise of an interval: of many samples of one distribution, the share that it says holds the true
    /// median. The percentile bootstrap comes a little below it with few values.
    @Test func `An interval of 95 % holds the true median about as often`() {
        var state: UInt64 = 1
        func random() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 31)
        }
        let held = (0..<300).count { _ in
            // The product of two is skewed; its median is where x(1 - ln x) = 1/2.
            let sample = (0..<40).map { _ in random() * random() }
            return Statistics.medianInterval(sample, draws: 300).contains(0.186682)
        }
        #expect(held >= 270 && held <= 297, "\(held) of 300")
    }
}
