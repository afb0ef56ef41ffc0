import CLinux
import Glibc

/// The counter and the system's clocks at one moment.
struct ClockSample: Sendable, BitwiseCopyable {
    var counter: UInt64 = 0
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    var monotonic: UInt64 = 0
    /// `CLOCK_REALTIME` less that.
    var wallOffset: UInt64 = 0
    /// How long it took, in nanoseconds: the readings are of one moment within half of it.
    var width: UInt64 = 0

    /// A look at the clocks: `CLOCK_MONOTONIC` is read before and after the others.
    static func one() -> ClockSample {
        let first = apus_clock(CLOCK_MONOTONIC)
        let wall = apus_clock(CLOCK_REALTIME)
        let counter = apus_tsc_ordered()
        let second = apus_clock(CLOCK_MONOTONIC)
        let middle = first &+ (second &- first) / 2
        return ClockSample(
            counter: counter, monotonic: middle, wallOffset: wall &- middle, width: second &- first)
    }

    /// The quickest of eight looks, if that took less than 20 µs, which it does unless the thread was interrupted in each.
    static func best() -> ClockSample? {
        var best: ClockSample?
        for _ in 0..<8 {
            let sample = one()
            if sample.width < best?.width ?? 20_000 { best = sample }
        }
        return best
    }

    /// Nanoseconds a tick since an earlier one, times 2⁴⁸.
    func rate(since earlier: ClockSample) -> UInt64 {
        let (time, ticks) = (monotonic &- earlier.monotonic, counter &- earlier.counter)
        // Of a counter that is slower than 65 µs a tick or did not move nothing can be made.
        let (high, low) = (time &>> (64 &- WorkerClock.shift), time &<< WorkerClock.shift)
        return high < ticks ? ticks.dividingFullWidth((high, low)).quotient : .max &>> 1
    }
}
