import ApusXDP
import CFilter
import Glibc

/// The clock of the kernel's ticks (jiffies) as nanoseconds of CLOCK_MONOTONIC: to read it is a look at a variable, where
/// the other one takes longer than all the rest of a limit. It is behind by up to a tick.
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
    private static let longest = 4_000_000
    /// A burst has to last so many: what is not known of the time is small beside it, also where a virtual machine's clock
    /// stands still for some of them.
    private static let ticksOfBurst: UInt64 = 20

    /// Reads both clocks. Nil where ticks are too long.
    static func read() throws(BPFError) -> TickClock? {
        var resolution = timespec()
        // Sound: it is written by the call.
        guard unsafe clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) == 0, resolution.tv_sec == 0,
            (1...longest).contains(resolution.tv_nsec)
        else { return nil }
        let object = try BPFObject(FilterClockProgram.object, name: name)
        try object.load()
        _ = try object.program(name).run(on: [UInt8](repeating: 0, count: 64))
        let clocks: BPFMap<UInt32, apus_clocks> = try object.map("apus_both")
        guard let both = try clocks.value(of: 0), both.ticks != 0 else {
            throw BPFError("reading the clock of the kernel's ticks", code: EINVAL, detail: "it gave no time")
        }
        let tick = UInt64(resolution.tv_nsec)
        return TickClock(tick: tick, zero: both.now &- both.ticks &* tick)
    }

    /// Whether it is exact enough for limits.
    func isEnough(for limits: [apus_limit]) -> Bool {
        let least = tick * Self.ticksOfBurst << UInt64(APUS_FILTER_TIME_SHIFT)
        return limits.allSatisfy { limit in
            (limit.flags & APUS_LIMIT_PACKETS.rawValue == 0 || limit.packet_room >= least)
                && (limit.flags & APUS_LIMIT_BITS.rawValue == 0 || limit.octet_room >= least)
        }
    }

    private static let name = "apus_clock"
}
