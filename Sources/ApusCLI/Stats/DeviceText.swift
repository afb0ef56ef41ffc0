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

    /// Its lines in a summary: what it is, what was granted, its link, and what was said besides the packets of streams.
    ///
    /// - Parameter ports: all queues, of which those are its own that have its name.
    func lines(_ ports: [ForwarderStatus.Port]) -> [String] {
        func count(_ value: UInt64) -> String { Units.count(Int(clamping: value)) }
        let changed =
            linkChanges > 0 ? ", changed \(count(linkChanges)) time\(linkChanges == 1 ? "" : "s")" : ""
        let place = node.map { ", NUMA node \($0)" } ?? ""
        var lines = ["device \(interface) has \(mac), MTU \(mtu)\(place)"]
        lines += list("addresses", addresses)
        lines += list("granted", Self.granted(ports.filter { $0.interface == interface && $0.isOpen }))
        lines.append("device \(interface) link \(linkText)\(changed)")
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

    /// Lines of 100 columns at most, each of which says what is listed.
    private func list(_ what: String, _ items: [String]) -> [String] {
        guard !items.isEmpty else { return [] }
        let start = "device \(interface) \(what) "
        // An item is not broken: the spaces in it are none for the while.
        let text = items.map { $0.replacing(" ", with: "\u{a0}") }.joined(separator: ", ")
        return wrapped(text, width: max(40, 100 - displayWidth(start))).map {
            start + $0.replacing("\u{a0}", with: " ")
        }
    }

    /// What was granted of what was asked for; where queues differ, what each got.
    private static func granted(_ all: [ForwarderStatus.Port]) -> [String] {
        let ports = all.filter { !GrantText.isShare($0.features.map { ($0.name, $0.granted) }) }
        guard let first = ports.first else { return [] }
        return first.features.filter { $0.name != "backend" && ($0.requested, $0.granted) != ("no", "no") }
            .map { feature in
                let all = ports.map { port in
                    port.features.first { $0.name == feature.name }?.granted ?? "none"
                }
                return "\(feature.name) \(Set(all).count == 1 ? feature.granted : all.joined(separator: "/"))"
            }
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
