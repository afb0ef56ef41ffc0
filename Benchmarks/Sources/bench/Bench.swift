import ApusBench
import Foundation

@main
enum Bench {
    static func main() {
        do {
            let arguments = try Arguments(CommandLine.arguments.dropFirst(), suites: suiteNames)
            switch arguments.verb {
            case "run": exit(try run(arguments))
            case "suites": print(suiteNames.joined(separator: " "))
            case "check":
                let checks = try Checks(arguments)
                guard !checks.isEmpty else {
                    throw Arguments.Wrong("check needs --targets FILE or --baseline FILE")
                }
                let report = try results(arguments)
                if report.interrupted != nil { print("the run was interrupted") }
                for failure in report.failures { print(failure.line) }
                exit(try checks.pass(report) && report.failures.isEmpty ? 0 : 1)
            case "page":
                _ = try arguments.required("html")
                try Outputs(arguments).write(results(arguments))
            case "record": try record(arguments)
            case "headline": print(Headline.row(of: try results(arguments)))
            default: print(Arguments.help)
            }
        } catch {
            FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
            exit(error is Arguments.Wrong || error is UnknownName ? 64 : 1)
        }
    }
}

/// Measures, prints and writes what was asked for.
func run(_ arguments: Arguments) throws -> Int32 {
    let (outputs, checks) = (try Outputs(arguments), try Checks(arguments))
    let isSame = arguments.has("same")
    if isSame, !checks.isEmpty {
        throw Arguments.Wrong(
            "--same measures Apus beside itself: that has no targets and no ratios of record")
    }
    let chosen = try chosen(Cores(), arguments)
    let length = arguments.has("quick") ? Effort.quick : .full
    let effort = isSame ? length.same : length
    Interruption.watch()
    var (suite, last) = ("", Report?.none)
    let report = try Report.measuring(
        chosen, effort,
        versions: [
            "apus": arguments.value("commit") ?? "unknown", "swift": arguments.value("swift") ?? "unknown",
        ],
        names: arguments.names,
        progress: { text in
            if Interruption.isAsked { exit(leave(last, outputs)) }
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
            if Interruption.isAsked { exit(leave(last, outputs)) }
            last = report
            try outputs.keep(report)
        })
    print("\(report.machine.processor), Linux \(report.machine.kernel), clock: \(report.machine.clock)")
    try say(report, outputs)
    if isSame {
        let even = report.even
        print(
            "\(even.held) of \(even.of) intervals hold 1; by their confidence \(Int(even.expected.rounded())) should"
        )
    }
    let meter = Meter(Stopwatch(), effort)
    let isGood = try checks.pass(report) { names in
        print("once more, as they are worse than of record: \(names.sorted().joined(separator: ", "))")
        // What fails now stays as bad as it was.
        return chosen.flatMap(\.trials).filter { names.contains($0.name) }.flatMap {
            (try? $0.run(meter) { _ in
                guard Interruption.isAsked else { return }
                print("interrupted before all that got worse was measured once more")
                exit(Interruption.code)
            }) ?? []
        }
    }
    return isGood && report.failures.isEmpty ? 0 : 1
}

/// Says what speaks against the figures and what has none, and writes the files.
private func say(_ report: Report, _ outputs: Outputs) throws {
    for warning in report.warnings { print("warning: \(warning)") }
    for failure in report.failures { print(failure.line) }
    try outputs.write(report)
}

/// Says and writes what an interrupted run found. The namespaces and child processes of the suites go with the process.
private func leave(_ last: Report?, _ outputs: Outputs) -> Int32 {
    progress("")
    let count = last?.results.count ?? 0
    print("measured until it was interrupted: \(counted(count, "comparison", "comparisons"))")
    do {
        if let last { try say(last, outputs) }
    } catch {
        FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
    }
    return Interruption.code
}

/// A line that the next one replaces, on terminals only.
func progress(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
}
