import ApusRings

/// Packets that wait for their turn: a binary heap by due moment, then by arrival, of bounded size.
struct HeldPackets: ~Copyable, Sendable {
    struct Key: BitwiseCopyable, Sendable {
        var due: UInt64
        var arrival: UInt64
        /// Where in `packets` the packet is.
        var slot: Int

        static func < (one: Key, other: Key) -> Bool {
            (one.due, one.arrival) < (other.due, other.arrival)
        }
    }

    /// The first `count` are a heap; the slots of the others are free.
    private var keys: FixedArray<Key>
    private var packets: FixedArray<Packet?>
    private(set) var count = 0
    private var arrivals: UInt64 = 0

    init(capacity: Int) {
        keys = FixedArray(count: capacity) { Key(due: 0, arrival: 0, slot: $0) }
        packets = FixedArray(count: capacity) { _ in nil }
    }

    var isFull: Bool { count == keys.count }

    /// Keeps a packet until `due`. There must be room.
    mutating func insert(_ packet: consuming Packet, due: UInt64) {
        precondition(!isFull)
        arrivals += 1
        let slot = keys[count].slot
        keys[count] = Key(due: due, arrival: arrivals, slot: slot)
        packets[slot] = consume packet
        var index = count
        count += 1
        while index > 0, keys[index] < keys[(index - 1) / 2] {
            swapKeys(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// The next packet that is due at `moment`, if there is one.
    mutating func takeDue(at moment: UInt64) -> Packet? {
        guard count > 0, keys[0].due <= moment else { return nil }
        let packet = packets[keys[0].slot].take()
        count -= 1
        swapKeys(0, count)
        var index = 0
        while true {
            var least = index
            let left = 2 * index + 1
            if left < count, keys[left] < keys[least] { least = left }
            if left + 1 < count, keys[left + 1] < keys[least] { least = left + 1 }
            if least == index { return packet }
            swapKeys(index, least)
            index = least
        }
    }

    private mutating func swapKeys(_ one: Int, _ other: Int) {
        (keys[one], keys[other]) = (keys[other], keys[one])
    }
}
