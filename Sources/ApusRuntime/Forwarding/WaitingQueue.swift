import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// Packets whose next hop is being resolved: few, and not for long.
struct WaitingQueue: ~Copyable, Sendable {
    /// A packet that waits, and what is needed to send it on.
    struct Entry: ~Copyable, Sendable {
        var packet: Packet
        let accepted: Relay.Accepted
        /// Which stream had the slot when it came.
        let generation: UInt64
        let destination: Endpoint
        /// When it is given up, in nanoseconds of the monotonic clock.
        let deadline: UInt64
    }

    private var entries: FixedArray<Entry?>
    private var deadlines: FixedArray<UInt64>
    private var first = 0
    private(set) var count = 0

    init(capacity: Int) {
        entries = FixedArray(count: capacity) { _ in nil }
        deadlines = FixedArray(repeating: 0, count: capacity)
    }

    var isFull: Bool { count == entries.count }

    /// Adds an entry; the queue must not be full.
    mutating func append(_ entry: consuming Entry) {
        let place = (first + count) % entries.count
        deadlines[place] = entry.deadline
        entries[place] = consume entry
        count += 1
    }

    /// Takes out the one that has waited longest.
    mutating func popFirst() -> Entry? {
        guard count > 0 else { return nil }
        let entry = entries[first].take()
        first = (first + 1) % entries.count
        count -= 1
        return entry
    }

    /// When the first one is given up; `nil` when none waits.
    ///
    /// Deadlines rise along the queue, since all wait for the same time.
    var nextDeadline: UInt64? { count > 0 ? deadlines[first] : nil }
}
