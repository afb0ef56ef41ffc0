extension FilterRules {
    /// Reads and validates rules. All that is wrong with them is in the error, up to a limit.
    public init(parsing source: ConfigurationSource) throws(ConfigurationErrors) {
        let report = ConfigurationReport(on: source)
        let root: JSON5Value
        do {
            root = try JSON5Parser.parse(source, limits: .filter, report: report)
        } catch {
            throw ConfigurationErrors([error])
        }
        if case .object(let members) = root.kind, let streams = members.first(where: { $0.key == "streams" })
        {
            report.add(
                "this is a configuration of `apus forward`, as it has \"streams\"; a filter's rules are another file, such "
                    + "as { limits: [{ each: \"source\", rate: \"1000pps\" }] }",
                at: .text(streams.position))
            try report.check()
        }
        let read = ObjectReader.read(root, report: report, expected: "an object: { limits: […] }") {
            Self.read(&$0, source: source)
        }
        read?.validate(report)
        try report.check()
        // Without an error the root was an object, and was read.
        self = read!
    }

    /// Reads and validates rules; errors call the text by `name`.
    public init(parsing text: String, name: String) throws(ConfigurationErrors) {
        try self.init(parsing: ConfigurationSource(name: name, text: text))
    }

    /// Reads and validates the rules in a file, or in standard input where `file` is `-`; pipes and devices are as for
    /// ``ForwarderConfiguration/init(file:)``.
    public init(file: String) throws(ConfigurationFileError) {
        let source = try ConfigurationSource(file: file, limit: JSON5Limits.filter.bytes)
        do {
            try self.init(parsing: source)
        } catch {
            throw .invalid(error)
        }
    }

    private static func read(_ reader: inout ObjectReader, source: ConfigurationSource) -> FilterRules {
        var result = FilterRules()
        result.source = source
        reader.read("policy", into: &result.policy)
        reader.read("dryRun", into: &result.isDryRun)
        reader.read("malformed", into: &result.malformed)
        reader.read("fragments", into: &result.fragments)
        reader.read("notIP", into: &result.notIP)
        reader.read("limitNeighbors", into: &result.limitsNeighbors)
        let report = reader.report
        if let management = reader.list(
            "management", expected: "an array of services, such as [\"tcp/22\"]",
            { ManagementService.read($0, report) })
        {
            result.management = management
        }
        reader.read("sources", into: &result.sourceCapacity)
        reader.read("bans", into: &result.banCapacity)
        for verdict in FilterPolicy.allCases {
            let list = reader.list(
                verdict.rawValue, expected: "an array, such as [\"198.51.100.0/24\", \"udp/5004\"]",
                { FilterEntry.read($0, verdict, report) })
            result.entries += list ?? []
        }
        result.limits = reader.objects("limits", FilterLimit.read) ?? []
        result.map = reader.map
        return result
    }
}

extension JSON5Limits {
    /// What the text of a filter's rules may not exceed: it has room for a million prefixes, each in an object.
    static var filter: JSON5Limits {
        var limits = JSON5Limits()
        (limits.bytes, limits.values) = (128 << 20, 1 << 22)
        return limits
    }
}

/// Reads one value, or notes why it can't be had.
private func read<Value: ConfigurationValue>(_ value: JSON5Value, _ report: ConfigurationReport) -> Value? {
    do {
        return try Value.read(value)
    } catch {
        report.add(error.message, at: .text(value.position))
        return nil
    }
}

extension FilterEntry {
    fileprivate static func read(
        _ value: JSON5Value, _ verdict: FilterPolicy, _ report: ConfigurationReport
    ) -> FilterEntry? {
        guard case .object = value.kind else {
            let subject: FilterSubject? = ApusConfig.read(value, report)
            return subject.map { FilterEntry($0, verdict, map: SourceMap(.text(value.position))) }
        }
        return ObjectReader.read(value, report: report, expected: "an object") { reader in
            let subject = reader.required("match", as: FilterSubject.self)
            let lifetime = reader.optional("for", as: FilterDuration.self)
            let isLimited = reader.optional("limited", as: Bool.self) ?? false
            return subject.map {
                FilterEntry($0, verdict, lifetime: lifetime, isLimited: isLimited, map: reader.map)
            }
        } ?? nil
    }
}

extension FilterService {
    fileprivate static func read(_ value: JSON5Value, _ report: ConfigurationReport) -> FilterService? {
        guard case .object = value.kind else {
            var service: FilterService? = ApusConfig.read(value, report)
            service?.map = SourceMap(.text(value.position))
            return service
        }
        return ObjectReader.read(value, report: report, expected: "an object") { reader in
            let destination = reader.optional("to", as: FilterNetwork.self)?.prefix
            let ipProtocol = reader.optional("protocol", as: ServiceProtocol.self)?.number
            let ports = reader.optional("ports", as: ServicePorts.self)?.range
            let given = ["to", "protocol", "ports"].count { reader.value($0) != nil }
            // Of one that was refused it has been said; the rest would be another service than was meant.
            guard given == [destination != nil, ipProtocol != nil, ports != nil].count(where: { $0 }) else {
                return nil
            }
            return FilterService(
                destination: destination, ipProtocol: ipProtocol, ports: ports, map: reader.map)
        } ?? nil
    }
}

extension ManagementService {
    fileprivate static func read(_ value: JSON5Value, _ report: ConfigurationReport) -> ManagementService? {
        guard case .object = value.kind else {
            return FilterService.read(value, report).map {
                ManagementService($0, map: SourceMap(.text(value.position)))
            }
        }
        return ObjectReader.read(value, report: report, expected: "an object") { reader in
            let sources = reader.oneOrMore("from", of: FilterNetwork.self)?.map(\.prefix)
            if let sources, sources.isEmpty {
                report.add("\"from\" is empty; leave it out where anywhere is meant", at: reader.map["from"])
            }
            guard let written = reader.value("service") else {
                report.add(
                    "\"service\" is missing: expected \(FilterService.expectation)", at: reader.map.whole)
                return nil
            }
            return FilterService.read(written, report).map {
                ManagementService($0, from: sources ?? [], map: reader.map)
            }
        } ?? nil
    }
}

/// The words of a limit's `each`.
private enum ScopeWord: String, ConfigurationWord {
    case source, prefix, sourcePort

    static func refusal(of word: String) -> String? {
        word == "all" ? "without \"each\" a limit is for all packets together; leave it out" : nil
    }
}

extension FilterLimit {
    fileprivate static func read(_ reader: inout ObjectReader) -> FilterLimit? {
        let report = reader.report
        let name = reader.optional("name", as: String.self)
        let scope = readScope(&reader)
        let serviceValue = reader.value("service")
        let service = serviceValue.flatMap { FilterService.read($0, report) }
        let rates = readRates(&reader)
        let bursts = reader.oneOrMore("burst", of: FilterBurst.self) ?? []
        let ban = reader.object("ban", Ban.read)
        // What follows from a part that was refused is no error of its own.
        guard let scope, let rates, serviceValue == nil || service != nil else { return nil }
        var limit = FilterLimit(name: name, scope: scope, service: service, map: reader.map)
        for rate in rates {
            switch rate {
            case .packets(let rate): limit.packets = rate
            case .bits(let rate): limit.bits = rate
            }
        }
        for (index, burst) in bursts.enumerated() {
            switch burst {
            case .packets(let count):
                if limit.packetBurst != nil { twice("burst of packets", "burst", index, reader) }
                limit.packetBurst = count
            case .octets(let count):
                if limit.octetBurst != nil { twice("burst of octets", "burst", index, reader) }
                limit.octetBurst = count
            }
        }
        if let (ban, map) = ban ?? nil {
            limit.ban = ban
            limit.map["over"] = map["over"]
            limit.map["for"] = map["for"]
        }
        return limit
    }

    private static func twice(_ what: String, _ key: String, _ index: Int, _ reader: ObjectReader) {
        reader.report.add("a limit has one \(what); leave this out", at: reader.map[key, index])
    }

    private static func readScope(_ reader: inout ObjectReader) -> Scope? {
        let written = reader.value("each")
        let word = reader.optional("each", as: ScopeWord.self)
        let lengthsValue = reader.value("prefixes")
        let hasLengths = lengthsValue != nil
        if let lengthsValue, case .string = lengthsValue.kind {
            reader.report.add(
                "expected two lengths, for IPv4 and for IPv6, such as [\"/24\", \"/64\"], found one text",
                at: reader.map["prefixes"])
            return nil
        }
        let lengths = reader.array("prefixes", of: PrefixLength.self)
        guard written == nil || word != nil else { return nil }
        if hasLengths, word != .prefix {
            reader.report.add(
                "\"prefixes\" are for a limit on each of them; write each: \"prefix\", or leave them out",
                at: reader.map["prefixes"])
            return nil
        }
        switch word {
        case nil: return .all
        case .source: return .source
        case .sourcePort: return .sourcePort
        case .prefix:
            guard hasLengths else { return .prefix }
            guard let lengths else { return nil }
            guard lengths.count == 2 else {
                reader.report.add(
                    "expected two lengths, for IPv4 and for IPv6, such as [\"/24\", \"/64\"], found \(lengths.count)",
                    at: reader.map["prefixes"])
                return nil
            }
            return .prefix(ipv4: lengths[0].bits, ipv6: lengths[1].bits)
        }
    }

    private static func readRates(_ reader: inout ObjectReader) -> [FilterRate]? {
        guard reader.value("rate") != nil else {
            reader.report.add(
                "\"rate\" is missing: expected \(FilterRate.expectation)", at: reader.map.whole)
            return nil
        }
        guard let rates = reader.oneOrMore("rate", of: FilterRate.self) else { return nil }
        var (packets, bits) = (0, 0)
        for (index, rate) in rates.enumerated() {
            switch rate {
            case .packets:
                packets += 1
                if packets == 2 { twice("rate of packets", "rate", index, reader) }
            case .bits:
                bits += 1
                if bits == 2 { twice("rate of bits", "rate", index, reader) }
            }
        }
        return rates
    }
}

extension FilterLimit.Ban {
    fileprivate static func read(_ reader: inout ObjectReader) -> (FilterLimit.Ban, SourceMap)? {
        let factor = reader.required("over", as: Double.self)
        let time = reader.required("for", as: FilterDuration.self)
        guard let factor, let time else { return nil }
        return (FilterLimit.Ban(over: factor, for: time), reader.map)
    }
}
