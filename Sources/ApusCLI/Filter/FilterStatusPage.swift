import Apus
import Glibc

/// Seconds since 1970.
var secondsNow: Int { time(nil) }

/// What `apus filter status` shows of one filter.
struct FilterStatusPage {
    private let status: FilterStatus
    private let now: Int
    private let width: Int
    private let style: Style

    /// The most bans that are listed.
    private static let mostBans = 20

    /// - Parameter now: seconds since 1970.
    init(_ status: FilterStatus, now: Int, width: Int, style: Style) {
        (self.status, self.now, self.width, self.style) = (status, now, width, style)
    }

    var lines: [String] {
        var lines = [style.bold(head)] + status.remarks.map { "  \($0)".printable }
        if status.isDryRun {
            lines.append(
                "  " + style.yellow("dry run: all packets pass, and what is dropped below has passed"))
        }
        let entries = Units.count(status.entries)
        lines.append(
            "  policy \(status.policy.rawValue), \(entries) \(status.entries == 1 ? "entry" : "entries") in the lists, "
                + "\(status.limits.count) limit\(status.limits.count == 1 ? "" : "s")")
        let clock =
            status.tick.map { "by ticks of \(Units.decimal(Double($0) / 1e6)) ms" } ?? "to the nanosecond"
        lines.append(
            "  tells the time \(clock); its program has \(status.isWithoutCalls ? "no calls" : "calls")")
        lines += [""] + drawn(totals)
        if !status.limits.isEmpty { lines += [""] + drawn(limits) }
        let sources = status.sources
        let fill = Units.percent(Double(sources.known) / Double(max(1, sources.places)))
        lines += [
            "",
            "sources: \(count(sources.known)) in \(Units.count(sources.places)) places (\(fill), \(Units.bytes(sources.bytes))) for "
                + "\(Units.count(sources.capacity)), "
                + "\(count(sources.evicted)) evicted, \(count(sources.forgotten)) forgotten",
            "bans: \(Units.count(status.bans.count)) in force of \(count(status.totalBans)) since it was loaded; of more than "
                + "\(Units.count(status.banCapacity)) the oldest give way",
        ]
        if !status.bans.isEmpty { lines += drawn(bans) }
        let more = status.bans.count - Self.mostBans
        if more > 0 { lines.append(style.dim("… and \(Units.count(more)) more")) }
        return lines
    }

    private var head: String {
        "\(status.grantText), loaded \(age(status.loadedAt)) ago"
            + (status.changedAt > status.loadedAt ? ", rules from \(age(status.changedAt)) ago" : "")
    }

    private func age(_ time: Int) -> String {
        "\(FilterDuration.seconds(UInt64(max(0, now - time))))"
    }

    private var totals: Table {
        var table = Table([
            .init(title: ""), .init(title: "packets", isNumber: true), .init(title: "bytes", isNumber: true),
        ])
        func add(_ name: String, _ sum: FilterCount) {
            table.add([name, count(sum.packets), Units.bytes(Int(clamping: sum.octets))])
        }
        add("passed", status.passed)
        for reason in FilterReason.allCases where reason.passes { addReason(reason) }
        add("dropped", status.dropped)
        for reason in FilterReason.allCases where !reason.passes { addReason(reason) }
        let limited = status.limits.reduce((0, 0) as (UInt64, UInt64)) {
            ($0.0 + $1.dropped.packets, $0.1 + $1.dropped.octets)
        }
        if limited.0 > 0 {
            table.add(["  by limits", count(limited.0), Units.bytes(Int(clamping: limited.1))])
        }
        func addReason(_ reason: FilterReason) {
            guard let sum = status.reasons[reason], sum.packets > 0 else { return }
            add("  \(reason.text)", sum)
        }
        return table
    }

    private var limits: Table {
        var table = Table([
            .init(title: "limit"), .init(title: "rate"), .init(title: "dropped", isNumber: true),
            .init(title: "bytes", isNumber: true),
        ])
        for one in status.limits {
            table.add([
                one.limit.name, one.limit.rateTexts.joined(separator: ", "), count(one.dropped.packets),
                Units.bytes(Int(clamping: one.dropped.octets)),
            ])
        }
        return table
    }

    private var bans: Table {
        var table = Table([.init(title: "banned"), .init(title: "for"), .init(title: "by the limit")])
        for ban in status.bans.prefix(Self.mostBans) {
            let left = FilterDuration.seconds(ban.left.nanoseconds / 1_000_000_000)
            table.add(["\(ban.source)", "\(left)", ban.limit ?? "that is gone"])
        }
        return table
    }

    private func count(_ number: UInt64) -> String { Units.count(Int(clamping: number)) }

    private func drawn(_ table: Table) -> [String] {
        let lines = table.lines(width: width)
        return [style.bold(lines[0])] + lines.dropFirst()
    }
}
