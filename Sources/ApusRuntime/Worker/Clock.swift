import CLinux
import Glibc

/// The clocks a worker reads: through the vDSO, so without a system call.
enum Clock {
    /// Nanoseconds since 1970.
    static var realtime: UInt64 { read(CLOCK_REALTIME) }

    /// Nanoseconds since some moment, never set back.
    static var monotonic: UInt64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe _ = clock_gettime(clock, &time)
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000
            &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }
}
