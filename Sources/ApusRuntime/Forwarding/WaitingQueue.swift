import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// Packets whose next hop is being resolved: few, and not for long.
///
/// A neighbor may have as many waiting as there is room left: one that does not answer takes half of the queue
/// at most, n of them leave one part in n + 1, and the next one finds room.
struct WaitingQueue: ~Copyable, Sendable {
    /// A packet that waits, and what is needed to send it on.
    struct Entry: ~Copyable, Sendable {
        var packet: Packet
        let accepted: Relay.Accepted
        /// Which stream had the slot when it came.
        let generation: UInt64
        let destination: Endpoint
        /// The number of the neighbor that it waits for, in the plan that is in force.
        var neighbor: Int
        /// When it is given up, in nanoseconds of the monotonic clock.
        let deadline: UInt64
    }

    private var entries: FixedArray<Entry?>
    private var deadlines: FixedArray<UInt64>
    /// How many wait for a neighbor, by its number; neighbors beyond the capacity share with others.
    private var shares: FixedArray<Int>
    private var first = 0
    private(set) var count = 0

    init(capacity: Int) {
        entries = FixedArray(count: capacity) { _ in nil }
        deadlines = FixedArray(repeating: 0, count: capacity)
        shares = FixedArray(repeating: 0, count: capacity)
    }

    /// Whether one more may wait for a neighbor.
    func hasRoom(for neighbor: Int) -> Bool {
        let room = entries.count &- count
        return room > 0 && shares[neighbor % entries.count] < room
    }

    /// Adds an entry; the queue must not be full.
    mutating func append(_ entry: consuming Entry) {
        let place = (first + count) % entries.count
        deadlines[place] = entry.deadline
        shares[entry.neighbor % entries.count] += 1
        entries[place] = consume entry
        count += 1
    }

    /// Takes out the one that has waited longest.
    mutating func popFirst() -> Entry? {
        guard count > 0 else { return nil }
        let entry = entries[first].take()!
        shares[entry.neighbor % entries.count] -= 1
        first = (first + 1) % entries.count
        count -= 1
        return entry
    }

    /// When the first one is given up; `nil` when none waits.
    ///
    /// Deadlines rise along the queue, since all wait for the same time.
    var nextDeadline: UInt64? { count > 0 ? deadlines[first] : nil }
}
