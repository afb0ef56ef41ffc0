import Apus

/// What is shown of an interface that the kernel does not have.
extension ForwarderStatus.Device {
    /// `up, 10 Gbit/s, full duplex`, `down`, or `unknown`.
    var linkText: String {
        guard let isLinkUp else { return "unknown" }
        var parts = [isLinkUp ? "up" : "down"]
        if let speed = linkMegabits {
            parts.append(speed % 1000 == 0 ? "\(speed / 1000) Gbit/s" : "\(speed) Mbit/s")
        }
        if let isFullDuplex { parts.append(isFullDuplex ? "full duplex" : "half duplex") }
        return parts.joined(separator: ", ")
    }

    /// Its lines in a summary: its link, and what was said besides the packets of streams.
    var lines: [String] {
        func count(_ value: UInt64) -> String { Units.count(Int(clamping: value)) }
        let changed =
            linkChanges > 0 ? ", changed \(count(linkChanges)) time\(linkChanges == 1 ? "" : "s")" : ""
        var lines = ["device \(interface) link \(linkText)\(changed)"]
        for (what, counts) in [
            ("received", received), ("sent", sent), ("dropped", drops), ("neighbors", neighbors),
            ("neighbor events", neighborEvents),
        ] where !counts.isEmpty {
            lines.append("device \(interface) \(what) \(ForwardStatsPage.byReason(counts))")
        }
        if conflicts > 0 { lines.append("device \(interface) address conflicts \(count(conflicts))") }
        if narrowPaths > 0 {
            lines.append("device \(interface) paths of a smaller MTU \(count(narrowPaths))")
        }
        return lines.map(\.printable)
    }
}

extension ForwardStatsPage {
    /// A row for each device.
    static func devices(_ devices: some Sequence<ForwarderStatus.Device>) -> Table {
        var table = Table([
            .init(title: "device"), .init(title: "link"), .init(title: "messages", isNumber: true),
            .init(title: "answered", isNumber: true), .init(title: "dropped", isNumber: true),
            .init(title: "neighbors"),
        ])
        func sum(_ counts: [String: UInt64]) -> String {
            Units.count(Int(clamping: counts.values.reduce(0, +)))
        }
        for device in devices {
            let answers = ["arp_reply", "advertisement", "echo_reply"]
            table.add([
                device.interface, device.linkText, sum(device.received),
                sum(device.sent.filter { answers.contains($0.key) }), sum(device.drops),
                byReason(device.neighbors),
            ])
        }
        return table
    }
}
