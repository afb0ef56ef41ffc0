/// Looks for the highest rate at which nothing is lost.
///
/// In steps up or down from a guess until one rate has passed and another has not, then between these two, each time
/// at their geometric mean, until they are as close as asked for. Where the sender can't offer what it is asked for
/// and nothing is lost, it is the limit. A trial with loss is repeated, since on a shared machine something else may
/// have cost a packet; it counts when all attempts have lost some.
package struct Bisection: Sendable {
    /// What one trial was.
    package struct Trial: Sendable {
        /// Packets a second that were really offered.
        package var offered: Double
        /// Packets that did not arrive.
        package var lost: Int

        package init(offered: Double, lost: Int) { (self.offered, self.lost) = (offered, lost) }
    }

    /// What was found.
    package struct Result: Sendable, Equatable {
        /// Packets a second: the highest that were offered and all arrived.
        package var rate: Double
        /// Whether the sender could not offer more, so that the rate is "at least".
        package var isAtLeast: Bool
        /// How many trials it took, repeated ones with them.
        package var trials: Int
    }

    /// It found no rate at all.
    package struct Hopeless: Error, CustomStringConvertible {
        package let rate: Double
        package var description: String {
            "packets are lost even at \(Int(rate)) a second: the relay does not work, or the machine is too busy"
        }
    }

    /// How close the rate that passed and the one that did not are at the end, as a share.
    package var resolution = 0.03
    /// How often a trial is made at most until its loss counts.
    package var attempts = 3
    /// Below this many a second it gives up.
    package var floor = 2000.0
    /// The factor of the first steps: large for a rough guess, small for one that was found before.
    package var step = 1.4

    /// A sender that offers less than this share of what it is asked for has no more.
    private static var exhausted: Double { 0.85 }

    package init() {}

    /// Searches.
    ///
    /// - Parameters:
    ///   - guess: a rate that may pass, such as what was found before.
    ///   - trial: offers packets at a rate.
    package func search(from guess: Double, _ trial: (_ rate: Double) throws -> Trial) throws -> Result {
        var result = Result(rate: 0, isAtLeast: false, trials: 0)
        func passes(_ rate: Double) throws -> Bool {
            for _ in 0..<attempts {
                let one = try trial(rate)
                result.trials += 1
                guard one.lost == 0 else { continue }
                result.rate = max(result.rate, one.offered)
                result.isAtLeast = one.offered < rate * Self.exhausted
                return true
            }
            return false
        }
        var (low, high) = (0.0, Double.infinity)
        var rate = guess
        while low == 0 {
            guard rate >= floor else { throw Hopeless(rate: rate) }
            if try passes(rate) { low = rate } else { high = rate }
            rate /= step
        }
        while high > low * step * 1.1, !result.isAtLeast {
            rate = low * step
            if try passes(rate) { low = rate } else { high = rate }
        }
        while high > low * (1 + resolution), !result.isAtLeast {
            rate = (low * high).squareRoot()
            if try passes(rate) { low = rate } else { high = rate }
        }
        return result
    }
}
