public import ApusConfig
public import ApusWire
public import ApusXDP
import CFilter

/// What a filter is doing: how it sits on its interface, its rules, and what became of packets since it was loaded.
public struct FilterStatus: Hashable, Sendable {
    /// The interface's name.
    public let interface: String
    /// Native or generic.
    public let mode: XDPMode
    /// Whether libxdp's dispatcher calls it, so that other XDP programs can be beside it.
    public let usesDispatcher: Bool
    /// The kernel's ticks by which limits tell the time, in nanoseconds: where they are short and all bursts are long. Nil
    /// where limits tell it to the nanosecond, which costs a packet more.
    public let tick: UInt64?
    /// Whether the program does without calls, so that packets cost less: with one limit at most, few networks of management,
    /// and CAP_PERFMON when the rules were loaded.
    public let isWithoutCalls: Bool
    /// What differs from the best grant and why.
    public let remarks: [String]
    /// The version of Apus that put the rules in force.
    public let version: String
    /// When the filter was loaded, and when its rules were last changed as a whole: seconds since 1970.
    public let (loadedAt, changedAt): (Int, Int)
    /// Whether all packets pass, and drops are only counted.
    public let isDryRun: Bool
    /// What becomes of packets that no list names.
    public let policy: FilterPolicy
    /// How many entries the lists have.
    public let entries: Int
    /// Packets by what became of them.
    public let reasons: [FilterReason: FilterCount]
    /// The limits, and what they dropped.
    public let limits: [LimitStatus]
    /// The table of sources.
    public let sources: Sources
    /// The bans that are in force.
    public let bans: [Ban]
    /// How many bans there were.
    public let totalBans: UInt64
    /// How many bans there can be at a time: of more the oldest give way.
    public let banCapacity: Int

    /// A limit and what it dropped.
    public struct LimitStatus: Hashable, Sendable {
        /// The limit.
        public let limit: FilterLimit
        /// What it dropped.
        public let dropped: FilterCount
    }

    /// The table of sources: one place for each bucket of a source.
    public struct Sources: Hashable, Sendable {
        /// How many are in it.
        public let known: UInt64
        /// How many it is made for.
        public let capacity: Int
        /// How many places it has: about twice as many, so that few sources have to give way before it is full.
        public let places: Int
        /// How many gave their place to others, with their buckets full: they lost nothing.
        public let evicted: UInt64
        /// How many gave their place to others while their buckets were not full: those began anew.
        public let forgotten: UInt64
        /// Bytes of memory.
        public let bytes: Int
    }

    /// A source that is denied for a time.
    public struct Ban: Hashable, Sendable {
        /// Who it is.
        public let source: IPAddress
        /// What is left of it.
        public let left: FilterDuration
        /// The limit it overran; nil when that is gone.
        public let limit: String?
    }

    /// What passed, or would be the same without a dry run.
    public var passed: FilterCount { sum { $0.passes } }

    /// What was dropped, or would have been without a dry run.
    public var dropped: FilterCount { limits.reduce(sum { !$0.passes }) { $0 + $1.dropped } }

    private func sum(_ condition: (FilterReason) -> Bool) -> FilterCount {
        reasons.reduce(FilterCount()) { condition($1.key) ? $0 + $1.value : $0 }
    }
}

extension RateLimitFilter {
    /// What it is doing. Costs time in proportion to the entries of the lists and the bans.
    public func status() throws(FilterError) -> FilterStatus {
        let current = try current()
        let state = current.state
        return try about(interface) { () throws(BPFError) in
            let now = monotonicTime
            let counters = try FilterCounters(current.maps.counts)
            let numbers = state.numbers.inForce
            let names = Dictionary(
                zip(numbers, state.rules.limits.map(\.name)), uniquingKeysWith: { first, _ in first })
            let (added, evicted, forgotten) = (
                counters[APUS_TABLE_ADDED], counters[APUS_TABLE_EVICTED], counters[APUS_TABLE_FORGOTTEN]
            )
            let sets = current.maps.sources.info.maxEntries
            return FilterStatus(
                interface: interface, mode: state.mode, usesDispatcher: state.caller == .dispatched,
                tick: state.tick, isWithoutCalls: state.isForFew, remarks: state.remarks,
                version: state.version, loadedAt: state.loaded,
                changedAt: state.changed,
                isDryRun: state.rules.isDryRun, policy: state.rules.policy,
                entries: try current.rules(at: now).entries.count,
                reasons: Dictionary(uniqueKeysWithValues: FilterReason.allCases.map { ($0, counters[$0]) }),
                limits: zip(state.rules.limits, numbers).map { limit, number in
                    .init(limit: limit, dropped: counters[limit: number])
                },
                // The CPUs are not read at one moment.
                sources: .init(
                    known: added - min(added, evicted &+ forgotten), capacity: state.rules.sourceCapacity,
                    places: sets * Int(APUS_FILTER_WAYS), evicted: evicted, forgotten: forgotten,
                    bytes: sets * MemoryLayout<apus_set>.size),
                bans: try bans(current, names, now), totalBans: counters[APUS_TABLE_BANNED],
                banCapacity: state.rules.banCapacity)
        }
    }

    private func bans(
        _ current: InForce, _ names: [UInt32: String], _ now: UInt64
    ) throws(BPFError) -> [FilterStatus.Ban] {
        // Without a limit that bans nobody looks whether a source is banned.
        guard current.state.rules.limits.contains(where: { $0.ban != nil }) else { return [] }
        // A hash map gives what changes meanwhile twice.
        let found = try FilterBans(current.maps.bans).inForce(at: now)
        let bans = Dictionary(
            zip(found.addresses.map(\.address), found.bans), uniquingKeysWith: { _, last in last })
        return bans.map { address, ban in
            FilterStatus.Ban(
                source: address, left: FilterDuration(nanoseconds: ban.until - now), limit: names[ban.number])
        }
        .sorted { ($0.left.nanoseconds, "\($0.source)") > ($1.left.nanoseconds, "\($1.source)") }
    }
}
