public import CLinux
import Glibc

/// The time as one thread reads it, many times a millisecond: monotonic and wall-clock, in nanoseconds.
///
/// Where it can, it reads the processor's time-stamp counter, multiplies, shifts and adds, as the kernel does; see
/// ``ClockSource/best``. What the counter is worth is measured against `CLOCK_MONOTONIC` in ``recalibrate()``, which its
/// owner calls now and then, once a second or oftener: no thread does it, and no lock is needed, since a clock belongs
/// to one thread.
///
/// **It never goes back**, and goes at half to twice the measured rate: what it is ahead it makes up for by going slower.
/// It jumps only ahead, at a calibration, by what it lags behind, and only if that is more than ``largestSlew``, as after
/// a suspension in which the counter stood still.
///
/// **Error.** As long as ``recalibrate(at:)`` is called in time, it differs from `CLOCK_MONOTONIC` by no more than twice
/// the time of one look at both clocks, of which the quickest of eight counts (some 0.2 µs; with a system clock that is
/// slow to read, as HPET, microseconds), and by what the rate of that has changed by since the calibration before: NTP
/// changes it by 500 ppm at most, once it is in step by less than 1 ppm, which is 1 µs. Wall-clock time follows a step of
/// the system's with the next calibration: within ``calibrationInterval`` and what its owner is late.
///
/// **Cost** of reading: one RDTSC, a multiplication and some additions, 10 ns where clock_gettime(2), which reads the same
/// counter behind a fence, takes 23 ns (EPYC, virtual machine; the tests print both).
public struct WorkerClock: ~Copyable, Sendable {
    /// What it reads.
    public let source: ClockSource

    /// `time + (counter - base) * multiplier >> shift` is the time: the counter is followed from the last calibration on.
    @usableFromInline var base: UInt64 = 0
    @usableFromInline var time: UInt64 = 0
    /// Nanoseconds a tick, times 2⁴⁸: at 1 GHz and more that is 2⁻⁴⁷ near, and a tick may be 65 µs long.
    @usableFromInline var multiplier: UInt64 = 0
    /// Wall-clock less monotonic time.
    @usableFromInline var wallOffset: UInt64 = 0

    /// The system's clocks at the last calibration.
    private var last = ClockSample()
    /// The measured nanoseconds a tick, times 2⁴⁸: the multiplier but for what it makes up for.
    private var rate: UInt64 = 0
    private var interval: UInt64 = firstInterval
    /// When the next calibration is due, in monotonic time.
    public private(set) var nextCalibration: UInt64

    /// How many looks at the clocks were given up because the thread was interrupted in each.
    public private(set) var failedCalibrations: UInt64 = 0

    @usableFromInline static var shift: UInt64 { 48 }

    /// The longest time from one calibration to the one that is due next, in nanoseconds. The first come sooner, each
    /// after twice the time of the one before, as a rate is known the better the longer it was measured.
    public static var calibrationInterval: UInt64 { 1_000_000_000 }
    /// The first of them.
    private static var firstInterval: UInt64 { 2_000_000 }
    /// By how much the clock may lag behind, in nanoseconds, and still make it up by running faster.
    public static var largestSlew: UInt64 { 1_000_000 }

    /// Measures the counter for 1 ms, in which the thread spins; with the system's clock it takes no time.
    ///
    /// - Parameter source: what to read, which must be there: for comparisons and tests.
    public init(_ source: ClockSource = .best) {
        self.source = source
        guard source == .timeStampCounter else {
            nextCalibration = .max
            return
        }
        let first = ClockSample.best() ?? ClockSample.one()
        while apus_clock(CLOCK_MONOTONIC) &- first.monotonic < 1_000_000 { apus_relax() }
        let second = ClockSample.best() ?? ClockSample.one()
        nextCalibration = 0
        restart(second, rate: second.rate(since: first))
    }

    /// Begins at a look at the clocks.
    mutating func restart(_ sample: ClockSample, rate: UInt64) {
        (last, self.rate, interval) = (sample, rate, Self.firstInterval)
        (base, time, multiplier) = (sample.counter, sample.monotonic, rate)
        wallOffset = sample.wallOffset
        nextCalibration = sample.monotonic &+ interval
    }

    /// Nanoseconds since some moment, of the same scale as `CLOCK_MONOTONIC`.
    @inlinable @inline(__always)
    public var monotonic: UInt64 {
        source == .timeStampCounter ? reading(at: apus_tsc()) : apus_clock(CLOCK_MONOTONIC)
    }

    /// Nanoseconds since 1970.
    @inlinable @inline(__always)
    public var realtime: UInt64 {
        source == .timeStampCounter ? reading(at: apus_tsc()) &+ wallOffset : apus_clock(CLOCK_REALTIME)
    }

    /// What it shows when the counter stands there.
    @inlinable @inline(__always)
    func reading(at counter: UInt64) -> UInt64 {
        // The counter of a core that the thread has come to may be some ticks behind, and so before the last calibration.
        let ticks = UInt64(max(0, Int64(bitPattern: counter &- base)))
        let product = ticks.multipliedFullWidth(by: multiplier)
        return time &+ (product.high &<< (64 &- Self.shift) | product.low &>> Self.shift)
    }

    /// Holds it against the system's clocks, if that is due: a comparison if not, else some microseconds, by system
    /// calls where the C library can't do without.
    ///
    /// - Parameter now: the monotonic time that was just read.
    @inlinable @inline(__always)
    public mutating func recalibrate(at now: UInt64) {
        if _slowPath(now >= nextCalibration) { recalibrate() }
    }

    /// Holds it against the system's clocks. Does nothing where it reads those.
    @inline(never)
    public mutating func recalibrate() {
        guard source == .timeStampCounter else { return }
        guard let sample = ClockSample.best() else {
            failedCalibrations &+= 1
            nextCalibration = reading(at: apus_tsc()) &+ interval
            return
        }
        follow(sample)
    }

    /// Takes up what was measured. Apart, so that tests can say what was.
    mutating func follow(_ sample: ClockSample) {
        let shown = reading(at: sample.counter)
        measure(sample)
        base = sample.counter
        if sample.monotonic > shown, sample.monotonic &- shown > Self.largestSlew {
            (time, multiplier) = (sample.monotonic, rate)
        } else {
            time = shown
            multiplier = slewed(by: Int64(bitPattern: sample.monotonic &- shown))
        }
        // Both clocks of the system run at one rate, so what they differ by only changes in steps.
        let step = Int64(bitPattern: sample.wallOffset &- wallOffset)
        if step.magnitude > sample.width { wallOffset = sample.wallOffset }
        nextCalibration = time &+ interval
    }

    /// Takes the rate since the last calibration for that of the time to the next one.
    private mutating func measure(_ sample: ClockSample) {
        guard sample.counter > last.counter, sample.monotonic > last.monotonic else {
            // Another machine, with a counter that began later.
            (last, interval) = (sample, Self.firstInterval)
            return
        }
        // One that was measured for a shorter time than before would be less sure.
        guard sample.monotonic &- last.monotonic >= interval / 2 else { return }
        let measured = sample.rate(since: last)
        last = sample
        // NTP changes it by half of this at most. More is a counter that stood still or was set: a rate of some
        // milliseconds will tell, and is believed.
        let change = measured > rate ? measured &- rate : rate &- measured
        if change > rate / 1000, interval > Self.firstInterval {
            interval = Self.firstInterval
        } else {
            rate = measured
            interval = min(2 &* interval, Self.calibrationInterval)
        }
    }

    /// The rate that makes up for an error until the next calibration, or goes half or twice as fast if it can't.
    private func slewed(by error: Int64) -> UInt64 {
        let span = Int64(interval)
        let bounded = max(-span / 2, min(span, error))
        let change = rate.multipliedFullWidth(by: bounded.magnitude)
        let amount = UInt64(span).dividingFullWidth(change).quotient
        return bounded < 0 ? rate &- amount : rate &+ amount
    }
}
