import ApusConfig
public import ApusWire
import ApusXDP
import CFilter

/// The sources that limits keep, as they were at one moment. The heaviest are found by comparing two of these.
public struct SourceTable: Sendable {
    /// The ways of all sets, those that are free with the number 0.
    private let sources: [apus_source]
    private let limits: [UInt32: FilterLimit]

    /// What the sources of one limit did between two moments.
    public struct Source: Hashable, Sendable {
        /// The network it is, an address alone where the limit is for each address.
        public let prefix: AddressPrefix
        /// The port it sends to, where the limit is for each.
        public let port: UInt16?
        /// The limit that keeps it.
        public let limit: String
        /// Packets of it that this limit let pass, modulo 2^24.
        public let passed: UInt64
        /// Octets of those, modulo 2^40.
        public let octets: UInt64
        /// Packets of it that were dropped, by this limit or one behind it; modulo 2^32.
        public let dropped: UInt64
    }

    /// What to look for the heaviest in.
    public enum Order: String, CaseIterable, Sendable {
        /// Packets, those that were dropped among them.
        case packets
        /// Octets that passed.
        case bytes
        /// Packets that were dropped.
        case dropped
    }

    init(_ map: BPFMap<UInt32, apus_set>, limits: [UInt32: FilterLimit]) throws(BPFError) {
        var sources: [apus_source] = []
        sources.reserveCapacity(map.info.maxEntries * Int(APUS_FILTER_WAYS))
        try map.forEachChunk { _, sets in
            for i in sets.indices {
                var set = sets[i]
                for way in 0..<UInt32(APUS_FILTER_WAYS) {
                    let isFree = unsafe apus_filter_tag(&set, way) == 0
                    sources.append(isFree ? apus_source() : unsafe apus_filter_way(&set, way))
                }
            }
        }
        (self.sources, self.limits) = (sources, limits)
    }

    /// The heaviest sources since an earlier moment, `count` at most and the heaviest first. Those of limits that are gone
    /// are left out.
    public func heaviest(_ count: Int, by order: Order, since earlier: SourceTable) -> [Source] {
        guard count > 0 else { return [] }
        let isSame = earlier.sources.count == sources.count
        var heaviest: [(weight: UInt64, source: Source)] = []
        for (index, source) in sources.enumerated() {
            guard source.number != 0, let limit = limits[source.number] else { continue }
            let before =
                isSame && earlier.sources[index].isSame(as: source) ? earlier.sources[index] : apus_source()
            let both = source.passed &- before.passed
            let (passed, octets) = (
                both >> UInt64(APUS_PASSED_SHIFT), both & (1 << UInt64(APUS_PASSED_SHIFT) - 1)
            )
            let dropped = source.dropped &- before.dropped
            let weight =
                switch order {
                case .packets: passed + UInt64(dropped)
                case .bytes: octets
                case .dropped: UInt64(dropped)
                }
            guard weight > 0, heaviest.count < count || weight > heaviest.last!.weight else { continue }
            let place = heaviest.firstIndex { $0.weight < weight } ?? heaviest.count
            heaviest.insert(
                (
                    weight,
                    Source(
                        prefix: source.prefix(limit.scope),
                        port: limit.scope == .sourcePort ? source.port : nil,
                        limit: limit.name, passed: passed, octets: octets, dropped: UInt64(dropped))
                ), at: place)
            if heaviest.count > count { heaviest.removeLast() }
        }
        return heaviest.map(\.source)
    }

    /// How many sources there are.
    public var count: Int { sources.count { $0.number != 0 } }
}

extension apus_source {
    fileprivate func isSame(as other: apus_source) -> Bool {
        life == other.life && number == other.number && port == other.port
            && address.high == other.address.high
            && address.low == other.address.low
    }

    fileprivate func prefix(_ scope: FilterLimit.Scope) -> AddressPrefix {
        let address = address.address
        guard case .prefix(let ipv4, let ipv6) = scope else {
            return AddressPrefix(address, length: address.bitCount)
        }
        return AddressPrefix(address, length: Int(address.bitCount == 32 ? ipv4 : ipv6))
    }
}

extension RateLimitFilter {
    /// The sources as they are now. Copies the table: 140 MB for a million sources.
    public func sources() throws(FilterError) -> SourceTable {
        let current = try current()
        let limits = Dictionary(
            zip(current.state.numbers.inForce, current.state.rules.limits),
            uniquingKeysWith: { first, _ in first })
        return try about(interface) { () throws(BPFError) in
            try SourceTable(current.maps.sources, limits: limits)
        }
    }
}
