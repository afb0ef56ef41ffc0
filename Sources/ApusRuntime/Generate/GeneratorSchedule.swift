import CLinux
import Glibc

/// When each packet of a generator is due: a token bucket that is filled at the rate.
///
/// Packet n is due n/rate after the start, whatever happened before, so that no error adds up. What could
/// not be sent in time is made up for, as long as that is not more than a second's worth.
@usableFromInline
struct GeneratorSchedule: Sendable {
    /// Packets a second; `nil` has all of them due at once.
    let rate: UInt64?
    /// The clock when packet 0 was due.
    private(set) var start: UInt64

    /// The most that is made up for after a stall, in nanoseconds.
    private static var deepest: UInt64 { GeneratedTraffic.second }

    init(rate: UInt64?, start: UInt64) { (self.rate, self.start) = (rate, start) }

    /// How many packets are due at `now`, when `made` were made already.
    mutating func due(at now: UInt64, made: UInt64) -> UInt64 {
        guard let rate else { return .max }
        guard now >= start else { return 0 }
        let late = now - start
        let next = moment(of: made) - start
        if late > next &+ Self.deepest {
            // A process that was stopped must not answer with a storm.
            start += late - next - Self.deepest
        }
        let total = GeneratedTraffic.scaled(now - start, rate, by: GeneratedTraffic.second) &+ 1
        return total > made ? total - made : 0
    }

    /// The clock when a packet is due.
    func moment(of packet: UInt64) -> UInt64 {
        guard let rate else { return start }
        return start &+ GeneratedTraffic.scaled(packet, GeneratedTraffic.second, by: rate, up: true)
    }

    /// Waits for a moment: asleep while it is far away, since a spinning sender takes a core from others.
    static func wait(until moment: UInt64, now: UInt64) {
        guard moment > now &+ 20_000 else { return apus_relax() }
        // Waking takes some microseconds.
        let wake = moment - 5_000
        var time = timespec(
            tv_sec: Int(wake / GeneratedTraffic.second), tv_nsec: Int(wake % GeneratedTraffic.second))
        // A signal ends the wait early, and the caller looks at the clock again.
        unsafe _ = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
    }
}
