import ApusRings
import ApusWire

/// What is known of a neighbor.
struct Neighbor: BitwiseCopyable {
    var address = IPAddress.v4(.any)
    var mac = MACAddress.zero
    /// When it came to the list it is in.
    var since: UInt64 = 0
    var list = NeighborList.free
    /// Solicitations in a row without an answer.
    var sent: UInt8 = 0
    /// Whether the host's user has asked for it.
    var isAsked = false
    /// Whether it said that it is a router.
    var isRouter = false
    /// Whether what became of it is to be told.
    var isChanged = false
    // Positions; -1 for none.
    var previous: Int32 = -1
    var next: Int32 = -1
    var nextInBucket: Int32 = -1
    var nextChanged: Int32 = -1
}

/// The state of a neighbor (RFC 4861 section 7.3.2), and the list it is in.
///
/// In each list those that came first are first. As all of one list wait equally long, the first is the next one due.
enum NeighborList: UInt8, CaseIterable {
    /// No neighbor.
    case free
    /// Unresolved; to be asked for at once.
    case fresh
    /// Unresolved; asked for.
    case incomplete
    /// Known to be there.
    case reachable
    /// Not known to be there any more, and not in use.
    case stale
    /// The same of one that the host's user never asked for.
    case heard
    /// In use, and not known to be there.
    case delay
    /// In use; asked whether it is there.
    case probe
    /// It has not answered.
    case failed
    /// The same, and somebody wants it: to be asked for at once.
    case retry
}

/// Neighbors in memory of fixed size: found by a hash of their address, and in one list each.
struct NeighborTable: ~Copyable {
    struct Ends: BitwiseCopyable {
        var first: Int32 = -1
        var last: Int32 = -1
        var count = 0
    }

    var entries: FixedArray<Neighbor>
    private var lists: FixedArray<Ends>
    private var buckets: FixedArray<Int32>
    private var changed = Ends()
    private let seed: UInt64

    init(capacity: Int, seed: UInt64) {
        entries = FixedArray(repeating: Neighbor(), count: capacity)
        lists = FixedArray(repeating: Ends(), count: NeighborList.allCases.count)
        var size = 1
        while size < 2 * capacity { size *= 2 }
        buckets = FixedArray(repeating: -1, count: size)
        self.seed = seed
        for position in entries.indices { append(position, to: .free, at: 0) }
    }

    func count(_ list: NeighborList) -> Int { lists[Int(list.rawValue)].count }

    /// The one that is in the list for longest.
    func first(_ list: NeighborList) -> Int? {
        let first = lists[Int(list.rawValue)].first
        return first < 0 ? nil : Int(first)
    }

    func find(_ address: IPAddress) -> Int? {
        var position = buckets[bucket(address)]
        while position >= 0 {
            if entries[Int(position)].address == address { return Int(position) }
            position = entries[Int(position)].nextInBucket
        }
        return nil
    }

    /// Puts a neighbor that is not there yet into a free place; nil if there is none.
    mutating func insert(_ address: IPAddress, to list: NeighborList, at now: UInt64) -> Int? {
        guard let position = first(.free) else { return nil }
        let bucket = bucket(address)
        entries[position] = Neighbor(
            address: address, list: .free, previous: entries[position].previous, next: entries[position].next,
            nextInBucket: buckets[bucket])
        buckets[bucket] = Int32(position)
        move(position, to: list, at: now)
        return position
    }

    /// Frees the place of a neighbor of which nothing is to be told.
    mutating func remove(_ position: Int) {
        let bucket = bucket(entries[position].address)
        let next = entries[position].nextInBucket
        if buckets[bucket] == Int32(position) {
            buckets[bucket] = next
        } else {
            var before = Int(buckets[bucket])
            while entries[before].nextInBucket != Int32(position) {
                before = Int(entries[before].nextInBucket)
            }
            entries[before].nextInBucket = next
        }
        move(position, to: .free, at: 0)
    }

    /// Puts a neighbor at the end of a list, which may be its own.
    mutating func move(_ position: Int, to list: NeighborList, at now: UInt64) {
        let (old, previous, next) = (
            Int(entries[position].list.rawValue), entries[position].previous, entries[position].next
        )
        if previous < 0 { lists[old].first = next } else { entries[Int(previous)].next = next }
        if next < 0 { lists[old].last = previous } else { entries[Int(next)].previous = previous }
        lists[old].count -= 1
        append(position, to: list, at: now)
    }

    private mutating func append(_ position: Int, to list: NeighborList, at now: UInt64) {
        let new = Int(list.rawValue)
        let last = lists[new].last
        entries[position].list = list
        entries[position].since = now
        entries[position].previous = last
        entries[position].next = -1
        if last < 0 { lists[new].first = Int32(position) } else { entries[Int(last)].next = Int32(position) }
        lists[new].last = Int32(position)
        lists[new].count += 1
    }

    /// Remembers that what became of a neighbor is to be told.
    mutating func markChanged(_ position: Int) {
        guard !entries[position].isChanged else { return }
        entries[position].isChanged = true
        entries[position].nextChanged = -1
        if changed.last < 0 {
            changed.first = Int32(position)
        } else {
            entries[Int(changed.last)].nextChanged = Int32(position)
        }
        changed.last = Int32(position)
    }

    /// The first of those to be told of, which then is no longer.
    mutating func takeChanged() -> Int? {
        guard changed.first >= 0 else { return nil }
        let position = Int(changed.first)
        changed.first = entries[position].nextChanged
        if changed.first < 0 { changed.last = -1 }
        entries[position].isChanged = false
        return position
    }

    private func bucket(_ address: IPAddress) -> Int {
        let (high, low): (UInt64, UInt64) =
            switch address {
            case .v4(let address): (1, UInt64(address.bits))
            case .v6(let address): (address.high, address.low)
            }
        let first = (high ^ seed).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
        let second = (low ^ first.high ^ first.low ^ seed).multipliedFullWidth(by: 0xd1b5_4a32_d192_ed03)
        return Int(truncatingIfNeeded: (second.high ^ second.low) & UInt64(buckets.count - 1))
    }
}
