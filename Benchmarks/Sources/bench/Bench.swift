import ApusBench
import CTwins
import Foundation
import Relays

@main
enum Bench {
    static func main() {
        do {
            let command = try Arguments(CommandLine.arguments.dropFirst())
            switch command.verb {
            case "help", "--help", "-h": print(Arguments.help)
            case "suites": print(try suites(Cores(), command).map(\.name).joined(separator: " "))
            case "run": exit(try run(command))
            case "page":
                let page = try results(command).page()
                try Data(page.utf8).write(to: URL(filePath: command.required("html")))
            case "check": exit(try check(results(command), command))
            case "record": try record(command)
            case "headline": print(Headline.row(of: try results(command)))
            default:
                throw Arguments.Wrong(
                    "there is no \(command.verb); there are: run, suites, page, check, record, headline, help"
                )
            }
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(error is Arguments.Wrong ? 64 : 1)
        }
    }
}

/// Measures, prints and writes what was asked for.
func run(_ arguments: Arguments) throws -> Int32 {
    let cores = try Cores()
    let isSame = arguments.has("same")
    if isSame, arguments.value("baseline") ?? arguments.value("targets") != nil {
        throw Arguments.Wrong(
            "--same measures Apus beside itself: that has no targets and no ratios of record")
    }
    // Relays are searched for a rate, not compared by the meter, which makes the peer.
    let all = try suites(cores, arguments).filter { !isSame || $0.name != "forwarder" }
    let known = all.map(\.name)
    for name in arguments.names where !known.contains(String(name.prefix { $0 != "/" })) {
        throw Arguments.Wrong("there is no suite \(name); there are: \(known.joined(separator: ", "))")
    }
    let chosen = arguments.names.isEmpty ? all : try all.compactMap { try $0.only(arguments.names) }
    let length = arguments.has("quick") ? Effort.quick : .full
    let effort = isSame ? length.same : length
    Interruption.watch()
    var (suite, last) = ("", Report?.none)
    let report = try Report.measuring(
        chosen, effort,
        versions: [
            "apus": arguments.value("commit") ?? "unknown", "swift": arguments.value("swift") ?? "unknown",
        ],
        progress: { text in
            if Interruption.isAsked { exit(leave(last, arguments)) }
            progress(text)
        },
        found: { finding in
            if finding.suite != suite { print(Finding.heading) }
            suite = finding.suite
            print(finding.line)
            fflush(nil)
        },
        kept: { report in
            // What was interrupted may have failed because of that.
            if Interruption.isAsked { exit(leave(last, arguments)) }
            last = report
            try keep(report, arguments)
        })
    print("\(report.machine.processor), Linux \(report.machine.kernel), clock: \(report.machine.clock)")
    for warning in report.warnings { print("warning: \(warning)") }
    for failure in report.failures { print(failure.line) }
    try keep(report, arguments, isAll: true)
    if isSame {
        let even = report.even
        print(
            "\(even.held) of \(even.of) intervals hold 1; by their confidence \(Int(even.expected.rounded())) should"
        )
    }
    if let path = arguments.value("baseline") {
        let meter = Meter(Stopwatch(), effort)
        let verdicts = try reading(path, "ratios of record", Baseline.init(readingFrom:)).check(
            report.results
        ) { names in
            print("once more, as they are worse than of record: \(names.sorted().joined(separator: ", "))")
            // What fails now stays as bad as it was.
            return chosen.flatMap(\.trials).filter { names.contains($0.name) }.flatMap {
                (try? $0.run(meter) { _ in if Interruption.isAsked { exit(leave(report, arguments)) } }) ?? []
            }
        }
        guard say(verdicts, "ratios of record") else { return 1 }
    }
    if arguments.value("targets") != nil { return try check(report, arguments) }
    return report.failures.isEmpty ? 0 : 1
}

/// Writes the files that were asked for; on the way, when not `isAll`, only the figures, and them only into a file that can
/// be replaced by a whole one.
private func keep(_ report: Report, _ arguments: Arguments, isAll: Bool = false) throws {
    if let path = arguments.value("json") {
        var facts = stat()
        let isFile = unsafe stat(path, &facts) != 0 || facts.st_mode & S_IFMT == S_IFREG
        if isFile || isAll {
            try report.json().write(to: URL(filePath: path), options: isFile ? .atomic : [])
        }
    }
    if isAll, let path = arguments.value("html") {
        try Data(report.page().utf8).write(to: URL(filePath: path))
    }
}

/// Says and writes what an interrupted run found. The namespaces and child processes of the suites go with the process.
private func leave(_ last: Report?, _ arguments: Arguments) -> Int32 {
    progress("")
    for failure in last?.failures ?? [] { print(failure.line) }
    let files = ["json", "html"].compactMap { arguments.value($0) }.joined(separator: " and ")
    let count = last?.results.count ?? 0
    print("interrupted; measured until then: \(count)\(count == 0 || files.isEmpty ? "" : ", in \(files)")")
    do {
        if let last { try keep(last, arguments, isAll: true) }
    } catch { print("\(error)") }
    return 130
}

extension Suite {
    /// What of it those names ask for, each the beginning of a benchmark's name; `nil` if that is nothing.
    ///
    /// - Throws: when one asks for what can't be measured here, since who names it does not want a run without it.
    fileprivate func only(_ names: [String]) throws -> Suite? {
        let own = names.filter { $0 == name || $0.hasPrefix("\(name)/") }
        guard !own.isEmpty else { return nil }
        for name in own where !trials.contains(where: { $0.name.hasPrefix(name) }) {
            let reason = leftOut.isEmpty ? trials.map(\.name) : leftOut
            throw Unavailable(
                description: "nothing to measure begins with \(name): \(reason.joined(separator: "; "))")
        }
        return Suite(
            name, versions: try versions(), leftOut: own.contains(name) ? leftOut : [],
            trials.filter { trial in own.contains { trial.name.hasPrefix($0) } })
    }
}

/// Why a suite can't be measured here, and what to do about it.
struct Unavailable: Error, CustomStringConvertible {
    let description: String
}

/// Says which targets a report misses, and which it says nothing of: that is a failure too, unless suites were asked for
/// by name.
func check(_ report: Report, _ arguments: Arguments) throws -> Int32 {
    let names = arguments.names
    let targets = try reading(arguments.required("targets"), "targets", Target.read).filter { target in
        names.isEmpty || names.contains { target.benchmarks.hasPrefix($0) || $0.hasPrefix(target.benchmarks) }
    }
    let isMet = say(Target.check(report, targets), "targets") && report.failures.isEmpty
    let unchecked = Target.unchecked(report, targets)
    guard !unchecked.isEmpty, arguments.names.isEmpty else { return isMet ? 0 : 1 }
    print("not checked, as their suites were not measured: \(unchecked.joined(separator: ", "))")
    return 1
}

/// Prints what is not met, and returns whether nothing is missed.
private func say(_ verdicts: [Verdict], _ what: String) -> Bool {
    for verdict in verdicts where verdict.outcome != .met {
        print("\(verdict.outcome): \(verdict.name): \(verdict.sentence)")
    }
    let missed = verdicts.count { $0.outcome == .missed }
    print("\(verdicts.count) \(what), \(missed) missed")
    return missed == 0
}

/// Makes a report's ratios those of record, with the room that the file had.
private func record(_ arguments: Arguments) throws {
    let report = try results(arguments)
    let path = try arguments.required("baseline")
    guard report.build == "release" else { throw BenchError("a debug build's ratios are no record") }
    guard report.effort == "full" else { throw BenchError("a quick run's ratios are no record") }
    guard report.failures.isEmpty else { throw BenchError("a run of which a part failed is no record") }
    let isNew = !FileManager.default.fileExists(atPath: path)
    let old = isNew ? nil : try reading(path, "ratios of record", Baseline.init(readingFrom:))
    let new = Baseline(recording: report, room: old?.room ?? 1.4, keeping: old?.timeRatios ?? [:])
    try new.json().write(to: URL(filePath: path))
}

/// The figures that `--results` names.
private func results(_ arguments: Arguments) throws -> Report {
    try reading(arguments.required("results"), "figures of a run (--json)", Report.init(readingFrom:))
}

/// What is in a file, or a sentence about the file.
private func reading<T>(_ path: String, _ what: String, _ read: (String) throws -> T) throws -> T {
    do {
        return try read(path)
    } catch is DecodingError {
        throw BenchError("\(path) does not hold \(what)")
    } catch let error as CocoaError {
        throw BenchError(
            "can't read \(path): \(error.code == .fileReadNoSuchFile ? "there is no such file" : "\(error)")")
    }
}

/// All suites; on one core if they shall be alone, or if there is no other.
func suites(_ cores: Cores, _ arguments: Arguments) throws -> [Suite] {
    let isAlone = arguments.has("one-core")
    let partner = try (isAlone ? nil : cores.other).map { try Partner(core: $0) }
    return [
        Suite("rings", versions: dpdk, leftOut: Suite.leftOut("rings", partner), rings(partner: partner)),
        Suite("pool", versions: dpdk, leftOut: Suite.leftOut("pool", partner), pool(cores, partner: partner)),
        Suite("wire", versions: twins, wire()),
        ports(cores),
        tax(cores, isAlone: isAlone),
        scale(),
        forwarder(relayCore: cores.own, senderCore: cores.other, isQuick: arguments.has("quick")),
    ]
}

/// The suite `tax`, of which a part needs more than this process.
private func tax(_ cores: Cores, isAlone: Bool) -> Suite {
    let overXDP = forwardXDP(cores, isAlone: isAlone)
    return Suite(
        "tax", versions: overXDP.trials.isEmpty ? twins : twins.merging(libxdp) { $1 },
        leftOut: overXDP.leftOut, (echo() + forward()).map { Trial($0) } + overXDP.trials)
}

/// What the C twins were compiled with.
private var twins: [String: String] { ["twins": unsafe String(cString: twins_compiler())] }
/// That, and DPDK.
private var dpdk: [String: String] {
    twins.merging(["dpdk": unsafe String(cString: twins_dpdk())]) { $1 }
}

/// A line that the next one replaces, on terminals only.
func progress(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
}
