import Apus

/// The figures of filters in the text format of Prometheus.
enum FilterMetrics {
    /// A metric, and its samples for one filter: labels behind the interface, and a value.
    private struct Family: Sendable {
        let name: String
        let kind: String
        let help: String
        let samples: @Sendable (FilterStatus) -> [([(String, String)], String)]

        init(
            _ name: String, _ kind: String, _ help: String,
            _ samples: @escaping @Sendable (FilterStatus) -> [([(String, String)], String)]
        ) {
            (self.name, self.kind, self.help, self.samples) = ("apus_filter_\(name)", kind, help, samples)
        }

        /// One with a single sample.
        init(
            one name: String, _ kind: String, _ help: String,
            _ value: @escaping @Sendable (FilterStatus) -> any FixedWidthInteger
        ) {
            self.init(name, kind, help) { [([], "\(value($0))")] }
        }
    }

    /// The metrics of filters, each with its help and type, also where there are no filters.
    ///
    /// - Parameter takenOff: interfaces whose filter another tool has taken off.
    static func text(_ filters: [FilterStatus], takenOff: [String] = []) -> String {
        let attached = "apus_filter_attached"
        var text =
            "# HELP \(attached) Whether the filter is on its interface: 0 when another tool has taken it off.\n"
            + "# TYPE \(attached) gauge\n"
        for (interface, value) in filters.map({ ($0.interface, 1) }) + takenOff.map({ ($0, 0) }) {
            text += "\(attached){interface=\"\(escaped(interface))\"} \(value)\n"
        }
        for family in families {
            text += "# HELP \(family.name) \(family.help)\n# TYPE \(family.name) \(family.kind)\n"
            for filter in filters {
                for (labels, value) in family.samples(filter) {
                    let all = ([("interface", filter.interface)] + labels).map { "\($0)=\"\(escaped($1))\"" }
                    text += "\(family.name){\(all.joined(separator: ","))} \(value)\n"
                }
            }
        }
        return text
    }

    /// A text within the double quotes of a label.
    static func escaped(_ text: String) -> String {
        text.escaping(["\\": "\\\\", "\"": "\\\"", "\n": "\\n"])
    }

    private static func reasons(
        _ status: FilterStatus, _ value: (FilterCount) -> UInt64
    ) -> [([(String, String)], String)] {
        FilterReason.allCases.map { reason in
            (
                [("verdict", reason.passes ? "pass" : "drop"), ("reason", reason.label)],
                "\(value(status.reasons[reason] ?? FilterCount()))"
            )
        }
    }

    private static func limits(
        _ status: FilterStatus, _ value: (FilterCount) -> UInt64
    ) -> [([(String, String)], String)] {
        status.limits.map { ([("limit", $0.limit.name)], "\(value($0.dropped))") }
    }

    private static let families = [
        Family("info", "gauge", "How a filter sits on its interface; always 1.") { status in
            [
                (
                    [
                        ("mode", status.mode.rawValue), ("dispatcher", "\(status.usesDispatcher)"),
                        ("version", status.version),
                    ], "1"
                )
            ]
        },
        Family(one: "loaded_timestamp_seconds", "gauge", "When it was loaded.") { $0.loadedAt },
        Family(one: "changed_timestamp_seconds", "gauge", "When its rules were last changed as a whole.") {
            $0.changedAt
        },
        Family(one: "dry_run", "gauge", "Whether all packets pass, and drops are only counted.") {
            $0.isDryRun ? 1 : 0
        },
        Family(
            "packets_total", "counter",
            "Packets by what became of them, apart from those that limits dropped (apus man explains each reason)."
        ) { reasons($0, \.packets) },
        Family("bytes_total", "counter", "Bytes of those, of Ethernet frames without their check sequence.") {
            reasons($0, \.octets)
        },
        Family("limit_dropped_packets_total", "counter", "Packets that a limit dropped.") {
            limits($0, \.packets)
        },
        Family("limit_dropped_bytes_total", "counter", "Bytes of those.") { limits($0, \.octets) },
        Family(one: "entries", "gauge", "Entries of the lists.") { $0.entries },
        Family(one: "sources", "gauge", "Sources that limits keep.") { $0.sources.known },
        Family(one: "sources_capacity", "gauge", "Sources that there is room for.") { $0.sources.capacity },
        Family(one: "sources_places", "gauge", "Places of the table of sources, about twice as many.") {
            $0.sources.places
        },
        Family(one: "sources_bytes", "gauge", "Memory of the table of sources.") { $0.sources.bytes },
        Family(
            one: "evicted_sources_total", "counter",
            "Sources that gave their place to others with full buckets."
        ) {
            $0.sources.evicted
        },
        Family(
            one: "forgotten_sources_total", "counter",
            "Sources that gave their place to others before their buckets were full."
        ) { $0.sources.forgotten },
        Family(one: "bans", "gauge", "Sources that are banned.") { $0.bans.count },
        Family(one: "bans_capacity", "gauge", "Sources that can be banned at a time.") { $0.banCapacity },
        Family(one: "bans_total", "counter", "Bans there were.") { $0.totalBans },
    ]
}
