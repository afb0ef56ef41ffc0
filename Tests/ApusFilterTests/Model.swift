import ApusConfig
import ApusFilter
import ApusWire

/// The rules as one would write them down in an afternoon: dictionaries of token buckets that fill with time. The
/// program has to agree with it.
struct Model {
    let rules: FilterRules
    private var buckets: [Key: Bucket] = [:]
    private var bans: [IPAddress: UInt64] = [:]
    /// When the lists were written, from which lifetimes count.
    let start: UInt64

    struct Key: Hashable {
        let limit: Int
        let source: AddressPrefix?
        let port: UInt16?
    }

    struct Bucket {
        var packets: Double
        var octets: Double
        /// How far the drops are ahead of what a ban tolerates, in seconds.
        var overrun = 0.0
        var at: UInt64
    }

    /// What it says of a packet.
    enum Answer: Equatable {
        case verdict(FilterVerdict)
        /// It is as near as numbers go between these two; what the other one says is right, and is to be told.
        case undecided(limit: Int)
    }

    init(_ rules: FilterRules, start: UInt64) { (self.rules, self.start) = (rules, start) }

    /// Judges a frame; where it is undecided the program's word is taken for it.
    mutating func judge(_ frame: [UInt8], at now: UInt64, program: FilterVerdict) -> Answer {
        let facts = FrameFacts(frame)
        switch facts.kind {
        case .malformed: return .verdict(.reason(rules.malformed == .deny ? .malformed : .malformedAllowed))
        case .notIP: return .verdict(.reason(rules.notIP == .deny ? .notIP : .notIPAllowed))
        case .neighbor where !rules.limitsNeighbors, .arp where !rules.limitsNeighbors:
            return .verdict(.reason(.neighbor))
        case .arp: break
        case .neighbor, .ip:
            if let reason = judgeLists(facts, now) { return .verdict(.reason(reason)) }
        }
        return judgeLimits(facts, frame.count, now, program)
    }

    private func isFor(_ service: FilterService, _ facts: FrameFacts, orAny: Bool) -> Bool {
        if let destination = service.destination {
            guard let to = facts.destination, destination.contains(to) else { return false }
        }
        if let number = service.ipProtocol, number != facts.ipProtocol || facts.source == nil,
            !(orAny && facts.mayBeAnyProtocol)
        {
            return false
        }
        if let ports = service.ports {
            guard let port = facts.ports?.destination, ports.contains(port) else { return false }
        }
        return true
    }

    private func isInForce(_ entry: FilterEntry, _ now: UInt64) -> Bool {
        entry.lifetime.map { now < start + $0.nanoseconds } ?? true
    }

    private func judgeLists(_ facts: FrameFacts, _ now: UInt64) -> FilterReason? {
        let source = facts.source!
        let isManagement = rules.management.contains { one in
            isFor(one.service, facts, orAny: false)
                && (one.sources.isEmpty || one.sources.contains { $0.contains(source) })
        }
        if isManagement { return .management }
        if let until = bans[source], now < until { return .banned }
        let matching = rules.entries.filter { entry in
            if case .source(let prefix) = entry.subject { prefix.contains(source) } else { false }
        }
        func length(_ entry: FilterEntry) -> Int {
            if case .source(let prefix) = entry.subject { prefix.length } else { -1 }
        }
        let decisive = matching.filter { isInForce($0, now) }.max { length($0) < length($1) }
        if decisive?.verdict == .deny { return .deniedSource }
        if decisive?.verdict == .allow, !decisive!.isLimited { return .allowedSource }
        if facts.isFragment, rules.fragments == .deny { return .fragment }
        if facts.isFragment, rules.fragments == .allow { return .fragmentAllowed }
        if decisive != nil { return nil }
        if let ports = facts.ports {
            if let verdict = verdict(of: ports.destination, facts.ipProtocol, isSource: false, now) {
                return verdict == .deny ? .deniedPort : nil
            }
            if let verdict = verdict(of: ports.source, facts.ipProtocol, isSource: true, now) {
                return verdict == .deny ? .deniedSourcePort : nil
            }
        }
        let ofProtocol = rules.entries.last { entry in
            entry.subject == .ipProtocol(facts.ipProtocol) && isInForce(entry, now)
        }
        if let ofProtocol { return ofProtocol.verdict == .deny ? .deniedProtocol : nil }
        return rules.policy == .deny ? .policy : nil
    }

    private func verdict(
        of port: UInt16, _ ipProtocol: UInt8, isSource: Bool, _ now: UInt64
    ) -> FilterPolicy? {
        var narrowest: (range: PortRange, verdict: FilterPolicy)?
        for entry in rules.entries where isInForce(entry, now) {
            let range: PortRange
            switch entry.subject {
            case .port(let ports) where !isSource: range = ports
            case .sourcePort(let ports) where isSource: range = ports
            default: continue
            }
            guard (range.first...range.last).contains(port),
                range.transport == nil || (range.transport == .udp) == (ipProtocol == 17)
            else { continue }
            // Of two that are as wide the one for a transport decides.
            func width(_ range: PortRange) -> Int {
                (Int(range.last) - Int(range.first)) * 2 + (range.transport == nil ? 1 : 0)
            }
            if narrowest.map({ width(range) < width($0.range) }) ?? true {
                narrowest = (range, entry.verdict)
            }
        }
        return narrowest?.verdict
    }

    private mutating func judgeLimits(
        _ facts: FrameFacts, _ octets: Int, _ now: UInt64, _ program: FilterVerdict
    ) -> Answer {
        var charged: [(Key, FilterLimit)] = []
        for (index, limit) in rules.limits.enumerated() {
            guard let key = key(index, limit, facts) else { continue }
            var bucket = fill(key, limit, now)
            let (packets, bits) = (limit.packets != nil, limit.bits != nil)
            let near = packets && abs(bucket.packets - 1) < 1e-4 || bits && abs(bucket.octets) < 0.1
            let refuses = packets && bucket.packets < 1 || bits && bucket.octets <= 0
            let drops = near ? program == .limit(index) : refuses
            guard drops else {
                charged.append((key, limit))
                continue
            }
            if let ban = limit.ban {
                func seconds(_ octets: Int) -> Double { Double(octets) * 8 / limit.bits!.perSecond }
                let byPackets = packets && bucket.packets < (near ? 1 + 1e-4 : 1)
                bucket.overrun +=
                    (byPackets ? 1 / limit.packets!.perSecond : seconds(octets)) / (ban.factor - 1)
                let tolerated = max(
                    1, packets ? 8 / limit.packets!.perSecond / (ban.factor - 1) : 0,
                    bits ? 8 * seconds(1514) / (ban.factor - 1) : 0)
                if bucket.overrun > tolerated {
                    bucket.overrun = 0
                    bans[facts.source!] = now + ban.time.nanoseconds
                }
                buckets[key] = bucket
            }
            return near ? .undecided(limit: index) : .verdict(.limit(index))
        }
        for (key, _) in charged {
            buckets[key]!.packets -= 1
            buckets[key]!.octets -= Double(octets)
        }
        return .verdict(.reason(.within))
    }

    private func key(_ index: Int, _ limit: FilterLimit, _ facts: FrameFacts) -> Key? {
        if let service = limit.service, !isFor(service, facts, orAny: true) { return nil }
        switch limit.scope {
        case .all: return Key(limit: index, source: nil, port: nil)
        case .sourcePort:
            guard let ports = facts.ports, let source = facts.source else { return nil }
            return Key(
                limit: index, source: AddressPrefix(source, length: source.bitCount), port: ports.destination)
        case .source:
            return Key(
                limit: index, source: facts.source.map { AddressPrefix($0, length: $0.bitCount) }, port: nil)
        case .prefix(let ipv4, let ipv6):
            return Key(
                limit: index,
                source: facts.source.map {
                    AddressPrefix($0, length: Int($0.bitCount == 32 ? ipv4 : ipv6)).network
                },
                port: nil)
        }
    }

    /// The bucket as it is now, which a new one is full.
    private mutating func fill(_ key: Key, _ limit: FilterLimit, _ now: UInt64) -> Bucket {
        let (mostPackets, mostOctets) = (
            Double(limit.effectivePacketBurst ?? 0), Double(limit.effectiveOctetBurst ?? 0)
        )
        var bucket = buckets[key] ?? Bucket(packets: mostPackets, octets: mostOctets, at: now)
        let seconds = Double(now - bucket.at) / 1e9
        bucket.packets = min(mostPackets, bucket.packets + seconds * (limit.packets?.perSecond ?? 0))
        bucket.octets = min(mostOctets, bucket.octets + seconds * (limit.bits?.perSecond ?? 0) / 8)
        bucket.overrun = max(0, bucket.overrun - seconds)
        bucket.at = now
        buckets[key] = bucket
        return bucket
    }
}
