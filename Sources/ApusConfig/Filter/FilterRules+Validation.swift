import ApusWire

extension FilterRules {
    /// Refuses what can't be put in force: numbers out of range, contradictions, and what is meant in vain.
    ///
    /// Reading a file does this already; rules built in code are checked by whoever puts them in force. It takes time
    /// in proportion to the number of entries.
    public func validate() throws(ConfigurationErrors) {
        let report = ConfigurationReport(on: source)
        validate(report)
        try report.check()
    }

    func validate(_ report: ConfigurationReport) {
        report.check(sourceCapacity, .filterSources, at: map["sources"])
        report.check(banCapacity, .filterBans, at: map["bans"])
        validateManagement(report)
        validateEntries(report)
        validatePorts(report)
        validateLimits(report)
    }

    private func validateManagement(_ report: ConfigurationReport) {
        if management.count > Self.mostManagement {
            report.add(
                "there are \(management.count) services of management, and \(Self.mostManagement) at most are possible",
                at: management[Self.mostManagement].map.whole)
        }
        for one in management { one.validate(report) }
    }

    private func validateLimits(_ report: ConfigurationReport) {
        if limits.count > Self.mostLimits {
            report.add(
                "there are \(limits.count) limits, and \(Self.mostLimits) at most are possible",
                at: limits[Self.mostLimits].map.whole)
            return
        }
        for (index, limit) in limits.enumerated() {
            limit.validate(report)
            // Two for the same packets may be, a fast and a slow one, as long as they are told apart.
            guard let same = limits[..<index].first(where: { $0.name == limit.name }) else { continue }
            guard same.scope == limit.scope, same.service == limit.service else {
                report.add(
                    "two limits have the name \(limit.name.quoted); give each a name of its own",
                    at: limit.map["name"], notes: [.init("the first is here", at: same.map["name"])])
                continue
            }
            let isOfOneKind =
                same.packets != nil && limit.packets != nil || same.bits != nil && limit.bits != nil
            report.add(
                "there are two limits \(limit.name.quoted); give each a name of its own"
                    + (isOfOneKind
                        ? "" : ", or put their rates into one, such as rate: [\"1000pps\", \"10Mbit\"]"),
                at: limit.map.whole, notes: [.init("the first is here", at: same.map.whole)])
        }
    }
}

extension ManagementService {
    fileprivate func validate(_ report: ConfigurationReport) {
        service.validate(report)
        if sources.count > FilterRules.mostManagementSources {
            report.add(
                "\(service) is reached from \(sources.count) networks, and \(FilterRules.mostManagementSources) at most are "
                    + "possible; write shorter prefixes",
                at: map["from"])
            return
        }
        for (index, prefix) in sources.enumerated() {
            let place = map["from", index]
            if let refusal = FilterPrefix.refusal(of: prefix) {
                report.add(refusal, at: place)
            } else if let destination = service.destination,
                destination.address.bitCount != prefix.address.bitCount
            {
                report.add(
                    "nothing comes from \(FilterPrefix.text(prefix)) to \(FilterPrefix.text(destination)): one is IPv4, "
                        + "the other IPv6",
                    at: place)
            }
        }
    }
}

extension FilterService {
    func validate(_ report: ConfigurationReport) {
        if isAny {
            report.add(
                "a service says at least one of \"to\", \"protocol\" and \"ports\", such as { protocol: \"udp\" }",
                at: map.whole)
        }
        if let destination, let refusal = FilterPrefix.refusal(of: destination) {
            report.add(refusal, at: map["to"])
        }
        if ports != nil, let ipProtocol, Transport(ipProtocol: ipProtocol) == nil {
            report.add(
                "\(IPProtocolName.text(ipProtocol)) has no ports that are looked at; only tcp and udp have",
                at: map["ports"])
        }
    }
}

extension IntegerRule {
    static let filterSources = IntegerRule(range: 1024...FilterRules.mostSources, unit: "a number of sources")
    static let filterBans = IntegerRule(range: 1...FilterRules.mostBans, unit: "a number of bans")
}
