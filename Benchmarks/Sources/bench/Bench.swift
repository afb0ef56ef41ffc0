import CTwins
import Foundation
import Harness

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
                let page = page(try Report(readingFrom: command.required("results")))
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
    let known = all.reduce(into: [String]()) { if $0.last != $1.suite { $0.append($1.suite) } }
    for name in arguments.names where !known.contains(name) {
        throw Arguments.Wrong("there is no suite \(name); there are: \(known.joined(separator: ", "))")
    }
    let chosen = all.filter { arguments.names.isEmpty || arguments.names.contains($0.suite) }
    let stopwatch = Stopwatch()
    let isQuick = arguments.has("quick")
    let meter = Meter(stopwatch, isQuick ? .quick : .full)
    let watch = LoadWatch()
    var findings: [Finding] = []
    var suite = ""
    for (number, comparison) in chosen.enumerated() {
        if comparison.suite != suite {
            suite = comparison.suite
            print(Finding.heading)
        }
        progress("\(number + 1) of \(chosen.count): \(comparison.name)")
        let finding = try meter.measure(comparison)
        progress("")
        print(finding.line)
        fflush(nil)
        findings.append(finding)
    }
    let report = Report(
        effort: isQuick ? "quick" : "full", build: build, versions: versions(arguments),
        machine: Machine(stopwatch), load: watch.load, results: findings)
    print("\(report.machine.processor), Linux \(report.machine.kernel), clock: \(report.machine.clock)")
    for warning in report.warnings { print("warning: \(warning)") }
    if cores.other == nil { print("warning: one core only: nothing between cores was measured") }
    if let path = arguments.value("json") { try report.json().write(to: URL(filePath: path)) }
    if let path = arguments.value("html") {
        try Data(page(report).utf8).write(to: URL(filePath: path))
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

func suites(_ cores: Cores) throws -> [Comparison] {
    let partner = cores.other.map { Partner(core: $0) }
    return rings(partner: partner) + pool(cores, partner: partner) + wire() + echo() + forward()
}

var build: String {
    #if DEBUG
        "debug"
    #else
        "release"
    #endif
}

func versions(_ arguments: Arguments) -> [String: String] {
    [
        "apus": arguments.value("commit") ?? "unknown", "swift": arguments.value("swift") ?? "unknown",
        "twins": unsafe String(cString: twins_compiler()),
        "dpdk": unsafe String(cString: twins_dpdk()),
    ]
}

/// A line that the next one replaces, on terminals only.
func progress(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
}
