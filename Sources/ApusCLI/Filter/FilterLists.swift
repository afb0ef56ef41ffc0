import Apus

/// `apus filter allow`, `apus filter deny` and `apus filter remove`.
extension FilterCommand {
    private static let lifetime = Option(
        long: "for", value: .init(name: "TIME"), help: "How long it holds, such as 10m or 1h30m.",
        defaultText: "for good")
    private static let limited = Option(
        long: "limited", help: "Apply the limits to these sources all the same.")
    private static let limitName = Option(
        long: "limit", value: .init(name: "NAME", completion: .filterWords(.limits)),
        help: "Remove the limit of this name.", repeats: true)
    private static let what = Argument(
        name: "WHAT",
        help:
            "A source, 198.51.100.7 or 198.51.100.0/24; a port that packets go to, udp/5004, tcp/6000-6063 or port/53 for both; "
            + "a port that they come from, from:udp/11211; or a protocol, such as gre.",
        repeats: true, completion: .filterWords(.subjects))

    static let allow = Command(
        name: "allow",
        otherNames: ["accept", "permit", "pass"],
        summary: "let sources, ports or protocols pass",
        discussion: [
            "A source that is allowed passes without limits, unless --limited is there. Of prefixes the longest decides, and of "
                + "ranges of ports the one with the fewest ports. What is there already about the same is replaced."
        ],
        usage: ["IF WHAT… [--for TIME] [--limited]"],
        options: [lifetime, limited],
        arguments: [interface, what],
        examples: [
            Example(purpose: "Trust a network", line: "sudo apus filter allow eth0 192.0.2.0/24"),
            Example(
                purpose: "Take one host out of a network that is denied, within the limits",
                line: "sudo apus filter allow eth0 203.0.113.7 --limited"),
        ],
        run: { invocation throws(ExitFailure) in try add(.allow, invocation) })

    static let deny = Command(
        name: "deny",
        otherNames: ["drop", "block", "ban"],
        summary: "drop what comes from sources, to or from ports, or of protocols",
        discussion: [
            "Of prefixes the longest decides, and of ranges of ports the one with the fewest ports. What is there already "
                + "about the same is replaced. Services of management pass all the same."
        ],
        usage: ["IF WHAT… [--for TIME]"],
        options: [lifetime],
        arguments: [interface, what],
        examples: [
            Example(
                purpose: "Drop a network for an hour",
                line: "sudo apus filter deny eth0 203.0.113.0/24 --for 1h"),
            Example(
                purpose: "Drop answers that nobody asked for, of memcached and of NTP",
                line: "sudo apus filter deny eth0 from:udp/11211 from:udp/123"),
        ],
        run: { invocation throws(ExitFailure) in try add(.deny, invocation) })

    static let remove = Command(
        name: "remove",
        otherNames: ["delete", "del", "rm", "unban"],
        summary: "take entries off the lists, bans off sources, or limits out",
        usage: ["IF WHAT…", "IF --limit NAME…"],
        options: [limitName],
        arguments: [
            interface,
            Argument(
                name: "WHAT", help: "What is allowed, denied or banned, as it was written.",
                isRequired: false,
                repeats: true, completion: .filterWords(.entries)),
        ],
        examples: [
            Example(purpose: "No longer drop a network", line: "sudo apus filter remove eth0 203.0.113.0/24"),
            Example(
                purpose: "Remove a limit", line: "sudo apus filter remove eth0 --limit 'source udp/5004'"),
        ],
        run: { invocation throws(ExitFailure) in
            let interface = try invocation.kernelInterface()
            let subjects = try subjects(invocation)
            var names: [String] = []
            for name in invocation.texts(limitName) where !names.contains(name) { names.append(name) }
            guard !subjects.isEmpty || !names.isEmpty else {
                throw ExitFailure(
                    .usage, "what is to be removed? name an entry, or a limit with --limit NAME")
            }
            try make(
                subjects.map(FilterChange.remove) + names.map(FilterChange.removeLimit), on: interface,
                invocation)
        })

    private static func add(_ verdict: FilterPolicy, _ invocation: Invocation) throws(ExitFailure) {
        let interface = try invocation.kernelInterface()
        let time = try invocation.value(lifetime, as: FilterDuration.self)
        let isLimited = verdict == .allow && invocation.has(limited)
        let entries = try subjects(invocation).map {
            FilterEntry($0, verdict, lifetime: time, isLimited: isLimited)
        }
        var alone = FilterRules()
        alone.entries = entries
        do throws(ConfigurationErrors) {
            // Before anything is asked of the kernel.
            try alone.validate()
        } catch {
            throw ExitFailure(.usage, error.errors.map(\.message).joined(separator: "\n"))
        }
        try make(entries.map(FilterChange.put), on: interface, invocation)
        // Whoever changes the rules at this moment is no failure of this command.
        guard verdict == .deny, let management = try? filter(on: interface).management() else { return }
        FilterRemarks.warn(ofDenied: entries, passing: management, invocation.errorOutput)
    }

    /// What the arguments behind the interface name.
    private static func subjects(_ invocation: Invocation) throws(ExitFailure) -> [FilterSubject] {
        var subjects: [FilterSubject] = []
        for text in invocation.arguments.dropFirst() {
            do {
                let subject = try FilterSubject(text)
                if !subjects.contains(subject) { subjects.append(subject) }
            } catch {
                throw ExitFailure(.usage, error.message)
            }
        }
        return subjects
    }
}
