/// Searches for the highest rate of one of two competitors, a new search each round.
struct RateSearch {
    private var guess: Double
    private(set) var samples: [Double] = []
    private var isAtLeast = false
    /// What moves or guards its packets.
    var grant = ""

    /// One that begins there.
    init(guess: Double) { self.guess = guess }

    /// That, and whether the sender was the limit.
    var backend: String { isAtLeast ? "\(grant); at least, the sender had no more" : grant }

    /// Searches once, and keeps the nanoseconds a packet at the rate that was found.
    mutating func run(
        floor: Double = Bisection().floor, _ progress: (String) -> Void,
        _ trial: (_ rate: Double) throws -> Bisection.Trial
    ) throws {
        var bisection = Bisection()
        bisection.floor = floor
        if !samples.isEmpty { bisection.step = 1.15 }
        // Not from where the last one ended, so that they do not find the same.
        let result = try bisection.search(from: max(floor, guess * .random(in: 0.8...1.25))) { rate in
            progress("\(Int(rate)) a second")
            return try trial(rate)
        }
        guess = result.rate
        samples.append(1e9 / result.rate)
        isAtLeast = isAtLeast || result.isAtLeast
    }
}
