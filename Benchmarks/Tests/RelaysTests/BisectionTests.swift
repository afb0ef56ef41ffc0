import Relays
import Testing

/// A relay that carries up to `limit` packets a second, and a sender that has up to `most`.
private struct Model {
    let limit: Double
    var most = 600_000.0
    /// Which trials lose a packet that the relay is not to blame for.
    var isUnlucky: (Int) -> Bool = { _ in false }
    /// The sender offers a little less than it is asked for.
    var slowness = 0.98

    func search(from guess: Double) throws -> Bisection.Result {
        var trials = 0
        return try Bisection().search(from: guess) { rate in
            trials += 1
            let offered = min(rate * slowness, most)
            let lost = offered > limit ? Int(offered - limit) + 1 : isUnlucky(trials) ? 1 : 0
            return Bisection.Trial(offered: offered, lost: lost)
        }
    }
}

@Suite struct BisectionTests {
    @Test(arguments: [3000.0, 9000, 61_234, 250_000, 480_000], [5000.0, 50_000, 300_000, 1e6])
    func findsTheRate(limit: Double, guess: Double) throws {
        let result = try Model(limit: limit).search(from: guess)
        #expect(result.rate <= limit)
        #expect(result.rate >= limit * 0.95)
        #expect(!result.isAtLeast)
        #expect(result.trials < 80)
    }

    @Test func theSenderIsTheLimit() throws {
        let result = try Model(limit: 1e7, slowness: 1).search(from: 50_000)
        #expect(result.rate == 600_000 && result.isAtLeast && result.trials < 12)
    }

    /// Every third trial loses a packet by accident: attempts make up for that.
    @Test func accidents() throws {
        let result = try Model(limit: 60_000, isUnlucky: { $0 % 3 == 0 }).search(from: 20_000)
        #expect(result.rate <= 60_000)
        #expect(result.rate >= 57_000)
    }

    /// One of four trials, by chance, and a hundred searches: none finds too much, most find nearly all.
    @Test func chance() throws {
        var random = Generator(state: 7)
        let draws = (0..<100_000).map { _ in random.next() % 4 == 0 }
        var good = 0
        for start in 0..<100 {
            let model = Model(limit: 60_000, isUnlucky: { draws[start * 1000 + $0] })
            let rate = try model.search(from: 40_000).rate
            #expect(rate <= 60_000)
            if rate > 55_000 { good += 1 }
        }
        #expect(good > 80)
    }

    @Test func aRelayThatDoesNotWork() {
        #expect(throws: Bisection.Hopeless.self) { try Model(limit: 0).search(from: 50_000) }
    }
}

/// The same numbers each time (Knuth's MMIX constants).
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
