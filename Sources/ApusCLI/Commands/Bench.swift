import Apus
import ApusBench

/// `apus bench`: what the rings, the frame pools and the headers cost on this machine.
enum Bench {
    private static let quick = Option(long: "quick", help: "Measure for seconds only, and less exactly.")
    private static let json = Option(
        long: "json", help: "Write the figures as JSON, in the form that Benchmarks/README.md describes.")

    /// What can be asked for, and the suite that it is.
    private static let suites = [("ring", "rings"), ("pool", "pool"), ("wire", "wire")]
    private static let words = suites.map(\.0)

    static let command = Command(
        name: "bench",
        summary: "measure what rings, frame pools and headers cost on this machine",
        discussion: [
            "Measures on one core, and between two where there are two: \"ring\", SPSC and MPMC rings with 1 to 64 "
                + "elements a call; \"pool\", taking frames and giving them back, 1 to 64 at a time; \"wire\", parsing "
                + "and writing all headers of RTP packets of 64 to 65507 octets. Without a name it measures all of "
                + "them. Nothing is sent, and no privilege is needed.",
            "Each figure is the time for one element, frame or packet: the median of many short rounds, and the "
                + "quartiles, between which half of the rounds lay. Cycles are ticks of the time-stamp counter, where it "
                + "runs at one speed always, and instructions those of the measuring thread, where the machine counts "
                + "them. It warns when others used the machine meanwhile, and in a debug build, whose figures say nothing.",
            "How Apus does beside DPDK and C is measured by \"make bench\" in its source.",
        ],
        options: [quick, json],
        arguments: [
            Argument(
                name: "NAME", help: "What to measure: \(alternatives(words)).", isRequired: false,
                repeats: true, completion: .words(words))
        ],
        examples: [
            Example(purpose: "See within seconds what the rings cost", line: "apus bench ring --quick"),
            Example(
                purpose: "Keep all figures", line: "apus bench --json > figures.json"),
        ],
        run: run)

    @Sendable private static func run(_ invocation: Invocation) throws(ExitFailure) {
        // By the suite's name too, with which the names of its figures begin.
        let known = suites.flatMap { [$0.0, $0.1] }
        for word in invocation.arguments where !known.contains(word) {
            let near = nearestName(to: word, among: known).map { "did you mean \($0)?" }
            throw ExitFailure(
                .usage,
                "there is no benchmark \(word.quoted); \(near ?? "there are: " + words.joined(separator: ", "))"
            )
        }
        let names = Set(
            suites.filter { [$0.0, $0.1].contains(where: invocation.arguments.contains) }.map(\.1))
        let report = try report(names, invocation)
        let output = invocation.output
        if invocation.has(json) {
            output.json(report, spread: output.isTerminal)
        } else {
            for line in BenchText.lines(report, width: output.width, style: output.style) {
                output.line(line)
            }
        }
        if let failure = report.failures.first {
            throw ExitFailure(.unavailable, "can't measure \(failure.name): \(failure.reason)")
        }
    }

    /// Measures the suites of those names, or all if there are none.
    private static func report(_ names: Set<String>, _ invocation: Invocation) throws(ExitFailure) -> Report {
        let terminal = invocation.errorOutput
        do {
            let partner = try Cores().other.map { try Partner(core: $0) }
            return try Report.measuring(
                Suite.alone(partner: partner).filter { names.isEmpty || names.contains($0.name) },
                invocation.has(quick) ? .quick : .full, versions: ["apus": Version.number],
                names: names.sorted(),
                progress: { text in
                    // Back to the start of the line, erase it (ECMA-48, EL).
                    if terminal.isTerminal {
                        terminal.write("\r\u{1b}[K" + truncated(text, to: terminal.width - 1))
                    }
                },
                found: { _ in })
        } catch {
            throw ExitFailure(.unavailable, "can't measure: \(error)")
        }
    }
}

/// The figures as people read them.
enum BenchText {
    static func lines(_ report: Report, width: Int, style: Style) -> [String] {
        let counts = report.results.contains { $0.apus.instructions != nil }
        let ticks = report.results.contains { $0.apus.ticks != nil }
        var columns: [Table.Column] = [.init(title: "")]
        columns += ["ns", "quartiles"].map { .init(title: $0, isNumber: true) }
        if ticks { columns.append(.init(title: "cycles", isNumber: true)) }
        if counts { columns.append(.init(title: "instructions", isNumber: true)) }
        columns.append(.init(title: "for each"))
        var table = Table(columns)
        for finding in report.results {
            let figures = finding.apus
            var cells = [
                finding.name, Units.decimal(figures.nanoseconds),
                "\(Units.decimal(figures.lowerQuartile))–\(Units.decimal(figures.upperQuartile))",
            ]
            if ticks { cells.append(figures.ticks.map(Units.decimal) ?? "") }
            if counts { cells.append(figures.instructions.map(Units.decimal) ?? "") }
            table.add(cells + [finding.unit])
        }
        var lines = table.lines(width: width)
        lines[0] = style.bold(lines[0])
        lines += [""] + wrapped(machine(report), width: width)
        for failure in report.failures {
            lines += wrapped(failure.line.printable, width: width).map(style.yellow)
        }
        for warning in report.warnings {
            lines += wrapped("warning: " + warning.printable, width: width).map(style.yellow)
        }
        return lines
    }

    /// Where and how it was measured.
    private static func machine(_ report: Report) -> String {
        let machine = report.machine
        let clock =
            machine.ticksPerNanosecond.map { "the time-stamp counter at \(Units.decimal($0)) GHz" }
            ?? "clock_gettime, since the time-stamp counter may change its speed"
        let cores = "\(machine.cores) core\(machine.cores == 1 ? "" : "s")"
        return
            "\(machine.processor.isEmpty ? machine.architecture : machine.processor), \(cores), Linux \(machine.kernel), "
            + "\(machine.system). Times by \(clock). Apus \(report.versions["apus"] ?? ""), \(report.build) build, "
            + "\(report.effort) run; others used \(Units.percent(report.load.othersShare)) of the machine."
    }
}
