/// Notices that a worker does not come round: it hangs, or gets no core. What comes in by its queues waits meanwhile, and
/// is dropped when they are full.
struct StallWatch {
    /// How long a worker may take for a round, beside its sleep, in nanoseconds.
    static var longestRound: UInt64 { 100_000_000 }

    /// How long it may be away, in nanoseconds.
    var limit: UInt64
    /// How often it was away for longer.
    private(set) var stalls: UInt64 = 0
    /// When it had been round last, when a stall began that is counted.
    private var counted: UInt64 = 0

    /// A watch over a worker that sleeps as it may by that policy.
    init(_ idle: IdlePolicy) { limit = Self.longestRound &+ UInt64(max(0, idle.sleep)) &* 1_000_000 }

    /// Whether a stall has just been noticed, which is counted; once for each.
    ///
    /// - Parameters:
    ///   - beat: when the worker came round last; 0 when it has not begun.
    ///   - now: the same clock.
    mutating func look(at beat: UInt64, _ now: UInt64) -> Bool {
        guard beat != 0, now > beat, now &- beat > limit, beat != counted else { return false }
        counted = beat
        stalls &+= 1
        return true
    }
}
