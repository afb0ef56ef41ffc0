import ApusEndHost
import ApusWire

/// Interfaces that the kernel does not have.
extension MetricFamily {
    static let devices: [MetricFamily] = [
        each("link_up", .gauge, "Whether the link of a device is up.") { device in
            device.isLinkUp.map { [($0 ? 1 : 0, nil)] } ?? []
        },
        each("link_speed_bits_per_second", .gauge, "The speed of a device's link.") { device in
            device.linkMegabits.map { [(UInt64(clamping: $0) &* 1_000_000, nil)] } ?? []
        },
        each("link_full_duplex", .gauge, "Whether a device's link takes packets in both directions at once.")
        { device in
            device.isFullDuplex.map { [($0 ? 1 : 0, nil)] } ?? []
        },
        each("link_changes_total", .counter, "How often the link of a device went up or down.") {
            [($0.linkChanges, nil)]
        },
        each(
            "received_messages_total", .counter,
            "Messages to the host of a device, which the forwarder is, by protocol."
        ) { counts($0.received, EndHostMessage.allCases.map(\.label), "protocol") },
        each("noted_messages_total", .counter, "Those that told something and needed no answer.") {
            [($0.noted, nil)]
        },
        each("path_reports_total", .counter, "Those that told of the way of packets: ICMP errors.") {
            [($0.reported, nil)]
        },
        each(
            "believed_path_reports_total", .counter,
            "Those of them that were about packets of streams, and told of a smaller MTU."
        ) { [($0.believed, nil)] },
        each("sent_messages_total", .counter, "Messages written by the host of a device, by kind.") {
            counts($0.sent, EndHostFrame.allCases.map(\.label), "kind")
        },
        each(
            "dropped_messages_total", .counter,
            "Messages to the host of a device and from it dropped, by reason (apus man explains each)."
        ) {
            counts($0.drops, DropReasons.device.labels + DropReasons.malformed.labels, "reason")
        },
        each("address_conflicts_total", .counter, "Messages of others that use an address of a device's.") {
            [($0.conflicts, nil)]
        },
        each("neighbors", .gauge, "Neighbors of a device, by state (RFC 4861 section 7.3.2).") {
            counts($0.neighbors, NeighborStatus.State.allCases.map(\.rawValue), "state")
        },
        each(
            "neighbor_events_total", .counter,
            "Neighbors that have not answered, have another address, were given up for newer ones, or had no room."
        ) { counts($0.neighborEvents, ForwarderStatus.Device.neighborEventNames, "event") },
        each("narrow_paths", .gauge, "Destinations to which less than the MTU gets through, as routers said.")
        {
            [($0.narrowPaths, nil)]
        },
    ]

    private static func counts(
        _ counted: [String: UInt64], _ known: [String], _ label: String
    ) -> [(UInt64, (String, String)?)] {
        allReasons(known, counted).map { ($1, (label, $0)) }
    }

    /// Samples of each device, which differ in a further label where there are several.
    private static func each(
        _ name: String, _ kind: Kind, _ help: String,
        _ values: @escaping @Sendable (ForwarderStatus.Device) -> [(UInt64, (String, String)?)]
    ) -> MetricFamily {
        MetricFamily(
            name: "apus_device_\(name)", kind: kind, help: help, items: { $0.devices.count },
            write: { status, index, samples in
                let device = status.devices[index]
                for (value, label) in values(device) {
                    samples.add(value, [("interface", device.interface)] + (label.map { [$0] } ?? []))
                }
            })
    }
}
