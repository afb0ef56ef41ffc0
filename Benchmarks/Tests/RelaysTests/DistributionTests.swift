import Relays
import Testing

@Suite struct DistributionTests {
    @Test func percentiles() {
        let pairs = Distribution.of((0...10_000).reversed().map(Double.init))
        #expect(pairs.contains([5000, 0.5]))
        #expect(pairs.contains([9900, 0.99]))
        #expect(pairs.contains([9990, 0.999]))
        #expect(pairs.last == [10_000, 1])
    }

    @Test(arguments: [[3.0], [1, 2], [5, 5, 5, 9]]) func bothRise(values: [Double]) {
        let pairs = Distribution.of(values)
        for (one, next) in zip(pairs, pairs.dropFirst()) { #expect(one[0] <= next[0] && one[1] < next[1]) }
    }
}
