import ApusConfig
import ApusWire
import ApusXDP
import CFilter

/// The lists of what is allowed and denied, in the maps of a rules program.
struct FilterLists {
    private let maps: FilterMaps
    private let marks: FilterMarks

    /// - Parameters:
    ///   - maps: of the program.
    ///   - secret: that it has.
    init(_ maps: FilterMaps, secret: [UInt64]) {
        self.maps = maps
        marks = FilterMarks(maps.listMarks, secret: secret)
    }

    /// Writes entries to maps that are empty.
    func write(_ entries: [FilterEntry], now: UInt64) throws(BPFError) {
        var addresses: (keys: [apus_address], values: [apus_entry]) = ([], [])
        var prefixes: (keys: [apus_prefix], values: [apus_entry]) = ([], [])
        try marks.set(entries.prefixes)
        for entry in entries {
            let value = apus_entry(entry, now: now)
            switch entry.subject {
            case .source(let prefix) where prefix.isAddress:
                addresses.keys.append(apus_address(prefix.address))
                addresses.values.append(value)
            case .source(let prefix):
                prefixes.keys.append(apus_prefix(prefix))
                prefixes.values.append(value)
            case .ipProtocol(let number):
                try maps.protocols.update(UInt32(number), value)
            case .port, .sourcePort: break
            }
        }
        if !addresses.keys.isEmpty { try maps.addresses.update(addresses.keys, values: addresses.values) }
        if !prefixes.keys.isEmpty { try maps.prefixes.update(prefixes.keys, values: prefixes.values) }
        try writePorts(entries, now: now)
    }

    /// Whether rules may have so many entries about sources beside those that are there and not over.
    func mayTake(
        _ count: Int, now: UInt64, most: Int = FilterRules.mostPrefixes
    ) throws(BPFError) -> Bool {
        guard maps.addresses.info.maxEntries + maps.prefixes.info.maxEntries + count > most else {
            return true
        }
        var there = 0
        func take(_ values: Span<apus_entry>) {
            for i in values.indices where values[i].isInForce(at: now) { there += 1 }
        }
        try maps.addresses.forEachChunk { _, values in take(values) }
        try maps.prefixes.forEachChunk { _, values in take(values) }
        return there + count <= most
    }

    /// Adds an entry about a source, or puts it in the place of the one about the same; false, and nothing is changed, where
    /// the marks have no room, or the program may not look at them, as for short ones.
    func add(_ prefix: AddressPrefix, _ value: apus_entry) throws(BPFError) -> Bool {
        // First: packets are looked up as soon as there is something to be found.
        guard !FilterMarks.isShort(prefix), try marks.add(prefix) else { return false }
        if prefix.isAddress {
            try maps.addresses.update(apus_address(prefix.address), value)
        } else {
            try maps.prefixes.update(apus_prefix(prefix), value)
        }
        return true
    }

    /// Ports are written one by one: each is decided by the narrowest range that has it, and when that is over by the next
    /// wider one that is not.
    func writePorts(_ entries: [FilterEntry], now: UInt64) throws(BPFError) {
        var rules = FilterRules()
        rules.entries = entries
        var ports: [UInt32: apus_entry] = [:]
        for entry in rules.portsWidestFirst {
            let value = apus_entry(entry, now: now)
            for key in Self.ports(entry.subject) { ports[key] = value.before(ports[key]) }
        }
        guard !ports.isEmpty else { return }
        let sorted = ports.sorted { $0.key < $1.key }
        try maps.ports.update(sorted.map(\.key), values: sorted.map(\.value))
    }

    /// The places of a range of ports in the map.
    private static func ports(_ subject: FilterSubject) -> [UInt32] {
        let (range, tcp, udp): (PortRange, apus_port_kind, apus_port_kind)
        switch subject {
        case .port(let ports): (range, tcp, udp) = (ports, APUS_PORT_TCP, APUS_PORT_UDP)
        case .sourcePort(let ports): (range, tcp, udp) = (ports, APUS_PORT_FROM_TCP, APUS_PORT_FROM_UDP)
        case .source, .ipProtocol: return []
        }
        var kinds: [apus_port_kind] = []
        if range.transport != .udp { kinds.append(tcp) }
        if range.transport != .tcp { kinds.append(udp) }
        return kinds.flatMap { kind in (range.first...range.last).map { kind.rawValue << 16 | UInt32($0) } }
    }
}

extension [FilterEntry] {
    /// The sources that they are about.
    var prefixes: [AddressPrefix] {
        compactMap { entry in
            guard case .source(let prefix) = entry.subject else { return nil }
            return prefix
        }
    }
}

extension apus_entry {
    /// An entry whose lifetime begins now.
    init(_ entry: FilterEntry, now: UInt64) {
        let verdict =
            switch entry.verdict {
            case .deny: APUS_VERDICT_DENY
            case .allow: entry.isLimited ? APUS_VERDICT_LIMITED : APUS_VERDICT_ALLOW
            }
        let until = entry.lifetime.map { now.addingReportingOverflow($0.nanoseconds) }
        self.init(
            until: until.map { $0.overflow ? .max : $0.partialValue } ?? 0, verdict: verdict.rawValue,
            next: APUS_VERDICT_NONE.rawValue, next_until: 0)
        if case .source(let prefix) = entry.subject, !prefix.isAddress { next = apus_prefix(prefix).length }
    }

    /// This entry of a port, behind which comes what was there so far.
    func before(_ wider: apus_entry?) -> apus_entry {
        guard let wider, until != 0 else { return self }
        let chain = [
            (wider.verdict, wider.until), (wider.next & 0xff, wider.next_until), (wider.next >> 8, 0),
        ]
        let later = chain.filter { $0.1 == 0 || $0.1 > until }
        var both = self
        both.next = later[0].0 | (later[0].1 == 0 ? 0 : later[1].0 << 8)
        both.next_until = later[0].1
        return both
    }

    /// Whether it is an entry at all, and not over.
    func isInForce(at now: UInt64) -> Bool {
        verdict != APUS_VERDICT_NONE.rawValue && (until == 0 || now < until)
    }
}

extension apus_prefix {
    /// A key of the trie.
    init(_ prefix: AddressPrefix) {
        let address = apus_address(prefix.address)
        self.init()
        length = UInt32(32 + prefix.mappedLength)
        family = UInt32(prefix.family)
        unsafe withUnsafeMutableBytes(of: &self.address) { octets in
            // Sound: sixteen octets are written to sixteen.
            unsafe octets.storeBytes(of: address.high, toByteOffset: 0, as: UInt64.self)
            unsafe octets.storeBytes(of: address.low, toByteOffset: 8, as: UInt64.self)
        }
    }

    /// The prefix; one of mapped addresses is IPv4's. Nil where the length is none that such an address can have.
    var prefix: AddressPrefix? {
        let (high, low) = unsafe withUnsafeBytes(of: address) {
            // Sound: sixteen octets are read of sixteen.
            unsafe ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        let address = apus_address(high: high, low: low).address
        let length = Int(length) - 32 - (128 - address.bitCount)
        return (0...address.bitCount).contains(length) ? AddressPrefix(address, length: length) : nil
    }
}
