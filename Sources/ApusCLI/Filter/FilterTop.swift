import Apus
import ApusRuntime
import Glibc

/// `apus filter top`.
extension FilterCommand {
    private static let by = Option(
        long: "by",
        value: .init(name: "WHAT", completion: .words(SourceTable.Order.allCases.map(\.rawValue))),
        help:
            "What makes a source heavy: all its packets, its bytes that pass, or its packets that are dropped.",
        defaultText: "packets")
    private static let number = Option(
        long: "number", short: "n", value: .init(name: "N"), help: "How many sources are shown, 1 to 1000.",
        defaultText: "20")
    private static let once = Option(long: "once", help: "Show one reading, of a second, and end.")

    static let top = Command(
        name: "top",
        summary: "watch the heaviest sources",
        discussion: [
            "A reading a second of the sources that limits keep: those of no limit for each source, prefix or port are "
                + "not known. Packets that a limit passed and those dropped by it or a limit behind it are counted for "
                + "each limit apart; those that are dropped before the limits, of banned and denied sources, are not, "
                + "but `status` counts them. Each reading copies the table of sources, 146 octets for each it has room for."
        ],
        usage: ["IF [--by WHAT] [-n N] [--once] [--json]"],
        options: [by, number, once, json],
        arguments: [interface],
        examples: [
            Example(purpose: "Watch who sends the most packets", line: "sudo apus filter top eth0"),
            Example(
                purpose: "The ten sources that most was dropped of in a second, for a program",
                line: "sudo apus filter top eth0 --by dropped -n 10 --once --json"),
        ],
        run: { invocation throws(ExitFailure) in
            let order = try order(invocation)
            let most = try invocation.number(number, in: 1...1000) ?? 20
            try require(looking, for: "looking at filters")
            let filter = try filter(on: try invocation.kernelInterface())
            let signals = try StopSignals()
            var view = LiveView(on: invocation.output)
            func read() throws(ExitFailure) -> (SourceTable, ContinuousClock.Instant) {
                (try filtering { () throws(FilterError) in try filter.sources() }, .now)
            }
            var (before, start) = try read()
            while !isStopped(signals, within: 1) {
                let (sources, time) = try read()
                let seconds = (time - start) / .seconds(1)
                let reading = FilterReading(
                    filter.interface, sources.heaviest(most, by: order, since: before), known: sources.count,
                    seconds: seconds)
                (before, start) = (sources, time)
                let output = invocation.output
                if invocation.has(json) {
                    output.json(reading, spread: invocation.has(once) && output.isTerminal)
                } else if invocation.has(once) {
                    for line in reading.lines(width: output.width, output.style) { output.line(line) }
                } else {
                    let lines = reading.lines(width: output.width, output.style)
                    view.show(lines, plain: lines.joined(separator: "\n") + "\n")
                }
                // That nobody reads on is an end like another; what else went wrong is said of every command.
                if output.isClosed || invocation.has(once) { return }
            }
        })

    /// Words of other tools.
    private static let otherWords: [String: SourceTable.Order] = [
        "drops": .dropped, "drop": .dropped, "pkts": .packets, "pps": .packets, "octets": .bytes,
        "bits": .bytes,
        "bps": .bytes,
    ]

    private static func order(_ invocation: Invocation) throws(ExitFailure) -> SourceTable.Order {
        guard let word = invocation.text(by) else { return .packets }
        guard let order = SourceTable.Order(rawValue: word) else {
            let words = SourceTable.Order.allCases.map(\.rawValue)
            let near = otherWords[word.lowercased()]?.rawValue ?? nearestName(to: word, among: words)
            throw ExitFailure(
                .usage,
                "--by: expected \(alternatives(words)), found \(word.quoted)"
                    + (near.map { "; did you mean \($0)?" } ?? ""))
        }
        return order
    }

    /// Waits for so many seconds; true if a signal came to end it.
    private static func isStopped(_ signals: borrowing StopSignals, within seconds: Int32) -> Bool {
        var polled = pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0)
        // The structure outlives the call.
        return unsafe poll(&polled, 1, seconds * 1000) > 0 && signals.hasCome
    }
}

/// The heaviest sources between two moments.
struct FilterReading: Encodable {
    var interface: String
    var seconds: Double
    /// How many sources are in the table.
    var known: Int
    var sources: [Source]

    struct Source: Encodable {
        var source: String
        var port: UInt16?
        var limit: String
        /// Of this time.
        var passedPackets: UInt64
        var passedBytes: UInt64
        var droppedPackets: UInt64
    }

    init(_ interface: String, _ sources: [SourceTable.Source], known: Int, seconds: Double) {
        (self.interface, self.known, self.seconds) = (interface, known, seconds)
        self.sources = sources.map {
            Source(
                source: "\(FilterSubject.source($0.prefix))", port: $0.port, limit: $0.limit,
                passedPackets: $0.passed, passedBytes: $0.octets, droppedPackets: $0.dropped)
        }
    }

    func lines(width: Int, _ style: Style) -> [String] {
        let head = "\(interface): \(Units.count(known)) source\(known == 1 ? "" : "s") known"
        guard !sources.isEmpty else { return [head.printable, "none sent anything"] }
        var table = Table([
            .init(title: "source"), .init(title: "port", isNumber: true), .init(title: "limit"),
            .init(title: "passed/s", isNumber: true), .init(title: "bit/s", isNumber: true),
            .init(title: "dropped/s", isNumber: true),
        ])
        for one in sources {
            table.add([
                one.source, one.port.map { "\($0)" } ?? "", one.limit,
                Units.perSecond(Double(one.passedPackets) / seconds),
                Units.perSecond(Double(one.passedBytes) * 8 / seconds),
                Units.perSecond(Double(one.droppedPackets) / seconds),
            ])
        }
        let lines = table.lines(width: width).map { truncated($0, to: width) }
        return [head.printable, style.bold(lines[0])] + lines.dropFirst()
    }
}
