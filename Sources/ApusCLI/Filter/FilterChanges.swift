import Apus
import ApusFilter

/// What `limit`, `allow`, `deny` and `remove` do: all changes of a line in one step, with a line of output for each.
extension FilterCommand {
    static func make(_ changes: [FilterChange], on interface: String, _ invocation: Invocation)
        throws(ExitFailure)
    {
        try prepareChange("changing a filter", invocation)
        let filter = try filter(on: interface)
        try filter.warnOfSSH(changes, invocation)
        let outcomes = try filtering { () throws(FilterError) in try filter.apply(changes) }
        for (change, outcome) in zip(changes, outcomes) {
            for line in outcome.lines(change) { invocation.output.line("\(interface): \(line)".printable) }
        }
    }
}

extension RateLimitFilter {
    /// Warns if changes of the rules in force would cut the SSH connection of this process.
    fileprivate func warnOfSSH(_ changes: [FilterChange], _ invocation: Invocation) throws(ExitFailure) {
        guard SSHSession.current != .none else { return }
        let before = try filtering { () throws(FilterError) in try self.rules() }
        var rules = before
        rules.apply(changes)
        // What can't be in force is refused in a moment, and cuts nothing.
        do throws(ConfigurationErrors) { try rules.validate() } catch { return }
        SSHSession.warn(
            of: rules, after: before, on: interface, undo: before.undo(of: changes, on: interface),
            invocation.errorOutput)
    }
}

extension FilterOutcome {
    /// What a change has done, for people.
    func lines(_ change: FilterChange) -> [String] {
        switch change {
        case .put(let new):
            let first =
                left.map { old in
                    "replaced: \(new.text), which was \(new.subject == old.subject ? old.verdictText : old.text)"
                } ?? "added: \(new.text)"
            return [first] + lifted(new.subject)
        case .remove(let subject):
            return (left.map { ["removed: \($0.text)"] } ?? []) + lifted(subject)
        case .set(let new):
            let others =
                beside.isEmpty ? "" : ", beside \(beside.map(\.quoted).joined(separator: ", ")) for the same"
            return [
                (limit.map { "replaced: \(new.text), which was \($0.rateText)" } ?? "added: \(new.text)")
                    + others
            ]
        case .removeLimit(let name):
            return ["removed: \(limit?.text ?? "the limit \(name.quoted)")"]
        }
    }

    /// The entry that was there, with what was left of its lifetime for people.
    private var left: FilterEntry? {
        guard var left = entry else { return nil }
        left.lifetime = left.lifetime.map(\.roundedUp)
        return left
    }

    private func lifted(_ subject: FilterSubject) -> [String] {
        switch forgiven.count {
        case 0: []
        case 1: ["lifted: the ban of \(forgiven[0])"]
        case let count: ["lifted: the bans of \(Units.count(count)) sources in \(subject)"]
        }
    }
}

extension FilterEntry {
    /// `deny 198.51.100.7 for 1h`.
    fileprivate var text: String { "\(verdict.rawValue) \(subject)\(manner)" }

    /// `deny for 1h`.
    fileprivate var verdictText: String { "\(verdict.rawValue)\(manner)" }

    private var manner: String {
        (isLimited ? ", limited" : "") + (lifetime.map { " for \($0)" } ?? "")
    }
}

extension FilterLimit {
    /// `the limit "source", 1000pps with a burst of 50`.
    fileprivate var text: String { "the limit \(name.quoted), \(rateText)" }

    fileprivate var rateText: String {
        let bursts = burstTexts.isEmpty ? "" : " with a burst of \(burstTexts.joined(separator: " and "))"
        let ban = ban.map { ", a ban over \($0.factorText) times that for \($0.time)" } ?? ""
        return rateTexts.joined(separator: " and ") + bursts + ban
    }

    /// Its bursts as rules have them.
    fileprivate var burstTexts: [String] {
        [packetBurst.map { "\($0)" }, octetBurst.map { "\(FilterBurst.octets($0))" }].compactMap(\.self)
    }

    /// What follows the interface in `apus filter limit`.
    fileprivate var words: [String] {
        var words = ["--name", name]
        switch scope {
        case .source: words += ["--each", "source"]
        case .sourcePort: words += ["--each", "sourcePort"]
        case .prefix(let ipv4, let ipv6): words += ["--each", "/\(ipv4),/\(ipv6)"]
        case .all: break
        }
        if let service { words += ["--service", "\(service)"] }
        for text in rateTexts { words += ["--rate", text] }
        for text in burstTexts { words += ["--burst", text] }
        if let ban { words += ["--ban-over", ban.factorText, "--ban-for", "\(ban.time)"] }
        return words
    }
}

extension FilterLimit.Ban {
    fileprivate var factorText: String { Int(exactly: factor).map { "\($0)" } ?? "\(factor)" }
}

extension FilterRules {
    /// The commands that put back what changes of these rules take away, for a shell; where those are many, the one that
    /// lets everything through.
    func undo(of changes: [FilterChange], on interface: String) -> String {
        var removed: [String] = []
        var removedLimits: [String] = []
        // Entries of one kind are one command.
        var put: [(manner: [String], words: [String])] = []
        var limits: [[String]] = []
        for change in changes {
            switch change {
            case .put(let entry):
                if !addEntry(entry.subject) { removed.append("\(entry.subject)") }
            case .remove(let subject): _ = addEntry(subject)
            case .set(let limit):
                if !addLimit(limit.name) { removedLimits += ["--limit", limit.name] }
            case .removeLimit(let name): _ = addLimit(name)
            }
        }
        func addEntry(_ subject: FilterSubject) -> Bool {
            guard let old = entries.first(where: { $0.subject == subject }) else { return false }
            let manner =
                [old.verdict.rawValue] + (old.isLimited ? ["--limited"] : [])
                + (old.lifetime.map { ["--for", "\($0.roundedUp)"] } ?? [])
            if let place = put.firstIndex(where: { $0.manner == manner }) {
                put[place].words.append("\(subject)")
            } else {
                put.append((manner, ["\(subject)"]))
            }
            return true
        }
        func addLimit(_ name: String) -> Bool {
            guard let old = self.limits.first(where: { $0.name == name }) else { return false }
            limits.append(["limit"] + old.words)
            return true
        }
        var commands: [[String]] = []
        if !removed.isEmpty || !removedLimits.isEmpty {
            commands.append(["remove"] + removed + removedLimits)
        }
        commands += put.map { [$0.manner[0]] + $0.words + $0.manner.dropFirst() }
        commands += limits
        guard (1...3).contains(commands.count), commands.allSatisfy({ $0.count <= 40 }) else {
            return "apus filter unload \(shellWord(interface))"
        }
        return commands.map { command in
            (["apus", "filter", command[0], interface] + command.dropFirst()).map(shellWord)
                .joined(separator: " ")
        }.joined(separator: " && ")
    }
}
