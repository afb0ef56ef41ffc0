import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc

/// What is in force on an interface, as it is found in the BPF file system.
struct InForce {
    let store: FilterStore
    /// The folder of the rules program.
    let generation: Int
    /// The program that is attached.
    let entry: BPFProgram
    /// The one slot that it jumps by.
    let slot: BPFMap<UInt32, UInt32>
    let maps: FilterMaps
    var state: FilterState

    /// Opens what is pinned; nil when there is nothing complete, which is told by nothing but that something is not there.
    init?(_ store: FilterStore, interface: String) throws(FilterError) {
        let found = try about(interface) {
            () throws(BPFError) -> (entry: BPFProgram, slot: BPFMap<UInt32, UInt32>, program: UInt32)? in
            guard try store.exists(), let entry = try BPFProgram(ifPinnedAt: store.path("entry")),
                let slot = try BPFMap<UInt32, UInt32>(ifPinnedAt: store.path("slot"))
            else { return nil }
            try slot.expect(.programs, entries: 1...1)
            guard let program = try slot.value(of: 0) else { return nil }
            return (entry, slot, program)
        }
        guard let found else { return nil }
        (self.store, entry, slot) = (store, found.entry, found.slot)
        generation = try Self.generation(of: found.program, store, interface)
        let folder = store.path("\(generation)")
        let text = try about(interface) { () throws(BPFError) in
            try FilterState.text(in: BPFMap(opening: "\(folder)/state"))
        }
        do throws(FilterState.Refusal) {
            state = try FilterState(parsing: text)
        } catch {
            switch error {
            case .otherVersion(let name): throw FilterError(interface, .otherVersion(found: name))
            }
        }
        maps = try about(interface) { () throws(BPFError) in try FilterMaps(pinnedIn: folder) }
    }

    /// The folder of the program in the slot.
    private static func generation(
        of program: UInt32, _ store: FilterStore, _ interface: String
    ) throws(FilterError) -> Int {
        let number = try about(interface) { () throws(BPFError) -> Int? in
            for number in try store.generations().reversed() {
                let path = store.path("\(number)/program")
                if try BPFProgram(ifPinnedAt: path)?.id == program { return number }
            }
            return nil
        }
        // Rules are in force, which no command of this version has put there.
        guard let number else {
            throw FilterError(interface, .otherVersion(found: FilterState.unknownVersion))
        }
        return number
    }

    /// Pins a rules program in a folder of its own.
    static func pin(
        _ program: RulesProgram, _ state: FilterState, generation: Int, in store: FilterStore
    ) throws(BPFError) {
        let folder = store.path("\(generation)")
        try store.make(generation: generation)
        try program.maps.pin(in: folder)
        try state.map().pin(to: "\(folder)/state")
        // Last, since a folder is found by it.
        try program.program.pin(to: "\(folder)/program")
    }

    /// Removes the folders of rules programs that are not in force, as far as that can be done, and gives the number of the
    /// next one.
    func removeOthers() throws(BPFError) -> Int {
        for number in try store.generations() where number != generation {
            try? BPFFileSystem.removeFolder(store.path("\(number)"))
        }
        return max(generation, try store.generations().last ?? 0) &+ 1
    }

    /// The rules with the entries of the lists, of those with a lifetime what is left of it; what is over is left out.
    func rules(at now: UInt64) throws(BPFError) -> FilterRules {
        var rules = state.rules
        var sources: [FilterEntry] = []
        try maps.addresses.forEachChunk { keys, values in
            for i in keys.indices {
                let prefix = AddressPrefix(keys[i].address, length: keys[i].address.bitCount)
                if let entry = FilterEntry(.source(prefix), values[i], now: now) { sources.append(entry) }
            }
        }
        var strange = false
        try maps.prefixes.forEachChunk { keys, values in
            for i in keys.indices {
                guard let prefix = keys[i].prefix else {
                    strange = true
                    continue
                }
                if let entry = FilterEntry(.source(prefix), values[i], now: now) { sources.append(entry) }
            }
        }
        guard !strange else {
            throw BPFError(
                "reading the map \(maps.prefixes.info.name)", code: EINVAL,
                detail: "it has a key that is no prefix")
        }
        // A hash map gives what changes meanwhile twice.
        var seen = Set<FilterSubject>()
        sources = sources.filter { seen.insert($0.subject).inserted }.sorted(by: Self.isBefore)
        var protocols: [FilterEntry] = []
        for (key, values) in try maps.protocols.entries() {
            guard let number = UInt8(exactly: key) else { continue }
            if let entry = FilterEntry(.ipProtocol(number), values[0], now: now) {
                protocols.append(entry)
            }
        }
        // Of a range all ports have the time of the range, but for those that a narrower one decides.
        let ports = state.rules.entries.compactMap { entry -> FilterEntry? in
            guard entry.lifetime != nil else { return entry }
            guard let until = state.until[entry.subject], FilterEntry.isLeft(until: until, now) else {
                return nil
            }
            var left = entry
            left.lifetime = FilterDuration(nanoseconds: until - now)
            return left
        }
        rules.entries = sources + ports + protocols
        return rules
    }

    private static func isBefore(_ left: FilterEntry, _ right: FilterEntry) -> Bool {
        guard case .source(let a) = left.subject, case .source(let b) = right.subject else { return false }
        let (first, second) = (apus_address(a.address), apus_address(b.address))
        return (a.family, first.high.bigEndian, first.low.bigEndian, a.length)
            < (b.family, second.high.bigEndian, second.low.bigEndian, b.length)
    }
}

extension FilterEntry {
    /// Whether there is as much left of a lifetime as a rule may say: what is over in a millisecond is over.
    static func isLeft(until: UInt64, _ now: UInt64) -> Bool {
        now < until && until - now >= FilterDuration.range.lowerBound.nanoseconds
    }

    /// An entry of a map; nil when there is none, or when it is over.
    init?(_ subject: FilterSubject, _ entry: apus_entry, now: UInt64) {
        guard entry.isInForce(at: now), entry.until == 0 || Self.isLeft(until: entry.until, now) else {
            return nil
        }
        self.init(
            subject, entry.verdict == APUS_VERDICT_DENY.rawValue ? .deny : .allow,
            lifetime: entry.until == 0 ? nil : FilterDuration(nanoseconds: entry.until - now),
            isLimited: entry.verdict == APUS_VERDICT_LIMITED.rawValue)
    }
}
