import ApusBench
import CTwins
import Foundation

// bench run [SUITE...] [--quick] [--json FILE] [--html FILE] [--targets FILE] [--commit ID] [--swift VERSION]
// bench page --results FILE --html FILE
// bench check --results FILE --targets FILE
// Exits with 1 when a target is missed or it can't go on, with 64 for wrong usage.

@main
enum Bench {
    static func main() {
        do {
            let command = try Arguments(CommandLine.arguments.dropFirst())
            switch command.verb {
            case "run": exit(try run(command))
            case "page":
                let page = try Report(readingFrom: command.required("results")).page()
                try Data(page.utf8).write(to: URL(filePath: command.required("html")))
            case "check": exit(try check(Report(readingFrom: command.required("results")), command))
            default: throw Arguments.Wrong("there is no \(command.verb); there are: run, page, check")
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
    let all = try suites(cores)
    let known = all.map(\.name)
    for name in arguments.names where !known.contains(name) {
        throw Arguments.Wrong("there is no suite \(name); there are: \(known.joined(separator: ", "))")
    }
    let chosen = all.filter { arguments.names.isEmpty || arguments.names.contains($0.name) }
    var suite = ""
    let report = try Report.measuring(
        chosen, arguments.has("quick") ? .quick : .full,
        versions: [
            "apus": arguments.value("commit") ?? "unknown", "swift": arguments.value("swift") ?? "unknown",
        ],
        progress: progress,
        found: { finding in
            if finding.suite != suite { print(Finding.heading) }
            suite = finding.suite
            print(finding.line)
            fflush(nil)
        })
    print("\(report.machine.processor), Linux \(report.machine.kernel), clock: \(report.machine.clock)")
    for warning in report.warnings { print("warning: \(warning)") }
    if let path = arguments.value("json") { try report.json().write(to: URL(filePath: path)) }
    if let path = arguments.value("html") {
        try Data(report.page().utf8).write(to: URL(filePath: path))
    }
    return arguments.value("targets") == nil ? 0 : try check(report, arguments)
}

/// Says which targets a report misses.
func check(_ report: Report, _ arguments: Arguments) throws -> Int32 {
    let verdicts = Target.check(report, try Target.read(arguments.required("targets")))
    for verdict in verdicts where verdict.outcome != .met {
        print("\(verdict.outcome): \(verdict.name): \(verdict.sentence)")
    }
    let missed = verdicts.count { $0.outcome == .missed }
    print("\(verdicts.count) targets, \(missed) missed")
    return missed == 0 ? 0 : 1
}

func suites(_ cores: Cores) throws -> [Suite] {
    let partner = try cores.other.map { try Partner(core: $0) }
    return [
        Suite("rings", versions: dpdk, leftOut: Suite.leftOut("rings", partner), rings(partner: partner)),
        Suite("pool", versions: dpdk, leftOut: Suite.leftOut("pool", partner), pool(cores, partner: partner)),
        Suite("wire", versions: twins, wire()),
        Suite("tax", versions: twins, echo() + forward()),
    ]
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
