import CMeter
import Glibc

/// What times are taken with: the time-stamp counter where it runs at one speed always, else the clock.
public struct Stopwatch: Sendable {
    /// Nanoseconds a tick of the counter; `nil` when the clock is used.
    public let nanosecondsPerTick: Double?
    private let instructionCounter: Int32

    /// Looks at the machine, and compares the counter with the clock for a tenth of a second.
    ///
    /// To be made on the thread that measures, and once for all that it measures: the counter of instructions stays open
    /// for as long as the process.
    public init() {
        let flags = cpuInformation("flags").split(separator: " ")
        instructionCounter = meter_instructions()
        guard flags.contains("constant_tsc"), flags.contains("nonstop_tsc"), meter_tsc() != 0 else {
            nanosecondsPerTick = nil
            return
        }
        let (start, ticks) = (Self.clock, meter_tsc())
        while Self.clock - start < 100_000_000 {}
        nanosecondsPerTick = Double(Self.clock - start) / Double(meter_tsc() - ticks)
    }

    /// Whether instructions are counted too.
    private var countsInstructions: Bool { instructionCounter >= 0 }

    static var clock: UInt64 { clock_gettime_nsec(CLOCK_MONOTONIC_RAW) }

    /// Nanoseconds and instructions that `body` takes.
    @inline(never)
    public func measure(_ body: () throws -> Void) rethrows -> (nanoseconds: Double, instructions: Double?) {
        let before = countsInstructions ? meter_read(instructionCounter) : 0
        let nanoseconds: Double
        if let nanosecondsPerTick {
            let start = meter_tsc()
            try body()
            nanoseconds = Double(meter_tsc() - start) * nanosecondsPerTick
        } else {
            let start = Self.clock
            try body()
            nanoseconds = Double(Self.clock - start)
        }
        return (
            nanoseconds, countsInstructions ? Double(meter_read(instructionCounter) - before) : nil
        )
    }
}

func clock_gettime_nsec(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    unsafe _ = clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
