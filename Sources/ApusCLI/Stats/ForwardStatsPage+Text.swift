import Apus

extension ForwardStatsPage {
    /// Hours, minutes and seconds: `0:00:07`, `26:03:59`.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(max(0, seconds))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
    }

    /// How long ago something was: `now`, `12 s`, `5 min`, `3 h`, `2 d`, or `-` for never.
    static func age(_ time: UInt64, _ now: UInt64) -> String {
        guard time > 0 else { return "-" }
        let seconds = now > time ? (now - time) / 1_000_000_000 : 0
        switch seconds {
        case ..<2: return "now"
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        case ..<172_800: return "\(seconds / 3600) h"
        default: return "\(seconds / 86_400) d"
        }
    }

    /// A synchronization source as other programs write it: `0xdeadbeef`.
    static func hexadecimal(_ ssrc: UInt32) -> String {
        let digits = String(ssrc, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension ForwarderStatus {
    /// A line for each interface that is gone, or with which something is wrong.
    var closedInterfaceLines: [String] {
        interfaces.filter { !$0.isOpen || $0.reason != nil }.map {
            "interface \($0.name)\($0.isOpen ? "" : " is not open"): \($0.reason ?? "gone")".printable
        }
    }
}

/// One line about a forwarder, for where there is no terminal.
enum ForwardStatsLine {
    static func text(_ status: ForwarderStatus, _ rates: ForwarderRates) -> String {
        let drops = status.drops.values.reduce(0, +)
        var parts = [
            "received \(Units.packetRate(rates.received.packets)) \(Units.bitRate(rates.received.bits))",
            "sent \(Units.packetRate(rates.sent.packets)) \(Units.bitRate(rates.sent.bits))",
            "dropped \(Units.packetRate(rates.dropped))",
            "in all \(Units.count(Int(clamping: status.received))) received, "
                + "\(Units.count(Int(clamping: status.sent))) sent, \(Units.count(Int(clamping: drops))) dropped"
                + (status.waiting > 0 ? ", \(Units.count(Int(clamping: status.waiting))) waiting" : ""),
        ]
        parts += status.closedInterfaceLines
        if !status.unreachable.isEmpty {
            parts.append("\(Units.count(status.unreachable.count)) destinations can't be reached")
        }
        return parts.joined(separator: "; ")
    }
}

/// What is said when a forwarder has ended.
enum ForwardSummary {
    /// Streams that have a line of their own at most.
    static let mostStreams = 20

    static func lines(_ status: ForwarderStatus, isRunning: Bool = false) -> [String] {
        func count(_ value: UInt64) -> String { Units.count(Int(clamping: value)) }
        func packets(_ value: UInt64) -> String { "\(count(value)) packet\(value == 1 ? "" : "s")" }
        var lines = [
            "\(isRunning ? "up" : "ran for") \(ForwardStatsPage.clock(status.uptime))",
            "received \(packets(status.received)), \(Units.bytes(Int(clamping: status.receivedBytes)))",
            "sent \(packets(status.sent)), \(Units.bytes(Int(clamping: status.sentBytes)))",
        ]
        let drops = status.drops.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        lines.append("dropped \(packets(drops.reduce(0) { $0 + $1.value }))")
        for (reason, number) in drops { lines.append("  \(reason) \(count(number))") }
        if status.stalls > 0 { lines.append("worker stalls \(count(status.stalls))") }
        // At the end none is left: those that still waited were dropped as unresolved.
        if status.waiting > 0 { lines.append("waiting for their next hop \(packets(status.waiting))") }
        for port in status.ports where !port.drops.isEmpty {
            let reasons = ForwardStatsPage.byReason(port.drops)
            lines.append("port \(port.interface):\(port.queue) dropped \(reasons)".printable)
        }
        for device in status.devices { lines += device.lines(status.ports) }
        for steering in status.steering {
            let reasons = ForwardStatsPage.byReason(steering.passed)
            guard !reasons.isEmpty else { continue }
            lines.append("interface \(steering.interface) left to the kernel \(reasons)".printable)
        }
        lines += status.closedInterfaceLines
        let unreachable = status.unreachable.sorted { $0.key < $1.key }
        for (destination, reason) in unreachable.prefix(mostStreams) {
            lines.append("\(destination) can't be reached: \(reason)".printable)
        }
        let hidden = unreachable.count - mostStreams
        if hidden > 0 { lines.append("… and \(Units.count(hidden)) more that can't be reached") }
        let order = status.streams.sorted { $0.figures.packets > $1.figures.packets }
        for stream in order.prefix(mostStreams) { lines.append(line(stream)) }
        if order.count > mostStreams {
            lines.append("… and \(Units.count(order.count - mostStreams)) more streams")
        }
        return lines
    }

    private static func line(_ stream: ForwarderStatus.Stream) -> String {
        func count(_ value: UInt64) -> String { Units.count(Int(clamping: value)) }
        let figures = stream.figures
        var parts = ["received \(count(figures.packets))", "sent \(count(figures.sent))"]
        if figures.dropped > 0 { parts.append("dropped \(count(figures.dropped))") }
        if let loss = figures.lossFraction {
            parts.append("lost \(count(figures.lost)) (\(Units.percent(loss)))")
            parts.append("reordered \(count(figures.reordered))")
            parts.append("duplicates \(count(figures.duplicates))")
        }
        if let jitter = figures.jitter {
            parts.append("jitter \(Units.decimal(jitter)) ms")
        } else if figures.ssrc != nil {
            // Not measured, which is not the same as none: the clock of a dynamic payload type must be found out.
            parts.append("jitter unknown, as the clock rate is")
        }
        return "stream \(stream.name): \(parts.joined(separator: ", "))".printable
    }
}
