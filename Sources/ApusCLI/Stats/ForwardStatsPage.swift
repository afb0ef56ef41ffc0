import Apus

/// The live view of `apus forward --stats`: a page of lines that fits a terminal.
struct ForwardStatsPage {
    private let status: ForwarderStatus
    private let rates: ForwarderRates
    private let width: Int
    private let style: Style
    private let now: UInt64

    /// - Parameter now: the time in nanoseconds since 1970, against which the last arrival is told.
    init(_ status: ForwarderStatus, _ rates: ForwarderRates, width: Int, style: Style, now: UInt64) {
        (self.status, self.rates, self.width, self.style, self.now) = (status, rates, width, style, now)
    }

    /// At most `height` lines. The totals come first, then the streams by rate, drops and ports; the streams
    /// get what the others leave, but a few lines at least.
    func lines(height: Int) -> [String] {
        var lines = totals
        let room = max(0, height - lines.count)
        var rest: [[String]] = []
        if !status.drops.isEmpty { rest.append(drops(rows: min(8, max(1, room / 4)))) }
        if !status.ports.isEmpty { rest.append(ports(rows: min(8, max(1, room / 5)))) }
        if !status.devices.isEmpty { rest.append(devices(rows: min(4, max(1, room / 6)))) }
        if !status.steering.isEmpty { rest.append(steering(rows: min(4, max(1, room / 6)))) }
        if !status.closedInterfaceLines.isEmpty {
            rest.append(closedInterfaces(rows: min(4, max(1, room / 6))))
        }
        if !status.unreachable.isEmpty { rest.append(unreachable(rows: min(4, max(1, room / 6)))) }
        let below = rest.reduce(0) { $0 + $1.count + 1 }
        if !status.streams.isEmpty {
            // Heading, blank line and the line that says how many more there are.
            lines += [""] + streams(rows: max(3, room - below - 3))
        }
        for section in rest { lines += [""] + section }
        return Array(lines.prefix(height))
    }

    private var totals: [String] {
        let count = status.streams.count
        let dropped = status.drops.values.reduce(0, +)
        var table = Table([
            .init(title: ""), .init(title: "packets/s", isNumber: true),
            .init(title: "bit/s", isNumber: true), .init(title: "packets", isNumber: true),
            .init(title: "bytes", isNumber: true),
        ])
        table.add(row("received", rates.received, status.received, status.receivedBytes))
        table.add(row("sent", rates.sent, status.sent, status.sentBytes))
        table.add(["dropped", Units.perSecond(rates.dropped), "", Units.count(Int(dropped)), ""])
        let waiting =
            (status.waiting > 0 ? ", \(Units.count(Int(status.waiting))) packets wait for a next hop" : "")
            + (status.stalls > 0 ? ", \(Units.count(Int(status.stalls))) worker stalls" : "")
        return [
            truncated(
                "up \(Self.clock(status.uptime)), \(Units.count(count)) stream\(count == 1 ? "" : "s")\(waiting)",
                to: width)
        ] + drawn(table)
    }

    private func row(_ name: String, _ rate: ForwarderRates.Rate, _ packets: UInt64, _ bytes: UInt64)
        -> [String]
    {
        [
            name, Units.perSecond(rate.packets), Units.perSecond(rate.bits),
            Units.count(Int(clamping: packets)),
            Units.bytes(Int(clamping: bytes)),
        ]
    }

    private func streams(rows: Int) -> [String] {
        let order = status.streams.indices.sorted {
            let (a, b) = (rates.streams[$0], rates.streams[$1])
            if a.packets != b.packets { return a.packets > b.packets }
            let (x, y) = (status.streams[$0].figures.packets, status.streams[$1].figures.packets)
            return x != y ? x > y : $0 < $1
        }
        let cells = order.prefix(rows).map { streamCells($0) }
        var columns = StreamColumn.all
        while true {
            var table = Table(columns.map { .init(title: $0.title, isNumber: $0.isNumber) })
            for row in cells { table.add(columns.map { row[$0.place] }) }
            let lines = table.lines(width: width)
            // What is least missed makes room on a narrow terminal.
            if lines.contains(where: { displayWidth($0) > width }),
                let least = columns.indices.max(by: { columns[$0].rank < columns[$1].rank }),
                columns.count > 2
            {
                columns.remove(at: least)
                continue
            }
            return drawn(table) + more(order.count - rows)
        }
    }

    /// A column of the streams; one with a higher rank goes first where the terminal is narrow.
    private struct StreamColumn {
        var title: String
        var place: Int
        var rank: Int
        var isNumber = true

        static let all = [
            StreamColumn(title: "stream", place: 0, rank: 0, isNumber: false),
            StreamColumn(title: "listen", place: 1, rank: 5, isNumber: false),
            StreamColumn(title: "packets/s", place: 2, rank: 1),
            StreamColumn(title: "bit/s", place: 3, rank: 2),
            StreamColumn(title: "loss", place: 4, rank: 3),
            StreamColumn(title: "reordered", place: 5, rank: 8),
            StreamColumn(title: "dup", place: 6, rank: 9),
            StreamColumn(title: "jitter", place: 7, rank: 4),
            StreamColumn(title: "SSRC", place: 8, rank: 7),
            StreamColumn(title: "last", place: 9, rank: 6),
        ]
    }

    private func streamCells(_ index: Int) -> [String] {
        let (stream, rate) = (status.streams[index], rates.streams[index])
        let figures = stream.figures
        return [
            stream.name, stream.listen, Units.perSecond(rate.packets), Units.perSecond(rate.bits),
            figures.lossFraction.map(Units.percent) ?? "-",
            figures.ssrc == nil ? "-" : Units.count(Int(clamping: figures.reordered)),
            figures.ssrc == nil ? "-" : Units.count(Int(clamping: figures.duplicates)),
            figures.jitter.map { "\(Units.decimal($0)) ms" } ?? (figures.ssrc == nil ? "-" : "unknown"),
            figures.ssrc.map(Self.hexadecimal) ?? "-",
            Self.age(figures.lastArrival, now),
        ]
    }

    private func drops(rows: Int) -> [String] {
        var table = Table([
            .init(title: "dropped because of"), .init(title: "packets/s", isNumber: true),
            .init(title: "packets", isNumber: true),
        ])
        let order = status.drops.sorted {
            let (a, b) = (rates.drops[$0.key] ?? 0, rates.drops[$1.key] ?? 0)
            if a != b { return a > b }
            return $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key
        }
        for (reason, count) in order.prefix(rows) {
            table.add([reason, Units.perSecond(rates.drops[reason] ?? 0), Units.count(Int(clamping: count))])
        }
        return drawn(table) + more(order.count - rows)
    }

    private func ports(rows: Int) -> [String] {
        var table = Table([
            .init(title: "port"), .init(title: "backend"), .init(title: "granted"),
            .init(title: "received/s", isNumber: true), .init(title: "sent/s", isNumber: true),
            .init(title: "dropped", isNumber: true),
        ])
        for (port, rate) in zip(status.ports, rates.ports).prefix(rows) {
            table.add([
                "\(port.interface):\(port.queue)", port.backend,
                !port.isOpen ? "closed" : GrantText.short(port.features.map { ($0.name, $0.granted) }),
                Units.perSecond(rate.received.packets), Units.perSecond(rate.sent.packets),
                Units.count(Int(clamping: port.drops.values.reduce(0, +))),
            ])
        }
        return drawn(table) + more(status.ports.count - rows)
    }

    private func devices(rows: Int) -> [String] {
        drawn(Self.devices(status.devices.prefix(rows))) + more(status.devices.count - rows)
    }

    private func steering(rows: Int) -> [String] {
        var table = Table([
            .init(title: "XDP program"), .init(title: "steered", isNumber: true),
            .init(title: "left to the kernel"),
        ])
        for steering in status.steering.prefix(rows) {
            table.add([
                steering.interface, Units.count(Int(clamping: steering.steered)),
                Self.byReason(steering.passed),
            ])
        }
        return drawn(table) + more(status.steering.count - rows)
    }

    /// Those of some counts that are not zero, by name: `no_port 3, not_ip 12`.
    static func byReason(_ counts: [String: UInt64]) -> String {
        counts.filter { $0.value > 0 }.sorted { $0.key < $1.key }
            .map { "\($0.key) \(Units.count(Int(clamping: $0.value)))" }.joined(separator: ", ")
    }

    private func closedInterfaces(rows: Int) -> [String] {
        let closed = status.closedInterfaceLines
        return closed.prefix(rows).map { style.red(truncated($0, to: width)) } + more(closed.count - rows)
    }

    private func unreachable(rows: Int) -> [String] {
        // By name, so that the same ones stay in sight.
        let order = status.unreachable.sorted { $0.key < $1.key }
        return order.prefix(rows).map { destination, reason in
            style.red(truncated("\(destination) can't be reached: \(reason)".printable, to: width))
        } + more(order.count - rows)
    }

    /// The table's lines, cut where even its narrowest form is too wide, and its heading emphasized.
    private func drawn(_ table: Table) -> [String] {
        let lines = table.lines(width: width).map { truncated($0, to: width) }
        return [style.bold(lines[0])] + lines.dropFirst()
    }

    private func more(_ count: Int) -> [String] {
        count > 0 ? [style.dim(truncated("… and \(Units.count(count)) more", to: width))] : []
    }
}
