import ApusConfig
import ApusXDP
import CFilter

/// The buckets of limits that have one for all, each in the place of its limit.
struct FilterBuckets {
    private let map: BPFMap<UInt32, apus_bucket>

    init(_ map: BPFMap<UInt32, apus_bucket>) { self.map = map }

    /// Begins anew with the bucket of a limit.
    func reset(_ number: UInt32, now: UInt64) throws(BPFError) {
        try map.update(LimitNumbers.place(of: number), .full(at: now))
    }

    /// Begins anew with the bucket of a limit if its time is further ahead than that limit ever moves it: another one,
    /// which had the place before, did so, and by its numbers the bucket may stay shut for a day.
    func reset(_ number: UInt32, ifBeyond limit: FilterLimit, now: UInt64) throws(BPFError) {
        guard let bucket = try map.value(of: LimitNumbers.place(of: number)) else { return }
        // Modulo 2^64, and what seems to be further ahead than any bucket is full: see filter.h.
        func ahead(_ time: UInt64) -> Double {
            let ahead = time &- (now << UInt64(APUS_FILTER_TIME_SHIFT))
            return ahead >> UInt64(APUS_FILTER_FURTHEST_BITS) == 0 ? Double(ahead) : 0
        }
        let furthest = limit.secondsToFill * RulesEncoding.second
        if max(ahead(bucket.packet_time), ahead(bucket.octet_time)) > furthest { try reset(number, now: now) }
    }
}

extension FilterLimit {
    /// How long its buckets take to fill, with the longest frame that they may be overdrawn by.
    fileprivate var secondsToFill: Double {
        let packets = packets.map { Double((effectivePacketBurst ?? 0) + 1) / $0.perSecond } ?? 0
        let octets = bits.map { Double((effectiveOctetBurst ?? 0) + 65_536) * 8 / $0.perSecond } ?? 0
        return max(packets, octets)
    }
}
