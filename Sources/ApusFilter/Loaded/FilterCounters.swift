import ApusXDP
import CFilter

/// Packets and octets of frames.
public struct FilterCount: Hashable, Sendable {
    /// Packets.
    public var packets: UInt64 = 0
    /// Octets of their frames, from the Ethernet header on, without the check sequence.
    public var octets: UInt64 = 0

    /// None.
    public init() {}

    init(packets: UInt64, octets: UInt64) { (self.packets, self.octets) = (packets, octets) }

    static func + (left: FilterCount, right: FilterCount) -> FilterCount {
        FilterCount(packets: left.packets &+ right.packets, octets: left.octets &+ right.octets)
    }
}

/// What became of packets and of tables since the filter was loaded.
struct FilterCounters {
    private let counts: [FilterCount]

    /// Reads them and adds up what each CPU has counted.
    init(_ map: BPFMap<UInt32, apus_count>) throws(BPFError) {
        var counts = [FilterCount](repeating: FilterCount(), count: Int(APUS_REASONS.rawValue))
        for (key, values) in try map.entries() where Int(key) < counts.count {
            counts[Int(key)] = values.reduce(FilterCount()) {
                $0 + FilterCount(packets: $1.packets, octets: $1.octets)
            }
        }
        self.counts = counts
    }

    /// Packets for a reason.
    subscript(reason: FilterReason) -> FilterCount { counts[Int(reason.rawValue)] }

    /// Packets that the limit with a number dropped.
    subscript(limit number: UInt32) -> FilterCount {
        counts[Int(APUS_DROP_LIMIT.rawValue + LimitNumbers.place(of: number))]
    }

    /// How often something happened to a table.
    subscript(event: apus_reason) -> UInt64 { counts[Int(event.rawValue)].packets }

    /// Forgets what a limit that had the place of this one dropped.
    static func forget(limit number: UInt32, in map: BPFMap<UInt32, apus_count>) throws(BPFError) {
        let zeros = [apus_count](repeating: apus_count(), count: map.valuesPerKey)
        try map.update(APUS_DROP_LIMIT.rawValue + LimitNumbers.place(of: number), values: zeros)
    }

    /// Forgets what happened to a table of sources that is no more.
    static func forgetTable(in map: BPFMap<UInt32, apus_count>) throws(BPFError) {
        let zeros = [apus_count](repeating: apus_count(), count: map.valuesPerKey)
        for event in [APUS_TABLE_ADDED, APUS_TABLE_EVICTED, APUS_TABLE_FORGOTTEN] {
            try map.update(event.rawValue, values: zeros)
        }
    }
}
