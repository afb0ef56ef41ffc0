/// Measures the clock rate of a source: timestamp advance over time passed.
///
/// Frames of video come in bursts that share a timestamp, are paced, and with B-frames come out of their
/// order in time. So only the first packet of each timestamp is looked at, and what was measured over some
/// time counts when it is a usual rate and twice the time gives the same one. That takes two to four
/// seconds for most sources, longer for those that come in fits and starts.
@frozen
public struct ClockRateMeter: BitwiseCopyable, Sendable {
    // The rate over 10^9, as a fraction of 2^64.
    private(set) var multiplier: UInt64 = 0
    private(set) var originArrival: UInt64 = 0
    // How long after the origin the next look is taken, in nanoseconds.
    private(set) var wait: UInt64 = 0
    /// The rate in Hz; 0 while it is not known.
    public private(set) var rate: UInt32 = 0
    private(set) var lastTimestamp: UInt32 = 0
    // Packets before the measurement, then looks taken in it.
    private(set) var isPrimed = false
    private var isMeasuring = false
    private var looks: UInt8 = 0
    private var originTimestamp: UInt32 = 0
    // What the last look gave; 0 for nothing usual.
    private var candidate: UInt32 = 0

    /// Begins without a rate, or with one that is known and stays.
    public init(known rate: UInt32 = 0) {
        guard rate != 0 else { return }
        set(rate)
        wait = .max
    }

    /// Begins with a rate that holds until another one is measured; 0 for none.
    init(measuringFrom rate: UInt32) {
        if rate != 0 { set(rate) }
    }

    /// How long it measures before it looks for the first time, in nanoseconds.
    public static var period: UInt64 { 1_000_000_000 }

    /// How long it measures, once a rate is found, before it looks again, in nanoseconds: a source may change
    /// its payload type.
    public static var checkPeriod: UInt64 { 8_000_000_000 }

    private static var maximumLooks: UInt8 { 6 }
    private static var maximumPeriod: UInt64 { 3_600_000_000_000 }

    /// Takes note of a packet that arrived in order at `arrival`, in nanoseconds.
    ///
    /// A few instructions, and once in seconds a hundred.
    @inline(__always)
    public mutating func update(timestamp: UInt32, arrival: UInt64) {
        if timestamp == lastTimestamp && isPrimed { return }
        lastTimestamp = timestamp
        if _slowPath(arrival &- originArrival >= wait) { look(timestamp, arrival) }
    }

    /// Whether its rate is known, and is not measured.
    var isFixed: Bool { wait == .max }

    /// Goes on after packets of which none was due to be looked at.
    mutating func resume(lastTimestamp: UInt32) { self.lastTimestamp = lastTimestamp }

    /// A time in nanoseconds in units of the clock, modulo 2^32; 0 while the rate is not known.
    @inline(__always)
    public func ticks(_ time: UInt64) -> UInt32 { Self.ticks(time, multiplier) }

    /// The same of a clock with that ``multiplier``.
    @inline(__always)
    static func ticks(_ time: UInt64, _ multiplier: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: time.multipliedFullWidth(by: multiplier).high)
    }

    @inline(never)
    private mutating func look(_ timestamp: UInt32, _ arrival: UInt64) {
        guard !isFixed else { return }
        guard isMeasuring else {
            // The first packet seen may be the middle of a frame; the next timestamp begins one.
            if isPrimed { begin(timestamp, arrival) } else { isPrimed = true }
            return
        }
        let passed = arrival &- originArrival
        // Also when the arrival clock was put back.
        guard passed < Self.maximumPeriod else { return begin(timestamp, arrival) }
        let near = ClockRate.usual(near: Double(timestamp &- originTimestamp) * 1e9 / Double(passed))
        looks += 1
        if near != 0, near == candidate {
            set(near)
            begin(timestamp, arrival)
        } else if looks == Self.maximumLooks || rate != 0 && (near == 0 || near == rate) {
            begin(timestamp, arrival)
        } else {
            candidate = near
            wait = passed * 2
        }
    }

    private mutating func begin(_ timestamp: UInt32, _ arrival: UInt64) {
        isMeasuring = true
        (originTimestamp, originArrival, candidate, looks) = (timestamp, arrival, 0, 0)
        wait = rate == 0 ? Self.period : Self.checkPeriod
    }

    private mutating func set(_ rate: UInt32) {
        self.rate = rate
        multiplier = (1_000_000_000 as UInt64).dividingFullWidth((UInt64(rate), 0)).quotient
    }
}
