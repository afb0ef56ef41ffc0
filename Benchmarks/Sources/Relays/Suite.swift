import Apus
import ApusBench
import Foundation

/// The suite `forwarder`: `apus forward` beside rtpengine. A quick one has what has a target, and one latency.
///
/// - Parameter line: what measures it as root.
package func forwarder(relayCore: Int, senderCore: Int?, isQuick: Bool, asRoot line: String) -> Suite {
    let missing = missing(senderCore, line)
    guard missing == nil, let senderCore else {
        return Suite("forwarder", leftOut: ["forwarder can't be measured here: \(missing!)"], [Trial]())
    }
    let rates = [
        (RateTrial("forwarder/rate/172", payload: 172, .native), isInQuick: true, farEnd: nil),
        (RateTrial("forwarder/rate/1200", payload: 1200, .native), true, nil),
        (RateTrial("forwarder/rate-far-end-elsewhere/172", payload: 172, .native), false, senderCore),
        (RateTrial("forwarder/rate-generic/172", payload: 172, .generic), false, nil),
        (RateTrial("forwarder/rate-packet/172", payload: 172, .packet), false, nil),
        (RateTrial("forwarder/rate-dpdk/172", payload: 172, .dpdk), true, nil),
        (RateTrial("forwarder/rate-dpdk/1200", payload: 1200, .dpdk), false, nil),
    ].map { rate, isInQuick, farEnd in
        (
            isInQuick: isInQuick,
            Trial(rate.name) { effort, progress in
                let stage = try Stage(relayCore: relayCore, senderCore: senderCore, farEnd: farEnd)
                return try rate.run(stage, effort, progress)
            }
        )
    }
    let latencies = [172, 1200].map { payload in
        let latency = LatencyTrial("forwarder/latency/\(payload)", payload: payload)
        return (
            isInQuick: payload == 172,
            Trial(latency.name) { effort, progress in
                try latency.run(Stage(relayCore: relayCore, senderCore: senderCore), effort, progress)
            }
        )
    }
    let all = rates + latencies
    let leftOut = all.filter { isQuick && !$0.isInQuick }.map(\.1.name)
    return Suite(
        "forwarder", versions: try versions(),
        leftOut: leftOut.isEmpty ? [] : ["a quick run leaves out \(leftOut.joined(separator: ", "))"],
        all.filter { !isQuick || $0.isInQuick }.map(\.1))
}

/// Why the suite can't run here and what to do about it; `nil` when it can.
private func missing(_ senderCore: Int?, _ line: String) -> String? {
    guard geteuid() == 0 else { return "it needs root, for namespaces of its own: \(line)" }
    guard senderCore != nil else { return "it needs two cores, one to send and one to relay" }
    let programs = ["rtpengine", "ip", "ethtool"].filter { !isInstalled($0) }
    guard programs.isEmpty else {
        return "\(programs.joined(separator: " and ")) not found: make setup WITH=bench-peers installs them"
    }
    return nil
}

/// Whether there is a program of that name to run, in PATH.
package func isInstalled(_ program: String) -> Bool {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
    return path.split(separator: ":").contains {
        FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
    }
}

/// rtpengine's own words: `Version: 10.5.3.5-1+deb12u1`.
private func versions() throws -> [String: String] {
    let text = try Child.run(["rtpengine", "--version"])
    return ["rtpengine": text.trimmingPrefix("Version: ").trimmingCharacters(in: .whitespacesAndNewlines)]
}
