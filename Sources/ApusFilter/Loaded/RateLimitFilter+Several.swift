public import ApusConfig
public import ApusWire
import ApusXDP
import CFilter

/// A change of the rules in force.
public enum FilterChange: Hashable, Sendable {
    /// Adds an entry to the lists, or puts it in the place of the one about the same. Sources that are allowed are no longer
    /// banned.
    case put(FilterEntry)
    /// Takes an entry off the lists, and of an address that is banned the ban; where there is no entry about a network the
    /// bans of all in it.
    case remove(FilterSubject)
    /// Adds a limit behind the others, or puts it in the place of the one of its name.
    case set(FilterLimit)
    /// Removes the limit of a name.
    case removeLimit(String)
}

/// What a change has met: what was there before it.
public struct FilterOutcome: Hashable, Sendable {
    /// The entry about the same, with what was left of its lifetime.
    public fileprivate(set) var entry: FilterEntry?
    /// The limit of the same name.
    public fileprivate(set) var limit: FilterLimit?
    /// The names of other limits for the same packets as the one that was set: all of them have to have room.
    public fileprivate(set) var beside: [String] = []
    /// The sources that are no longer banned.
    public fileprivate(set) var forgiven: [IPAddress] = []
}

extension RateLimitFilter {
    /// Changes the rules in force in one step: a packet meets the old ones or the new. If one of the changes can't be had,
    /// nothing is changed.
    ///
    /// - Returns: what each change has met.
    @discardableResult
    public func apply(_ changes: [FilterChange]) throws(FilterError) -> [FilterOutcome] {
        try Self.locked(interface) { () throws(FilterError) in
            let (current, now) = (try current(), monotonicTime)
            let outcomes = try about(interface) { () throws(BPFError) in
                var outcomes: [FilterOutcome] = []
                for change in changes { outcomes.append(try current.outcome(of: change, now: now)) }
                return outcomes
            }
            func rules() throws(FilterError) -> FilterRules {
                try about(interface) { () throws(BPFError) in try current.rules(at: now) }
            }
            for (change, outcome) in zip(changes, outcomes) {
                guard let missing = try outcome.missing(change, rules) else { continue }
                let rest = changes.count > 1 ? "; nothing is changed" : ""
                throw FilterError(interface, .notThere(missing + rest))
            }
            let concerning = zip(changes, outcomes).filter { !$1.isAboutBansAlone($0) }.map(\.0)
            let isOne = concerning.count == 1
            let isInPlace = isOne ? try applyInPlace(concerning[0], to: current, now: now) : false
            if !isInPlace, !concerning.isEmpty {
                if !isOne { try requireRoom(for: concerning, in: current, now: now) }
                var rules = try rules()
                rules.apply(concerning)
                try Self.validate(rules, interface)
                try install(rules, after: current, now: now)
            }
            // Last, as whoever is banned has met the new rules when that ends.
            try about(interface) { () throws(BPFError) in
                for source in outcomes.flatMap(\.forgiven) {
                    _ = try current.maps.bans.remove(apus_address(source))
                }
            }
            return outcomes
        }
    }

    /// Whether one change could be written into the maps that are looked into.
    private func applyInPlace(
        _ change: FilterChange, to current: InForce, now: UInt64
    ) throws(FilterError) -> Bool {
        switch change {
        case .put(let entry): return try addInPlace(entry, to: current, now: now)
        case .remove(let subject):
            return try about(interface) { () throws(BPFError) in
                try removeInPlace(subject, from: current, now: now)
            }
        case .set, .removeLimit: return false
        }
    }
}

extension FilterOutcome {
    /// What to say where nothing was there to be removed; nil if something was, or nothing is removed.
    fileprivate func missing(
        _ change: FilterChange, _ rules: () throws(FilterError) -> FilterRules
    ) throws(FilterError) -> String? {
        switch change {
        case .put, .set: return nil
        case .remove(let subject):
            guard entry == nil, forgiven.isEmpty else { return nil }
            return RateLimitFilter.missing(subject, in: try rules())
        case .removeLimit(let name):
            return limit == nil ? RateLimitFilter.missing(limit: name, in: try rules()) : nil
        }
    }

    /// Whether a change leaves the rules as they are.
    fileprivate func isAboutBansAlone(_ change: FilterChange) -> Bool {
        if case .remove = change { return entry == nil }
        return false
    }
}

extension InForce {
    /// Whether rules may have what changes add to the lists, beside what is there and not taken off them.
    func mayTake(
        _ changes: [FilterChange], now: UInt64, most: Int = FilterRules.mostPrefixes
    ) throws(BPFError) -> Bool {
        var subjects: [FilterSubject: Bool] = [:]
        for change in changes {
            switch change {
            case .put(let entry): subjects[entry.subject] = true
            case .remove(let subject): subjects[subject] = subjects[subject] ?? false
            case .set, .removeLimit: break
            }
        }
        var more = 0
        for (subject, isPut) in subjects {
            guard case .source = subject else { continue }
            let isThere = try entry(about: subject, now: now) != nil
            more += isPut && !isThere ? 1 : !isPut && isThere ? -1 : 0
        }
        guard more > 0 else { return true }
        return try FilterLists(maps, secret: state.secret).mayTake(more, now: now, most: most)
    }

    /// What a change meets.
    fileprivate func outcome(of change: FilterChange, now: UInt64) throws(BPFError) -> FilterOutcome {
        var outcome = FilterOutcome()
        switch change {
        case .put(let new):
            outcome.entry = try entry(about: new.subject, now: now)
            if case .source(let prefix) = new.subject, new.verdict == .allow {
                outcome.forgiven = try banned(in: prefix, now: now)
            }
        case .remove(let subject):
            outcome.entry = try entry(about: subject, now: now)
            // Who takes an entry about a network off the lists says nothing of the bans in it.
            if case .source(let prefix) = subject, prefix.isAddress || outcome.entry == nil {
                outcome.forgiven = try banned(in: prefix, now: now)
            }
        case .set(let limit):
            outcome.limit = state.rules.limits.first { $0.name == limit.name }
            outcome.beside = state.rules.limits.filter {
                $0.name != limit.name && $0.scope == limit.scope && $0.service == limit.service
            }.map(\.name)
        case .removeLimit(let name): outcome.limit = state.rules.limits.first { $0.name == name }
        }
        return outcome
    }

    private func entry(about subject: FilterSubject, now: UInt64) throws(BPFError) -> FilterEntry? {
        switch subject {
        case .source(let prefix) where prefix.length == prefix.address.bitCount:
            let found = try maps.addresses.value(of: apus_address(prefix.address))
            return found.flatMap { FilterEntry(subject, $0, now: now) }
        case .source(let prefix):
            // A trie gives the longest prefix to whoever asks for one; each entry knows how long its own is.
            let key = apus_prefix(prefix)
            let found = try maps.prefixes.value(of: key)
            return found.flatMap { $0.next == key.length ? FilterEntry(subject, $0, now: now) : nil }
        case .ipProtocol(let number):
            let found = try maps.protocols.value(of: UInt32(number))
            return found.flatMap { FilterEntry(subject, $0, now: now) }
        case .port, .sourcePort:
            guard var entry = state.rules.entries.first(where: { $0.subject == subject }) else { return nil }
            guard entry.lifetime != nil else { return entry }
            guard let until = state.until[subject], FilterEntry.isLeft(until: until, now) else { return nil }
            entry.lifetime = FilterDuration(nanoseconds: until - now)
            return entry
        }
    }

    private func banned(in prefix: AddressPrefix, now: UInt64) throws(BPFError) -> [IPAddress] {
        if prefix.length == prefix.address.bitCount {
            let ban = try maps.bans.value(of: apus_address(prefix.address))
            return ban.map { now < $0.until } == true ? [prefix.address] : []
        }
        // A hash map gives what changes meanwhile twice.
        var sources: Set<IPAddress> = []
        try maps.bans.forEachChunk { keys, values in
            for i in keys.indices where now < values[i].until && prefix.contains(keys[i].address) {
                sources.insert(keys[i].address)
            }
        }
        return Array(sources)
    }
}

extension FilterRules {
    /// Makes changes, of which none is in force by that.
    package mutating func apply(_ changes: [FilterChange]) {
        var subjects: Set<FilterSubject> = []
        for change in changes {
            switch change {
            case .put(let entry): subjects.insert(entry.subject)
            case .remove(let subject): subjects.insert(subject)
            case .set, .removeLimit: break
            }
        }
        if !subjects.isEmpty { entries.removeAll { subjects.contains($0.subject) } }
        for change in changes {
            switch change {
            case .put(let entry): entries.append(entry)
            case .remove: break
            case .set(let limit):
                if let place = limits.firstIndex(where: { $0.name == limit.name }) {
                    limits[place] = limit
                } else {
                    limits.append(limit)
                }
            case .removeLimit(let name): limits.removeAll { $0.name == name }
            }
        }
    }
}

extension RateLimitFilter {
    /// What to say of a limit that is not there.
    static func missing(limit name: String, in rules: FilterRules) -> String {
        let names = rules.limits.map { "\"\($0.name)\"" }.joined(separator: ", ")
        return "there is no limit \"\(name)\"; "
            + (names.isEmpty ? "there are no limits" : "the limits are \(names)")
    }
}
