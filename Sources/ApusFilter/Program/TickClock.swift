import ApusHost
import ApusXDP
import CFilter
import Glibc

/// The clock of the kernel's ticks (jiffies) as nanoseconds of CLOCK_MONOTONIC: to read it is a look at a variable, where
/// the other one takes longer than all the rest of a limit. It is behind by up to a tick, never ahead.
///
/// By it a limit lets through what it should, but for what comes within a tick: over any time up to as much more as its
/// rate allows in one. So it is used where ticks are short, and short beside all bursts.
struct TickClock {
    /// Nanoseconds between ticks.
    let tick: UInt64
    /// What CLOCK_MONOTONIC was when there had been no ticks, modulo 2^64.
    let zero: UInt64

    /// The longest ticks that will do, as most kernels have (CONFIG_HZ=250), in nanoseconds: over a second a limit is exact
    /// to 0.4 % with them.
    static let longest = 4_000_000
    /// A burst has to last so many: what is not known of the time is small beside it, also where a virtual machine's clock
    /// stands still for some of them.
    static let ticksOfBurst: UInt64 = 20

    /// Reads both clocks. Nil where ticks are too long, not exact enough for limits, or not to be relied on.
    static func read(for limits: [apus_limit] = []) throws(BPFError) -> TickClock? {
        guard let tick = resolution(CLOCK_MONOTONIC_COARSE), (1...longest).contains(tick),
            isEnough(UInt64(tick), for: limits), areReliable
        else { return nil }
        let object = try BPFObject(FilterClockProgram.object, name: name)
        try object.load()
        let clocks: BPFMap<UInt32, apus_clocks> = try object.map("apus_both")
        var zeros: [UInt64] = []
        for _ in 0..<4 {
            _ = try object.program(name).run(on: [UInt8](repeating: 0, count: 64))
            guard let both = try clocks.value(of: 0), both.ticks != 0 else {
                throw BPFError(
                    "reading the clock of the kernel's ticks", code: EINVAL, detail: "it gave no time")
            }
            zeros.append(both.now &- both.ticks &* UInt64(tick))
        }
        // Where a virtual machine stood still between the two it is too small by as much.
        let zero = zeros.max { Int64(bitPattern: $0 &- zeros[0]) < Int64(bitPattern: $1 &- zeros[0]) }!
        return TickClock(tick: UInt64(tick), zero: zero)
    }

    /// Without timers of high resolution ticks can get lost; and where CPUs do without ticks while they are busy
    /// (`nohz_full`) those of another one may come late by any time.
    private static var areReliable: Bool {
        let tickless = contents(of: "/sys/devices/system/cpu/nohz_full") ?? ""
        return resolution(CLOCK_MONOTONIC) == 1 && !tickless.contains(where: \.isNumber)
    }

    /// In nanoseconds; nil from a second on.
    private static func resolution(_ clock: clockid_t) -> Int? {
        var resolution = timespec()
        // Sound: it is written by the call.
        return unsafe clock_getres(clock, &resolution) == 0 && resolution.tv_sec == 0
            ? resolution.tv_nsec : nil
    }

    static func isEnough(_ tick: UInt64, for limits: [apus_limit]) -> Bool {
        let least = (tick * ticksOfBurst) << UInt64(APUS_FILTER_TIME_SHIFT)
        return limits.allSatisfy { limit in
            (limit.flags & APUS_LIMIT_PACKETS.rawValue == 0 || limit.packet_room >= least)
                && (limit.flags & APUS_LIMIT_BITS.rawValue == 0 || limit.octet_room >= least)
        }
    }

    private static let name = "apus_clock"
}
