import ApusPorts
import ApusRTP
import ApusWire

extension MetricFamily {
    /// All families, in the order in which they are served.
    static let all = forwarder + ports + devices + steering + streams

    private static let forwarder: [MetricFamily] = [
        one("apus_uptime_seconds", .gauge, "Time since the forwarder was started.") { .fraction($0.uptime) },
        one("apus_received_packets_total", .counter, "Packets taken from the ports.") { .whole($0.received) },
        one(
            "apus_received_bytes_total", .counter,
            "Bytes in the packets taken from the ports, with link-layer header."
        ) { .whole($0.receivedBytes) },
        one("apus_accepted_packets_total", .counter, "Packets that belong to a stream.") {
            .whole($0.accepted)
        },
        one(
            "apus_copied_packets_total", .counter,
            "Packets to be sent: one for each accepted packet and destination."
        ) { .whole($0.copies) },
        one("apus_sent_packets_total", .counter, "Packets handed to a port.") { .whole($0.sent) },
        one(
            "apus_sent_bytes_total", .counter,
            "Bytes in the packets handed to a port, with link-layer header."
        ) { .whole($0.sentBytes) },
        one("apus_waiting_packets", .gauge, "Packets that wait for their next hop to be resolved.") {
            .whole($0.waiting)
        },
        one(
            "apus_completed_checksums_total", .counter,
            "UDP checksums that senders had left to their device and that were completed."
        ) { .whole($0.completedChecksums) },
        one(
            "apus_unverified_checksums_total", .counter,
            "Packets in several segments that went on with a UDP checksum that nobody has verified."
        ) { .whole($0.unverifiedChecksums) },
        one(
            "apus_worker_stalls_total", .counter,
            "How often a worker did not come round for more than 100 ms and its longest sleep."
        ) { .whole($0.stalls) },
        MetricFamily(
            name: "apus_dropped_packets_total", kind: .counter,
            help: "Packets refused or dropped by the forwarder, by reason (apus man explains each).",
            items: { _ in 1 },
            write: { status, _, samples in
                let known = DropReasons.forwarder.labels + DropReasons.malformed.labels
                for (reason, count) in allReasons(known, status.drops) {
                    samples.add(count, ("reason", reason))
                }
            }),
        one("apus_streams", .gauge, "Streams in the configuration.") { .whole(UInt64($0.streams.count)) },
        one("apus_unreachable_destinations", .gauge, "Destinations that can't be reached now.") {
            .whole(UInt64($0.unreachable.count))
        },
    ]

    private static let ports: [MetricFamily] = [
        eachInterface(
            "open",
            "Whether an interface is open: 0 from when it is deleted until one of its name was opened again.",
            \.isOpen),
        eachInterface(
            "receiving",
            "Whether what comes in by an interface can be received: 0 while it is gone or down, or its XDP program off.",
            \.isReceiving),
        eachPort(
            "feature_info", .gauge, "What was asked of a port that is open and what was granted; always 1."
        ) { port in
            port.isOpen
                ? port.features.map {
                    (1, [("feature", $0.name), ("requested", $0.requested), ("granted", $0.granted)])
                } : []
        },
        eachPort("received_packets_total", "Packets that the port handed to the forwarder.", \.received),
        eachPort("received_bytes_total", "Bytes in them, with link-layer header.", \.receivedBytes),
        eachPort("sent_packets_total", "Packets that the kernel or the device has taken.", \.sent),
        eachPort("sent_bytes_total", "Bytes in them, with link-layer header.", \.sentBytes),
        eachPort(
            "pending_packets", .gauge,
            "Packets that the port has taken, and the kernel or the device not yet."
        ) { [($0.pending, [])] },
        eachPort(
            "dropped_packets_total", .counter,
            "Packets dropped by the port, by reason (apus man explains each)."
        ) {
            port in
            allReasons(DropReasons.port.labels, port.drops).map { ($1, [("reason", $0)]) }
        },
    ]

    private static let steering: [MetricFamily] = [
        MetricFamily(
            name: "apus_steered_packets_total", kind: .counter,
            help: "Packets that the XDP program of an interface took to a port.",
            items: { $0.steering.count },
            write: { status, index, samples in
                let steering = status.steering[index]
                samples.add(steering.steered, ("interface", steering.interface))
            }),
        MetricFamily(
            name: "apus_passed_packets_total", kind: .counter,
            help:
                "Packets that the XDP program of an interface left to the kernel, by reason (apus man explains each).",
            items: { $0.steering.count },
            write: { status, index, samples in
                let steering = status.steering[index]
                for (reason, count) in steering.passed.sorted(by: { $0.key < $1.key }) {
                    samples.add(count, ("interface", steering.interface), ("reason", reason))
                }
            }),
    ]

    private static let streams: [MetricFamily] = [
        eachStream("received_packets_total", .counter, "Packets that came for the stream.") {
            .whole($0.packets)
        },
        eachStream("received_bytes_total", .counter, "Bytes of UDP payload in them.") { .whole($0.bytes) },
        eachStream("sent_packets_total", .counter, "Packets of the stream handed to a port.") {
            .whole($0.sent)
        },
        eachStream("dropped_packets_total", .counter, "Packets of the stream dropped on their way out.") {
            .whole($0.dropped)
        },
        eachStream("non_rtp_packets_total", .counter, "Packets that are not RTP.") { .whole($0.notRTP) },
        eachStream("rtcp_packets_total", .counter, "RTCP packets.") { .whole($0.rtcp) },
        eachStream(
            "rtp_unmeasured_packets_total", .counter,
            "RTP packets far out of sequence, or of a source that is not known (yet)."
        ) { .whole($0.unmeasured) },
        // A packet that comes late after all takes one off, so this is no counter.
        eachStream("rtp_lost_packets", .gauge, "RTP packets expected that have not come (RFC 3550 A.3).") {
            .whole($0.lost)
        },
        eachStream(
            "rtp_reordered_packets_total", .counter, "RTP packets that came after one with a later number."
        ) { .whole($0.reordered) },
        eachStream("rtp_duplicate_packets_total", .counter, "RTP packets that came more than once.") {
            .whole($0.duplicates)
        },
        eachStream("rtp_restarts_total", .counter, "Times a source jumped in its sequence and went on there.")
        {
            .whole($0.restarts)
        },
        eachStream("rtp_source_changes_total", .counter, "Times another SSRC took over.") {
            .whole($0.sourceChanges)
        },
        eachStream("rtp_jitter_seconds", .gauge, "Interarrival jitter (RFC 3550 A.8).") {
            $0.jitter.map { .fraction($0 / 1000) }
        },
        eachStream("rtp_ssrc", .gauge, "The synchronization source now, as a number.") {
            $0.ssrc.map { .whole(UInt64($0)) }
        },
        eachStream("last_arrival_timestamp_seconds", .gauge, "When the last packet came, since 1970.") {
            $0.lastArrival > 0 ? .fraction(Double($0.lastArrival) / 1e9) : nil
        },
    ]

    /// The known reasons and those that were counted, each once: a series that begins at 0 shows its first drop.
    static func allReasons(_ known: [String], _ counted: [String: UInt64]) -> [(String, UInt64)] {
        let others = counted.keys.filter { !known.contains($0) }.sorted()
        return (known + others).map { ($0, counted[$0] ?? 0) }
    }

    /// A whole number or a fraction.
    private enum Value {
        case whole(UInt64)
        case fraction(Double)
    }

    private static func one(
        _ name: String, _ kind: Kind, _ help: String, _ value: @escaping @Sendable (ForwarderStatus) -> Value
    ) -> MetricFamily {
        MetricFamily(
            name: name, kind: kind, help: help, items: { _ in 1 },
            write: { status, _, samples in
                switch value(status) {
                case .whole(let number): samples.add(number)
                case .fraction(let number): samples.add(number)
                }
            })
    }

    private static func eachInterface(
        _ name: String, _ help: String, _ value: @escaping @Sendable (ForwarderStatus.Interface) -> Bool
    ) -> MetricFamily {
        MetricFamily(
            name: "apus_interface_\(name)", kind: .gauge, help: help, items: { $0.interfaces.count },
            write: { status, index, samples in
                let interface = status.interfaces[index]
                samples.add(value(interface) ? 1 : 0 as UInt64, ("interface", interface.name))
            })
    }

    private static func eachPort(
        _ name: String, _ help: String,
        _ value: @escaping @Sendable (ForwarderStatus.Port) -> UInt64
    ) -> MetricFamily {
        eachPort(name, .counter, help) { [(value($0), [])] }
    }

    /// Several samples of each port, which differ in further labels.
    private static func eachPort(
        _ name: String, _ kind: Kind, _ help: String,
        _ values: @escaping @Sendable (ForwarderStatus.Port) -> [(UInt64, labels: [(String, String)])]
    ) -> MetricFamily {
        MetricFamily(
            name: "apus_port_\(name)", kind: kind, help: help, items: { $0.ports.count },
            write: { status, index, samples in
                let port = status.ports[index]
                let labels = [
                    ("interface", port.interface), ("queue", "\(port.queue)"), ("backend", port.backend),
                ]
                for (value, more) in values(port) { samples.add(value, labels + more) }
            })
    }

    private static func eachStream(
        _ name: String, _ kind: Kind, _ help: String,
        _ value: @escaping @Sendable (StreamFigures) -> Value?
    ) -> MetricFamily {
        MetricFamily(
            name: "apus_stream_\(name)", kind: kind, help: help, items: { $0.streams.count },
            write: { status, index, samples in
                let stream = status.streams[index]
                switch value(stream.figures) {
                case .whole(let number): samples.add(number, ("stream", stream.name))
                case .fraction(let number): samples.add(number, ("stream", stream.name))
                case nil: break
                }
            })
    }
}
