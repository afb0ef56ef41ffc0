import Glibc

/// What a capture port knows beside its files.
struct CaptureState: Sendable {
    let pacing: CapturePacing
    /// The file that is read.
    let input: String?
    /// Rounds still to be read, this one included; `nil` for ever.
    var roundsLeft: Int?
    var isFinished = false
    var failure: CaptureError?
    /// The recorded time of the packet that is pending.
    var pendingTimestamp: UInt64 = 0
    var counters = PortStatistics()
    /// Packets of this round that could be received.
    var inRound: UInt64 = 0
    /// Packets seen in this round.
    var seenInRound: UInt64 = 0
    /// The recorded time of the round's first packet, and the clock's time when it was received.
    var start: (recorded: UInt64, clock: UInt64) = (0, 0)

    /// When, by the clock, a packet recorded at `timestamp` is to be received.
    func due(_ timestamp: UInt64, speed: Double) -> UInt64 {
        // A recorded time before the first packet's is due at once, and one centuries later never.
        guard timestamp > start.recorded else { return start.clock }
        let wait = Double(timestamp - start.recorded) / speed
        return wait < 0x1p62 ? start.clock &+ UInt64(wait) : .max
    }
}

/// Nanoseconds since some moment, never set back.
func monotonicClock() -> UInt64 { clock(CLOCK_MONOTONIC) }

/// Nanoseconds since 1970.
func wallClock() -> UInt64 { clock(CLOCK_REALTIME) }

private func clock(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    unsafe _ = clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}
