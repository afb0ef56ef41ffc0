import Apus

/// `apus filter status`.
extension FilterCommand {
    static let status = Command(
        name: "status",
        otherNames: ["list", "ls", "show", "stats", "info"],
        summary: "show what filters have let pass and dropped",
        discussion: [
            "Packets and bytes since the filter was loaded, by what became of them and by the limit that dropped them; how "
                + "full the table of sources is, and who is banned. Bytes are those of Ethernet frames without their check "
                + "sequence. In a dry run what is counted as dropped has passed all the same."
        ],
        options: [json],
        arguments: [optionalInterface],
        examples: [
            Example(purpose: "See what was dropped", line: "sudo apus filter status eth0"),
            Example(
                purpose: "What each limit has dropped, with jq(1)",
                line:
                    "sudo apus filter status --json | jq -r '.filters[].limits[] | [.name, .dropped.packets] | @tsv'"
            ),
        ],
        run: { invocation throws(ExitFailure) in
            let (all, failure) = try statuses(invocation)
            let takenOff = invocation.arguments.isEmpty ? try takenOff() : []
            let output = invocation.output
            if invocation.has(json) {
                output.json(
                    FilterStatusReport(
                        filters: all.map(FilterStatusReport.Filter.init),
                        takenOff: takenOff.map(FilterStatusReport.TakenOff.init)),
                    spread: output.isTerminal)
                if let failure { throw failure }
                return
            }
            for error in takenOff { output.line("\(error)".printable) }
            if all.isEmpty, takenOff.isEmpty, failure == nil {
                output.line(
                    "no filter is loaded in this network namespace; load one with `apus filter load IF`")
            }
            for (index, status) in all.enumerated() {
                if index > 0 || !takenOff.isEmpty { output.line("") }
                let page = FilterStatusPage(status, now: secondsNow, width: output.width, style: output.style)
                output.write(page.lines.map { $0 + "\n" }.joined())
            }
            if invocation.arguments.isEmpty {
                let others = try filtering { () throws(FilterError) in try RateLimitFilter.countElsewhere() }
                if others > 0 {
                    output.line(
                        "\(others) filter\(others == 1 ? " is" : "s are") kept for other network namespaces, "
                            + "some of which may have ended")
                }
            }
            if let failure { throw failure }
        })
}

/// What `apus filter status --json` prints.
struct FilterStatusReport: Encodable {
    var filters: [Filter]
    /// Those that another tool has taken off their interface.
    var takenOff: [TakenOff]

    struct TakenOff: Encodable {
        var interface: String
        /// The XDP programs that are there now.
        var programs: [String]

        init(_ error: FilterError) {
            interface = error.interface
            if case .takenOff(let now) = error.cause { programs = now } else { programs = [] }
        }
    }

    struct Count: Encodable {
        var packets: UInt64
        var bytes: UInt64

        init(_ count: FilterCount) { (packets, bytes) = (count.packets, count.octets) }
    }

    struct Limit: Encodable {
        var name: String
        var each: String
        var service: String?
        var rate: [String]
        var dropped: Count
    }

    struct Sources: Encodable {
        var known: UInt64
        var capacity: Int
        var places: Int
        var evicted: UInt64
        var forgotten: UInt64
        var bytes: Int
    }

    struct Ban: Encodable {
        var source: String
        /// What is left of it.
        var seconds: Double
        var limit: String?
    }

    struct Filter: Encodable {
        var interface: String
        var mode: String
        var dispatcher: Bool
        /// Nanoseconds of the ticks that the time is told by; none where it is told to the nanosecond.
        var tick: UInt64?
        var withoutCalls: Bool
        var remarks: [String]
        var version: String
        /// Seconds since 1970.
        var loaded: Int
        var changed: Int
        var dryRun: Bool
        var policy: String
        var entries: Int
        var passed: Count
        var dropped: Count
        var reasons: [String: Count]
        var limits: [Limit]
        var sources: Sources
        var bans: [Ban]
        /// How many bans there were.
        var banned: UInt64
        /// How many there can be at a time.
        var banCapacity: Int

        init(_ status: FilterStatus) {
            (interface, mode, dispatcher) = (status.interface, status.mode.rawValue, status.usesDispatcher)
            (tick, withoutCalls) = (status.tick, status.isWithoutCalls)
            (remarks, version) = (status.remarks, status.version)
            (loaded, changed) = (status.loadedAt, status.changedAt)
            (dryRun, policy, entries) = (status.isDryRun, status.policy.rawValue, status.entries)
            (passed, dropped) = (Count(status.passed), Count(status.dropped))
            reasons = [:]
            for (reason, count) in status.reasons { reasons[reason.label] = Count(count) }
            limits = status.limits.map { one in
                Limit(
                    name: one.limit.name, each: "\(one.limit.scope)",
                    service: one.limit.service.map { "\($0)" }, rate: one.limit.rateTexts,
                    dropped: Count(one.dropped))
            }
            sources = Sources(
                known: status.sources.known, capacity: status.sources.capacity,
                places: status.sources.places, evicted: status.sources.evicted,
                forgotten: status.sources.forgotten,
                bytes: status.sources.bytes)
            bans = status.bans.map {
                Ban(source: "\($0.source)", seconds: Double($0.left.nanoseconds) / 1e9, limit: $0.limit)
            }
            (banned, banCapacity) = (status.totalBans, status.banCapacity)
        }
    }
}

extension FilterLimit {
    /// Its rates as rules have them.
    var rateTexts: [String] {
        [packets.map { "\($0)" }, bits.map { "\($0)" }].compactMap(\.self)
    }
}
