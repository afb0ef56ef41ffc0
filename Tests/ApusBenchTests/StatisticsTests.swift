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

    /// As tables of the sign test have them: the sums of the binomial distribution.
    @Test(
        arguments: [
            (1, 1, 0), (2, 1, 0.5), (5, 1, 0.9375), (6, 1, 0.96875), (8, 1, 0.9921875), (9, 2, 0.9609375),
            (12, 3, 0.9614258), (25, 8, 0.9567147), (100, 40, 0.9647998),
        ] as [(Int, Int, Double)])
    func `The interval is between two values of the same rank, as near as 95 % leaves them`(
        _ count: Int, _ rank: Int, _ confidence: Double
    ) {
        let interval = Statistics.medianInterval((1...count).map { Double($0) }.reversed())
        #expect(interval.range == Double(rank)...Double(count + 1 - rank))
        #expect(abs(interval.confidence - confidence) < 1e-6, "\(interval.confidence)")
    }

    @Test func `Thousands of values have an interval too, near that of the normal distribution`() {
        let interval = Statistics.medianInterval((1...10_000).map { Double($0) })
        #expect(abs(interval.range.lowerBound - (5000 - 1.96 * 50)) < 3)
        #expect(interval.confidence >= 0.95 && interval.confidence < 0.955)
    }

    /// The promise of an interval: of many samples of one distribution, the share that it says holds the true
    /// median, whatever the distribution.
    @Test(arguments: [2, 6, 9, 40]) func `It holds the true median as often as it says`(_ count: Int) {
        var state: UInt64 = 1
        func random() -> Double {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Double(state >> 33) / Double(1 << 31)
        }
        var confidence = 0.0
        let held = (0..<4000).count { _ in
            // The product of two is skewed; its median is where x(1 - ln x) = 1/2.
            let interval = Statistics.medianInterval((0..<count).map { _ in random() * random() })
            confidence = interval.confidence
            return interval.range.contains(0.186682)
        }
        // Four standard deviations.
        #expect(abs(Double(held) / 4000 - confidence) < 4 * 0.5 / 63, "\(held) of 4000")
    }
}
