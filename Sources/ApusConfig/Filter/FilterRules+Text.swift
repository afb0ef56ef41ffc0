extension FilterRules {
    /// The rules as JSON5, which is read as the same rules if they are valid.
    ///
    /// The policy and what is management are always there, as they decide who gets in; other defaults are left out.
    /// What is allowed comes before what is denied, each in the order of ``entries``.
    public var text: String {
        let defaults = FilterRules()
        var lines = ["policy: \"\(policy.rawValue)\","]
        if isDryRun { lines.append("dryRun: true,") }
        if malformed != defaults.malformed { lines.append("malformed: \"\(malformed.rawValue)\",") }
        if fragments != defaults.fragments { lines.append("fragments: \"\(fragments.rawValue)\",") }
        if notIP != defaults.notIP { lines.append("notIP: \"\(notIP.rawValue)\",") }
        if limitsNeighbors { lines.append("limitNeighbors: true,") }
        lines += Self.list("management", management.map(\.json))
        if management.isEmpty { lines.append("management: [],") }
        if sourceCapacity != defaults.sourceCapacity { lines.append("sources: \(sourceCapacity),") }
        if banCapacity != defaults.banCapacity { lines.append("bans: \(banCapacity),") }
        for verdict in FilterPolicy.allCases {
            lines += Self.list(verdict.rawValue, entries.filter { $0.verdict == verdict }.map(\.json))
        }
        lines += Self.list("limits", limits.map(\.json))
        return "{\n" + lines.map { "  \($0)\n" }.joined() + "}\n"
    }

    private static func list(_ key: String, _ elements: [String]) -> [String] {
        elements.isEmpty ? [] : ["\(key): ["] + elements.map { "  \($0)," } + ["],"]
    }
}

/// A text in quotes, as JSON5 reads it.
private func json(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": result += "\\\(scalar)"
        case "\0"..<" ", "\u{7f}", "\u{2028}", "\u{2029}":
            let digits = String(scalar.value, radix: 16)
            result += "\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}

/// One value, or an array of several.
private func oneOrMore(_ values: [String]) -> String {
    values.count == 1 ? values[0] : "[\(values.joined(separator: ", "))]"
}

extension FilterEntry {
    fileprivate var json: String {
        let match = "\"\(subject)\""
        guard lifetime != nil || isLimited else { return match }
        let time = lifetime.map { ", for: \"\($0)\"" } ?? ""
        return "{ match: \(match)\(time)\(isLimited ? ", limited: true" : "") }"
    }
}

extension ManagementService {
    fileprivate var json: String {
        guard !sources.isEmpty else { return "\"\(service)\"" }
        let from = sources.map { "\"\(FilterPrefix.text($0))\"" }
        return "{ service: \"\(service)\", from: \(oneOrMore(from)) }"
    }
}

extension FilterLimit {
    fileprivate var json: String {
        var parts: [String] = []
        if name != defaultName { parts.append("name: \(ApusConfig.json(name))") }
        switch scope {
        case .source: parts.append("each: \"source\"")
        case .sourcePort: parts.append("each: \"sourcePort\"")
        case .prefix(let ipv4, let ipv6):
            parts.append("each: \"prefix\"")
            if scope != .prefix { parts.append("prefixes: [\"/\(ipv4)\", \"/\(ipv6)\"]") }
        case .all: break
        }
        if let service { parts.append("service: \"\(service)\"") }
        parts.append(
            "rate: " + oneOrMore([packets.map { "\"\($0)\"" }, bits.map { "\"\($0)\"" }].compactMap(\.self)))
        let bursts = [
            packetBurst.map { "\($0)" }, octetBurst.map { "\"\(FilterBurst.octets($0))\"" },
        ].compactMap(\.self)
        if !bursts.isEmpty { parts.append("burst: " + oneOrMore(bursts)) }
        if let ban { parts.append("ban: { over: \(Measure.text(ban.factor)), for: \"\(ban.time)\" }") }
        return "{ \(parts.joined(separator: ", ")) }"
    }
}
