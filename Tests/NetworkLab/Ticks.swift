import Glibc

/// What a filter that goes by these ticks of the kernel's takes the time of CLOCK_MONOTONIC to be, at the earliest: as late as
/// the last tick, and by one more, to which it knows their beginning. A machine that stands still has no ticks meanwhile.
/// Without ticks it is the time.
public func earliestTime(ofTicks tick: UInt64?) -> UInt64 {
    guard let tick else { return monotonicNanoseconds }
    var last = timespec()
    // Sound: it is written by the call.
    guard unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &last) == 0 else { return monotonicNanoseconds }
    return UInt64(last.tv_sec) * 1_000_000_000 + UInt64(last.tv_nsec) - tick
}
