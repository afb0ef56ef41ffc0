import CLinux
import Glibc

/// The clocks a worker reads: through the vDSO, so without a system call.
enum Clock {
    /// Nanoseconds since 1970.
    static var realtime: UInt64 { read(CLOCK_REALTIME) }

    /// Nanoseconds since some moment, never set back.
    static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }

    // In C: Swift guards the stack of a function that gives away a pointer to it, also of that which this is inlined in.
    @inline(__always)
    private static func read(_ clock: clockid_t) -> UInt64 { apus_clock(clock) }
}
