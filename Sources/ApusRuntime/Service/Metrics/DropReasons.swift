import ApusEndHost
import ApusPorts
import ApusRTP
import ApusWire
import ApusXDP

/// The names under which one kind of what does not go on is counted, in a status as in metrics, and what each means.
package struct DropReasons: Sendable {
    /// Who counts it.
    package let title: String
    /// What is counted, and under which metrics.
    package let meaning: String
    /// The names, each with a sentence.
    package let reasons: [(label: String, sentence: String)]

    /// All there are.
    package static let all = [forwarder, malformed, port, device, steering]

    /// The names alone.
    var labels: [String] { reasons.map(\.label) }

    static let forwarder = DropReasons(
        title: "Dropped by the forwarder",
        meaning: "Packets of all streams: \"dropped\" in a status, apus_dropped_packets_total.",
        reasons: RelayDrop.allCases.map { ($0.label, $0.description) })
    static let malformed = DropReasons(
        title: "Dropped as they are malformed, or of no use here",
        meaning:
            "What does not parse, or is not what is looked for. They are counted with those of the forwarder, and with those of "
            + "the host of a device.",
        reasons: ParseFailure.allCases.map { ($0.label, $0.description) })
    static let port = DropReasons(
        title: "Dropped by a port",
        meaning:
            "Packets of one queue of an interface: \"port\" in a status, apus_port_dropped_packets_total.",
        reasons: PortDrop.allCases.map { ($0.label, $0.description) })
    static let device = DropReasons(
        title: "Dropped by the host of a device",
        meaning:
            "Messages, such as ARP and ICMP, on a device of DPDK's, for which the forwarder is the host: \"device\" in a status, "
            + "apus_device_dropped_messages_total. Packets of streams are not among them.",
        reasons: DeviceDrop.allCases.map { ($0.rawValue, $0.sentence) }
            + EndHostDrop.allCases.map { ($0.label, $0.description) })
    static let steering = DropReasons(
        title: "Left to the kernel by the XDP program",
        meaning:
            "Packets that are not lost, as the kernel gets them: \"left to the kernel\" in a status, apus_passed_packets_total.",
        reasons: SteeringCounters.passes.map { ($0.reason, $0.sentence) })
}
