import CLinux
import Glibc

/// What a ``WorkerClock`` reads.
public enum ClockSource: String, Sendable {
    /// The time-stamp counter.
    case timeStampCounter = "tsc"
    /// clock_gettime(2).
    case system

    /// The time-stamp counter where it can be a clock, else the system's.
    ///
    /// It can be on x86, where the processor says that it neither stops nor changes its rate (invariant: `constant_tsc` and
    /// `nonstop_tsc` in /proc/cpuinfo) and the kernel has not found those of two cores apart, which strikes `tsc` off
    /// /sys/devices/system/clocksource/clocksource0/available_clocksource. Elsewhere the C library reads a counter of
    /// the processor itself (vDSO), so that there is less to gain. Looked at once.
    public static let best: ClockSource =
        apus_tsc_is_invariant() && kernelTrustsCounter() ? .timeStampCounter : .system

    /// Also where the list can't be read, as in some containers: the processor's word has to do then.
    private static func kernelTrustsCounter() -> Bool {
        let file = unsafe open("/sys/devices/system/clocksource/clocksource0/available_clocksource", O_RDONLY)
        guard file >= 0 else { return true }
        defer { close(file) }
        var text = [UInt8](repeating: 0, count: 256)
        let size = text.count
        // Sound: so many bytes are there.
        let count = unsafe read(file, &text, size)
        guard count > 0 else { return true }
        return text[..<count].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .contains { $0.elementsEqual("tsc".utf8) }
    }
}
