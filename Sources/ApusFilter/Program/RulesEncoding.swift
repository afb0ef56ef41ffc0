import ApusConfig
import ApusWire
import ApusXDP
import CFilter

/// The rules as the program reads them: `struct apus_filter_rules` of BPF/Filter/filter.h.
struct RulesEncoding {
    /// Units of a bucket's time in a second.
    static let second = Double(UInt64(1_000_000_000) << UInt64(APUS_FILTER_TIME_SHIFT))
    /// How far a bucket's time may be ahead at most: a year.
    private static let mostRoom = second * 31_536_000

    /// A secret that everybody knows, for a table that nobody else fills; with zeros all sources would meet in one place of
    /// it.
    static let knownSecret: [UInt64] = (1...8).map { $0 &* 0x9e37_79b9_7f4a_7c15 }

    private(set) var rules = apus_filter_rules()

    /// Encodes rules that have been validated.
    ///
    /// - Parameters:
    ///   - numbers: of the limits, which name their buckets.
    ///   - sets: of the table of sources.
    ///   - secret: of the hash, eight words.
    init(_ source: FilterRules, numbers: [UInt32], sets: Int, secret: [UInt64]) {
        rules.version = UInt32(APUS_FILTER_VERSION)
        rules.features = Self.features(source)
        rules.sets = UInt32(sets)
        for (index, word) in secret.enumerated() {
            unsafe apus_filter_set_secret(&rules, UInt32(index), word)
        }
        for service in source.management {
            for network in service.sources.isEmpty ? [nil] : service.sources.map(Optional.some) {
                unsafe apus_filter_add_management(&rules, apus_match(service.service, from: network))
            }
        }
        for (limit, number) in zip(source.limits, numbers) {
            unsafe apus_filter_add_limit(&rules, Self.limit(limit, number))
        }
        let services = source.management.reduce(0) { $0 + max(1, $1.sources.count) }
        precondition(
            rules.limit_count == source.limits.count && rules.management_count == services
                && secret.count * MemoryLayout<UInt64>.size == MemoryLayout.size(ofValue: rules.secret),
            "the program has no room for these rules, or they have not been numbered")
    }

    /// Makes it a trial, which takes its time from a map and says there what was judged.
    mutating func setTrial() { rules.features |= APUS_FILTER_TRIAL.rawValue }

    /// Sets the sizes of the maps of marks, in words.
    mutating func setMarks(list: Int, ban: Int) {
        rules.list_mark_shift = FilterMarks.shift(words: list)
        rules.ban_mark_shift = FilterMarks.shift(words: ban)
    }

    /// Says that no frame comes in several buffers.
    mutating func setOneBuffer() { rules.features |= APUS_FILTER_ONE_BUFFER.rawValue }

    /// The limits.
    var limits: [apus_limit] {
        // Sound: it reads one of them, whichever number it is given.
        mutating get { (0..<rules.limit_count).map { unsafe apus_filter_limit(&rules, $0) } }
    }

    /// Tells the time by ticks.
    mutating func tellTime(by clock: TickClock) {
        rules.features |= APUS_FILTER_TICKS.rawValue
        (rules.tick, rules.tick_zero) = (clock.tick, clock.zero)
    }

    /// The features that rules use, apart from those of the host.
    static func features(_ source: FilterRules) -> UInt32 {
        var features: UInt32 = 0
        func set(_ feature: apus_feature, _ condition: Bool) {
            if condition { features |= feature.rawValue }
        }
        set(APUS_FILTER_DRY_RUN, source.isDryRun)
        set(APUS_FILTER_DENY, source.policy == .deny)
        set(APUS_FILTER_DENY_MALFORMED, source.malformed == .deny)
        set(APUS_FILTER_DENY_NOT_IP, source.notIP == .deny)
        set(APUS_FILTER_DENY_FRAGMENTS, source.fragments == .deny)
        set(APUS_FILTER_ALLOW_FRAGMENTS, source.fragments == .allow)
        set(APUS_FILTER_LIMIT_NEIGHBORS, source.limitsNeighbors)
        set(APUS_FILTER_BANS, source.limits.contains { $0.ban != nil })
        for entry in source.entries { features |= feature(for: entry.subject).rawValue }
        set(APUS_FILTER_SHORT_PREFIXES, source.entries.prefixes.contains(where: FilterMarks.isShort))
        return features
    }

    /// The feature that looks for entries of this kind.
    static func feature(for subject: FilterSubject) -> apus_feature {
        switch subject {
        case .source(let prefix):
            prefix.isAddress ? APUS_FILTER_ADDRESSES : APUS_FILTER_PREFIXES
        case .port: APUS_FILTER_PORTS
        case .sourcePort: APUS_FILTER_SOURCE_PORTS
        case .ipProtocol: APUS_FILTER_PROTOCOLS
        }
    }

    private static func limit(_ limit: FilterLimit, _ number: UInt32) -> apus_limit {
        var result = apus_limit()
        result.number = number
        (result.mask4, result.mask6) = (apus_address(mask: 128), apus_address(mask: 128))
        switch limit.scope {
        case .source: result.scope = APUS_SCOPE_SOURCE.rawValue
        case .prefix(let ipv4, let ipv6):
            result.scope = APUS_SCOPE_SOURCE.rawValue
            (result.mask4, result.mask6) = (
                apus_address(mask: 96 + Int(ipv4)), apus_address(mask: Int(ipv6))
            )
        case .sourcePort: result.scope = APUS_SCOPE_SOURCE_PORT.rawValue
        case .all: result.scope = APUS_SCOPE_ALL.rawValue
        }
        if let service = limit.service, !service.isAny {
            result.flags |= APUS_LIMIT_SERVICE.rawValue
            result.service = apus_match(service, from: nil)
        }
        if let rate = limit.packets, let burst = limit.effectivePacketBurst {
            let cost = second / rate.perSecond
            result.flags |= APUS_LIMIT_PACKETS.rawValue
            result.packet_cost = UInt64(cost.rounded())
            result.packet_room = UInt64(min(Double(burst - 1) * cost, mostRoom).rounded())
        }
        if let rate = limit.bits, let burst = limit.effectiveOctetBurst {
            let cost = second * 8 / rate.perSecond
            let shift = shift(for: cost)
            result.flags |= APUS_LIMIT_BITS.rawValue
            result.octet_shift = UInt16(shift)
            result.octet_cost = UInt64((cost * Double(1 << shift)).rounded())
            // What is left of a bucket must be more than nothing for a frame to pass.
            result.octet_room = UInt64(min(Double(burst) * cost, mostRoom).rounded()) - 1
        }
        func useShift(_ time: UInt64) -> UInt8 {
            UInt8(max(0, 64 - time.leadingZeroBitCount - Int(APUS_FILTER_USE_BITS)))
        }
        result.packet_use_shift = useShift(result.packet_room + result.packet_cost)
        result.octet_use_shift = useShift(result.octet_room)
        if let ban = limit.ban {
            // What exceeds the rate is dropped, so of `factor` times the rate all but one part is.
            func cost(_ cost: UInt64) -> UInt64 { UInt64((Double(cost) / (ban.factor - 1)).rounded()) }
            result.flags |= APUS_LIMIT_BAN.rawValue
            result.ban = ban.time.nanoseconds
            result.over_packet_cost = cost(result.packet_cost)
            result.over_octet_cost = cost(result.octet_cost)
            // A second of that much; at low rates some packets, as one is no overrun.
            let few = BanTolerance.packets
            result.over_room = max(
                UInt64(second), few * result.over_packet_cost,
                few * (result.over_octet_cost * BanTolerance.octets >> UInt64(result.octet_shift)))
        }
        return result
    }

    /// By how many bits the cost of an octet is shifted to the left, so that it is precise at the highest rates, and
    /// that of a frame of 64 KiB is still less than 2^60.
    private static func shift(for cost: Double) -> Int {
        var shift = 0
        while shift < 24, cost * Double(1 << (shift + 1)) < Double(1 << 40) { shift += 1 }
        return shift
    }
}

/// What is tolerated of a source at any rate before it is banned.
private enum BanTolerance {
    static let packets: UInt64 = 8
    /// Of the longest frame of Ethernet, as which each counts.
    static let octets: UInt64 = 1514
}

extension apus_match {
    /// Packets to a service, from a network or from anywhere.
    init(_ service: FilterService, from network: AddressPrefix?) {
        self.init()
        if let destination = service.destination {
            destination_mask = apus_address(mask: destination.mappedLength)
            self.destination = apus_address(destination.address) & destination_mask
            family = destination.family
        }
        if let network {
            source_mask = apus_address(mask: network.mappedLength)
            source = apus_address(network.address) & source_mask
            family = network.family
        }
        if let number = service.ipProtocol { (has_protocol, self.protocol) = (1, number) }
        if let ports = service.ports {
            has_ports = 1
            (first_port, last_port) = (ports.lowerBound, ports.upperBound)
        }
    }
}
