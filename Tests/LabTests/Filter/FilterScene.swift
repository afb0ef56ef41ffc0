import Foundation
import NetworkLab
import Testing

/// Two hosts on a link, and `apus filter` typed on the one that has vb.
struct FilterScene {
    let net: Pair
    let files: Scratch

    init(_ purpose: String) throws { (net, files) = (try Pair(purpose), try Scratch()) }

    /// How a command ended.
    struct Run {
        let code: Int32?
        let output: String
        let errors: String

        /// What was written on standard error besides remarks, which no failure and no warning are.
        var warnings: String { lines { !$0.hasPrefix("remark: ") } }
        /// Those.
        var remarks: String { lines { $0.hasPrefix("remark: ") } }

        private func lines(_ condition: (Substring) -> Bool) -> String {
            errors.split(separator: "\n").filter(condition).map { $0 + "\n" }.joined()
        }

        /// The output as a JSON object.
        func object(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            try #require(
                JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(output)\(errors)",
                sourceLocation: location)
        }
    }

    /// Starts `apus filter` with words that are separated by spaces.
    func start(_ words: String, environment: [String: String] = [:], as prefix: [String] = []) throws
        -> Running
    {
        let list = words.split(separator: " ").map(String.init)
        return try net.b.start(
            prefix + [ApusProgram.path, "filter"] + list,
            environment: ["NO_COLOR": "1"].merging(environment) { $1 })
    }

    /// Runs `apus filter` to its end.
    func run(_ words: String, environment: [String: String] = [:], as prefix: [String] = []) throws -> Run {
        let process = try start(words, environment: environment, as: prefix)
        let ended = process.waitForExit(within: .seconds(30))
        if ended == nil { process.kill() }
        var code: Int32?
        if case .exited(let number) = ended { code = number }
        return Run(code: code, output: process.output, errors: process.errors)
    }

    /// Runs `apus filter`, which must succeed and warn of nothing, and gives what it wrote.
    @discardableResult
    func fine(_ words: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let run = try run(words)
        #expect(
            run.code == 0 && run.warnings.isEmpty, "apus filter \(words): \(run.output)\(run.errors)",
            sourceLocation: location)
        return run.output
    }

    /// How many of ten pings are answered.
    func answers() throws -> Int {
        let text = try net.a.run("sh", "-c", "ping -c 10 -i 0.01 -W 1 192.0.2.2 || true").standardOutput
        return try Int(#require(text.firstMatch(of: /(\d+) received/)).1)!
    }

    /// The first filter of `status --json`.
    func status() throws -> [String: Any] {
        let filters = try run("status --json").object()["filters"] as? [[String: Any]]
        return try #require(filters?.first)
    }

    /// Sees that nothing is left: no XDP program, no pin.
    func expectNothing(_ what: String = "", _ location: SourceLocation = #_sourceLocation) throws {
        let link = try net.b.run("ip", "-d", "link", "show", "vb").standardOutput
        #expect(!link.contains("xdp"), "\(what): \(link)", sourceLocation: location)
        let pins = try net.b.run("sh", "-c", "find /sys/fs/bpf/apus 2>/dev/null || true").standardOutput
        #expect(pins.isEmpty, "\(what): \(pins)", sourceLocation: location)
    }
}
