public import ApusConfig
import ApusHost
import ApusWire
import ApusXDP
import CFilter
import Glibc

extension RateLimitFilter {
    /// Puts other rules into force, in one step: a packet meets the old ones or the new. Rules that can't be loaded change
    /// nothing.
    ///
    /// Limits whose name, scope and service stay go on counting, and their bans stay as long as they ban. Their buckets
    /// keep their state where rates and bursts stay too, and are full otherwise. When a dry run ends nobody is banned:
    /// bans of packets that were only counted are no bans.
    public func replace(_ rules: FilterRules) throws(FilterError) {
        try Self.validate(rules, interface)
        try Self.locked(interface) { () throws(FilterError) in
            try install(rules, after: try current(), now: monotonicTime)
        }
    }

    /// Adds an entry to the lists, or puts it in the place of the one about the same.
    public func add(_ entry: FilterEntry) throws(FilterError) {
        try change { current, now throws(FilterError) in
            if try addInPlace(entry, to: current, now: now) { return nil }
            var rules = try about(interface) { () throws(BPFError) in try current.rules(at: now) }
            rules.entries.removeAll { $0.subject == entry.subject }
            rules.entries.append(entry)
            return rules
        }
    }

    /// Takes an entry off the lists; of a source that is banned, the ban.
    public func remove(_ subject: FilterSubject) throws(FilterError) {
        try validate(FilterEntry(subject, .deny))
        try change { current, now throws(FilterError) in
            var rules = FilterRules()
            switch subject {
            case .source, .ipProtocol:
                let wasThere = try about(interface) { () throws(BPFError) in
                    try removeInPlace(subject, from: current, now: now)
                }
                if wasThere { return nil }
                rules = try about(interface) { () throws(BPFError) in try current.rules(at: now) }
            case .port, .sourcePort:
                rules = try about(interface) { () throws(BPFError) in try current.rules(at: now) }
                let count = rules.entries.count
                rules.entries.removeAll { $0.subject == subject }
                if rules.entries.count < count { return rules }
            }
            throw FilterError(interface, .notThere(Self.missing(subject, in: rules)))
        }
    }

    /// Adds a limit behind the others, or puts it in the place of the one of its name.
    public func set(_ limit: FilterLimit) throws(FilterError) {
        try change { current, now throws(FilterError) in
            var rules = try about(interface) { () throws(BPFError) in try current.rules(at: now) }
            if let place = rules.limits.firstIndex(where: { $0.name == limit.name }) {
                rules.limits[place] = limit
            } else {
                rules.limits.append(limit)
            }
            return rules
        }
    }

    /// Removes the limit of a name.
    public func removeLimit(named name: String) throws(FilterError) {
        try change { current, now throws(FilterError) in
            var rules = try about(interface) { () throws(BPFError) in try current.rules(at: now) }
            guard let place = rules.limits.firstIndex(where: { $0.name == name }) else {
                throw FilterError(interface, .notThere(Self.missing(limit: name, in: rules)))
            }
            rules.limits.remove(at: place)
            return rules
        }
    }

    /// Runs `body` on what is in force, and installs the rules that it gives.
    private func change(
        _ body: (InForce, _ now: UInt64) throws(FilterError) -> FilterRules?
    ) throws(FilterError) {
        try Self.locked(interface) { () throws(FilterError) in
            let (current, now) = (try current(), monotonicTime)
            guard let rules = try body(current, now) else { return }
            try Self.validate(rules, interface)
            try install(rules, after: current, now: now)
        }
    }

    func install(_ rules: FilterRules, after current: InForce, now: UInt64) throws(FilterError) {
        let before = current.state.numbers
        let numbers = before.replaced(by: rules.limits)
        let limits = zip(rules.limits, numbers.inForce)
        // By the numbers that limits had and by those that they have: the program in force bans until the slot is written.
        var banning: [UInt32: UInt32] = [:]
        for (limit, number) in limits where limit.ban != nil {
            banning[number] = number
            if let old = before.number(of: limit) { banning[old] = number }
        }
        var state = current.state
        state.version = ApusVersion.number
        state.changed = time(nil)
        state.set(rules, numbers: numbers, now: now)
        try about(interface) { () throws(BPFError) in
            let generation = try current.removeOthers()
            let program = try RulesProgram(
                rules, numbers: numbers.inForce, secret: state.secret, caller: state.caller, now: now,
                FilterInheritance(
                    maps: current.maps, keepsLists: false,
                    keepsBans: rules.isDryRun || !current.state.rules.isDryRun))
            state.set(program)
            let (bans, buckets) = (FilterBans(program.maps.bans), FilterBuckets(program.maps.buckets))
            do throws(BPFError) {
                try InForce.pin(program, state, generation: generation, in: store)
                if program.maps.sources.info.id != current.maps.sources.info.id {
                    try FilterCounters.forgetTable(in: program.maps.counts)
                }
                for (limit, number) in limits where !before.inForce.contains(number) {
                    if before.number(of: limit) == nil {
                        try FilterCounters.forget(limit: number, in: program.maps.counts)
                    }
                    try buckets.reset(number, now: now)
                }
                try bans.keep(of: banning, now: now)
                try current.slot.update(0, program: program.program)
            } catch {
                try? BPFFileSystem.removeFolder(store.path("\(generation)"))
                throw error
            }
            // The rules are in force, which nothing from here on changes. What the program before has done meanwhile:
            try? bans.keep(of: banning, now: now)
            try? bans.mark(in: FilterMarks(program.maps.banMarks, secret: state.secret), now: now)
            for (limit, number) in limits where limit.scope == .all && !before.inForce.contains(number) {
                try? buckets.reset(number, ifBeyond: limit, now: monotonicTime)
            }
            // What stays of it is removed before the next ones come.
            try? BPFFileSystem.removeFolder(store.path("\(current.generation)"))
        }
    }

    /// Whether there was room in the maps that are looked into: where there was none, rules are to be made anew.
    func addInPlace(
        _ entry: FilterEntry, to current: InForce, now: UInt64
    ) throws(FilterError) -> Bool {
        try validate(entry)
        try requireRoom(for: [.put(entry)], in: current, now: now)
        let value = apus_entry(entry, now: now)
        do throws(BPFError) {
            guard case .source(let prefix) = entry.subject else { return false }
            let lists = FilterLists(current.maps, secret: current.state.secret)
            let room = prefix.isAddress ? current.maps.addresses.info : current.maps.prefixes.info
            guard room.maxEntries > 1 else { return false }
            return try lists.add(prefix, value)
        } catch  where error.code == E2BIG || error.code == ENOSPC {
            return false
        } catch {
            throw FilterError(interface, error)
        }
    }

    /// Refuses changes by which rules had more entries about sources than they may, in the words of validation. What is there
    /// is counted once, and not all of it read, which takes seconds where there is a million.
    func requireRoom(for changes: [FilterChange], in current: InForce, now: UInt64) throws(FilterError) {
        let mayBe = try about(interface) { () throws(BPFError) in
            try current.mayTake(changes, now: now)
        }
        guard mayBe else { throw FilterError(interface, .rules(FilterRules.withTooManyPrefixes)) }
    }

    private func validate(_ entry: FilterEntry) throws(FilterError) {
        var alone = FilterRules()
        alone.entries = [entry]
        try Self.validate(alone, interface)
    }

    func removeInPlace(_ subject: FilterSubject, from current: InForce, now: UInt64) throws(BPFError)
        -> Bool
    {
        switch subject {
        case .source(let prefix) where prefix.isAddress:
            let address = apus_address(prefix.address)
            let ban = try current.maps.bans.value(of: address)
            let wasBanned = try current.maps.bans.remove(address) && ban.map { now < $0.until } == true
            return try current.maps.addresses.remove(address) || wasBanned
        case .source(let prefix): return try current.maps.prefixes.remove(apus_prefix(prefix))
        case .ipProtocol(let number):
            let entry = try current.maps.protocols.value(of: UInt32(number))
            try current.maps.protocols.update(UInt32(number), apus_entry())
            return entry?.isInForce(at: now) == true
        case .port, .sourcePort: return false
        }
    }

    /// What to say of an entry that is not there: which is nearest to it.
    static func missing(_ subject: FilterSubject, in rules: FilterRules) -> String {
        switch subject {
        case .source(let prefix):
            let wider = rules.entries.compactMap { entry -> AddressPrefix? in
                guard case .source(let other) = entry.subject, other.length < prefix.length,
                    other.contains(prefix.address)
                else { return nil }
                return other
            }
            let nearest = wider.max { $0.length < $1.length }
            return "there is no entry \(subject)"
                + (nearest.map { "; the longest prefix that it is in is \(FilterSubject.source($0))" } ?? "")
        case .port, .sourcePort, .ipProtocol:
            let others = rules.entries.map(\.subject).filter { other in
                if case .source = other { return false }
                return true
            }
            return "there is no entry \(subject)"
                + (others.isEmpty
                    ? "" : "; there are \(others.map(\.description).joined(separator: ", "))")
        }
    }
}
