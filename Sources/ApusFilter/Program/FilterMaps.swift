import ApusConfig
import ApusXDP
import CFilter

/// The maps of a rules program. What limits know is shared by the programs that follow each other, and each may have
/// lists of its own.
struct FilterMaps {
    /// The table of sources: sets of `APUS_FILTER_WAYS`.
    let sources: BPFMap<UInt32, apus_set>
    /// The buckets of limits that have one for all.
    let buckets: BPFMap<UInt32, apus_bucket>
    /// What became of packets, per CPU.
    let counts: BPFMap<UInt32, apus_count>
    /// Who is banned.
    let bans: BPFMap<apus_address, apus_ban>
    /// Marks of the lists, and of the bans.
    let listMarks: BPFMap<UInt32, UInt64>
    let banMarks: BPFMap<UInt32, UInt64>
    /// Single addresses that are allowed or denied.
    let addresses: BPFMap<apus_address, apus_entry>
    /// Prefixes.
    let prefixes: BPFMap<apus_prefix, apus_entry>
    /// Ports: of `enum apus_port_kind` in the bits above 16.
    let ports: BPFMap<UInt32, apus_entry>
    /// Protocols above IP.
    let protocols: BPFMap<UInt32, apus_entry>

    /// How many sets hold so many sources: twice as many ways, so that hardly ever more meet in a set than it has ways.
    static func sets(for sources: Int) -> Int {
        (sources * 2 + Int(APUS_FILTER_WAYS) - 1) / Int(APUS_FILTER_WAYS)
    }

    /// Those of an object that has been loaded.
    init(of object: BPFObject) throws(BPFError) {
        sources = try object.map("apus_sources")
        buckets = try object.map("apus_buckets")
        counts = try object.map("apus_counts")
        bans = try object.map("apus_bans")
        listMarks = try object.map("apus_list_marks")
        banMarks = try object.map("apus_ban_marks")
        addresses = try object.map("apus_addresses")
        prefixes = try object.map("apus_prefixes")
        ports = try object.map("apus_ports")
        protocols = try object.map("apus_protocols")
    }

    /// Opens those that are pinned in a folder, and sees to it that each is what a rules program has, of a size that rules
    /// can ask for: nothing else is relied on when they are read.
    init(pinnedIn folder: String) throws(BPFError) {
        sources = try BPFMap(opening: "\(folder)/sources")
        buckets = try BPFMap(opening: "\(folder)/buckets")
        counts = try BPFMap(opening: "\(folder)/counts")
        bans = try BPFMap(opening: "\(folder)/bans")
        listMarks = try BPFMap(opening: "\(folder)/list-marks")
        banMarks = try BPFMap(opening: "\(folder)/ban-marks")
        addresses = try BPFMap(opening: "\(folder)/addresses")
        prefixes = try BPFMap(opening: "\(folder)/prefixes")
        ports = try BPFMap(opening: "\(folder)/ports")
        protocols = try BPFMap(opening: "\(folder)/protocols")
        try sources.expect(.array, entries: 1...Self.sets(for: FilterRules.mostSources))
        try buckets.expect(.array, entries: Int(APUS_FILTER_LIMITS)...Int(APUS_FILTER_LIMITS))
        try counts.expect(.perCPUArray, entries: Int(APUS_REASONS.rawValue)...Int(APUS_REASONS.rawValue))
        try bans.expect(.leastRecentlyUsed, entries: 1...FilterRules.mostBans)
        try FilterMarks.expect(listMarks)
        try FilterMarks.expect(banMarks)
        // With room for twice what rules may have.
        try addresses.expect(.hash, entries: 1...FilterRules.mostPrefixes * 2)
        try prefixes.expect(.longestPrefix, entries: 1...FilterRules.mostPrefixes * 2)
        try ports.expect(.array, entries: 1...Int(APUS_PORT_KINDS.rawValue) << 16)
        try protocols.expect(.array, entries: 256...256)
    }

    /// Pins them in a folder.
    func pin(in folder: String) throws(BPFError) {
        try sources.pin(to: "\(folder)/sources")
        try buckets.pin(to: "\(folder)/buckets")
        try counts.pin(to: "\(folder)/counts")
        try bans.pin(to: "\(folder)/bans")
        try listMarks.pin(to: "\(folder)/list-marks")
        try banMarks.pin(to: "\(folder)/ban-marks")
        try addresses.pin(to: "\(folder)/addresses")
        try prefixes.pin(to: "\(folder)/prefixes")
        try ports.pin(to: "\(folder)/ports")
        try protocols.pin(to: "\(folder)/protocols")
    }
}

/// What a rules program takes over of one that it follows.
struct FilterInheritance {
    /// The maps of that one.
    let maps: FilterMaps
    /// Whether its lists stay as they are, or are written anew.
    let keepsLists: Bool
    /// Whether its buckets, sources, counters and bans stay, as far as they have the size that is asked for. A trial has
    /// its own, and of bans a copy.
    var keepsTables = true
    /// Whether its bans stay, if its tables do.
    var keepsBans = true
}

extension BPFObject {
    /// Prepares the maps that rules need: those that are taken over, and the sizes of others.
    ///
    /// - Returns: the words of the marks of the lists and of the bans.
    func prepareMaps(
        for rules: FilterRules, sets: Int, _ inherited: FilterInheritance?
    ) throws(BPFError) -> (listMarks: Int, banMarks: Int) {
        var words = (
            listMarks: FilterMarks.words(for: FilterMarks.count(of: rules.entries.prefixes)),
            banMarks: FilterMarks.words(for: rules.banCapacity)
        )
        try set("apus_sources", maxEntries: sets)
        try set("apus_bans", maxEntries: rules.banCapacity)
        try set("apus_ban_marks", maxEntries: words.banMarks)
        if let inherited, inherited.keepsTables {
            let tables = inherited.maps
            try use(tables.buckets, as: "apus_buckets")
            try use(tables.counts, as: "apus_counts")
            if tables.sources.info.maxEntries == sets {
                try use(tables.sources, as: "apus_sources")
            }
            if inherited.keepsBans, tables.bans.info.maxEntries == rules.banCapacity {
                try use(tables.bans, as: "apus_bans")
            }
        } else if inherited != nil {
            try set("apus_bans", maxEntries: FilterBans.capacity(for: rules.banCapacity))
        }
        if let lists = inherited.flatMap({ $0.keepsLists ? $0.maps : nil }) {
            try use(lists.addresses, as: "apus_addresses")
            try use(lists.prefixes, as: "apus_prefixes")
            try use(lists.ports, as: "apus_ports")
            try use(lists.protocols, as: "apus_protocols")
            try use(lists.listMarks, as: "apus_list_marks")
            words.listMarks = lists.listMarks.info.maxEntries
            return words
        }
        var counts: [UInt32: Int] = [:]
        for entry in rules.entries {
            counts[RulesEncoding.feature(for: entry.subject).rawValue, default: 0] += 1
        }
        /// A map that is looked into has room for twice what is in it, so that entries can be added one by one.
        func room(_ feature: apus_feature) -> Int {
            counts[feature.rawValue].map { max(4096, $0 * 2) } ?? 1
        }
        try set("apus_addresses", maxEntries: room(APUS_FILTER_ADDRESSES))
        try set("apus_prefixes", maxEntries: room(APUS_FILTER_PREFIXES))
        let usesPorts =
            counts[APUS_FILTER_PORTS.rawValue] != nil || counts[APUS_FILTER_SOURCE_PORTS.rawValue] != nil
        try set("apus_ports", maxEntries: usesPorts ? Int(APUS_PORT_KINDS.rawValue) << 16 : 1)
        try set("apus_list_marks", maxEntries: words.listMarks)
        return words
    }
}
