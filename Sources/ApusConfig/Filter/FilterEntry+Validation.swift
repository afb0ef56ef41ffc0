extension FilterRules {
    func validateEntries(_ report: ConfigurationReport) {
        var first: [FilterSubject: Int] = [:]
        first.reserveCapacity(entries.count)
        var prefixes = 0
        for (index, entry) in entries.enumerated() {
            if let (refusal, key) = entry.refusal { report.add(refusal, at: entry.map[key]) }
            if case .source = entry.subject { prefixes += 1 }
            if prefixes == Self.mostPrefixes + 1, case .source = entry.subject {
                report.add(Self.tooManyPrefixes, at: entry.map.whole)
            }
            guard let earlier = first[entry.subject].map({ entries[$0] }) else {
                first[entry.subject] = index
                continue
            }
            // A list may name the same twice, as lists do that were put together of others.
            guard earlier != entry else { continue }
            let isContradiction = earlier.verdict != entry.verdict
            let what =
                isContradiction
                ? "both allowed and denied; take it out of one list"
                : "listed twice, with different settings; keep one"
            report.add(
                "\(entry.subject) is \(what)", at: entry.map["match"],
                notes: [.init("the first is here", at: earlier.map["match"])])
        }
    }

    private static let tooManyPrefixes =
        "there are more than \(mostPrefixes) addresses and prefixes; write shorter prefixes"

    /// What ``validate()`` says of more entries about sources than there may be; for whoever has counted them already.
    package static var withTooManyPrefixes: ConfigurationErrors {
        ConfigurationErrors(ConfigurationError(tooManyPrefixes, at: SourceMap().whole, in: nil))
    }

    /// Of two ranges that overlap one has to be a part of the other: the narrower decides.
    func validatePorts(_ report: ConfigurationReport) {
        var (ports, sourcePorts): ([PortEntry], [PortEntry]) = ([], [])
        for (index, entry) in entries.enumerated() {
            switch entry.subject {
            case .port(let range): ports.append((index, range))
            case .sourcePort(let range): sourcePorts.append((index, range))
            case .source, .ipProtocol: break
            }
        }
        let count = ports.count + sourcePorts.count
        guard count <= Self.mostPortEntries else {
            let indices = (ports + sourcePorts).map(\.index).sorted()
            report.add(
                "there are \(count) entries about ports, and \(Self.mostPortEntries) at most are possible; write ranges",
                at: entries[indices[Self.mostPortEntries]].map.whole)
            return
        }
        for list in [ports, sourcePorts] {
            // An entry for both protocols may cross another in both, which is one error.
            var told: Set<[Int]> = []
            for transport in Transport.allCases {
                let concerned = list.filter { $0.range.transport == nil || $0.range.transport == transport }
                for pair in Self.crossings(of: concerned) where told.insert(pair).inserted {
                    let (earlier, entry) = (entries[pair[0]], entries[pair[1]])
                    report.add(
                        "\(entry.subject) and \(earlier.subject) overlap, and neither is a part of the other, so nothing "
                            + "says which decides; write ranges that do not",
                        at: entry.map["match"], notes: [.init("the other is here", at: earlier.map["match"])])
                }
            }
        }
    }

    private typealias PortEntry = (index: Int, range: PortRange)

    /// The pairs, by their places in ``entries``, of ranges that cross.
    private static func crossings(of list: [PortEntry]) -> [[Int]] {
        let ordered = list.filter { $0.range.first <= $0.range.last }.sorted { left, right in
            (left.range.first, right.range.last, left.index) < (
                right.range.first, left.range.last, right.index
            )
        }
        var result: [[Int]] = []
        // The ranges that the next one may be within, each within the one before it.
        var open: [PortEntry] = []
        for entry in ordered {
            while let last = open.last, last.range.last < entry.range.first { open.removeLast() }
            if let last = open.last, last.range.last < entry.range.last {
                result.append([min(last.index, entry.index), max(last.index, entry.index)])
            } else {
                open.append(entry)
            }
        }
        return result
    }
}

extension FilterEntry {
    /// What is wrong with it alone, and the key it is written under.
    fileprivate var refusal: (message: String, key: String)? {
        switch subject {
        case .source(let prefix):
            if let message = FilterPrefix.refusal(of: prefix) { return (message, "match") }
        case .port(let ports), .sourcePort(let ports):
            if ports.first > ports.last {
                return ("a range begins with the lower port: \(ports.last)-\(ports.first)", "match")
            }
        case .ipProtocol: break
        }
        if let lifetime, !FilterDuration.range.contains(lifetime) {
            return ("expected \(FilterDuration.expectation), found \"\(lifetime)\"", "for")
        }
        guard isLimited else { return nil }
        guard verdict == .allow else {
            return ("what is denied is not limited; leave \"limited\" out", "limited")
        }
        if case .source = subject { return nil }
        return (
            "\"limited\" is for sources, as limits apply to other entries in any case; leave it out",
            "limited"
        )
    }
}
