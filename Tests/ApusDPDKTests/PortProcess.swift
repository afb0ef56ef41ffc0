import Foundation
import Glibc
import NetworkLab
import Testing

/// The program DPDKPort, which is beside the test's own executable, in a namespace or out of all.
struct PortProcess {
    let running: Running

    init(
        _ arguments: [String], in space: Namespace? = nil, environment: [String: String] = [:]
    ) throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let command =
            [own.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/DPDKPort"] + arguments
        running =
            try space?.start(command, environment: environment)
            ?? NetworkLab.start(command, environment: environment)
    }

    /// The lines of JSON that it has printed, all keys together.
    var report: [String: Any] {
        var all: [String: Any] = [:]
        for line in running.output.split(separator: "\n") {
            guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            else {
                Issue.record("not JSON: \(line)")
                continue
            }
            all.merge(object) { $1 }
        }
        return all
    }

    /// Waits until it has its port.
    func waitUntilReady() throws {
        try running.waitForLine(containing: "\"ready\": true", timeout: .seconds(20))
    }

    func number(_ key: String) -> Int { (report[key] as? Int) ?? -1 }

    /// Expects it to end well within that time, with all its frames at home.
    func expectEnd(within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation) {
        let end = running.waitForExit(within: limit)
        #expect(end == .exited(0), "\(running.output)\(running.errors)", sourceLocation: sourceLocation)
        #expect(report["conserved"] as? Bool == true, "\(running.output)", sourceLocation: sourceLocation)
        #expect(number("lost_pools") == 0, "\(running.output)", sourceLocation: sourceLocation)
        #expect(running.errors == "", sourceLocation: sourceLocation)
    }

    /// Ends it when it answers, and expects the same.
    func stop(sourceLocation: SourceLocation = #_sourceLocation) {
        running.send(SIGTERM)
        expectEnd(within: .seconds(10), sourceLocation: sourceLocation)
    }
}
