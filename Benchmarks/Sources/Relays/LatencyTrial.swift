import ApusBench

/// What a relay adds to a packet's way at 10,000 packets a second, of Apus and of rtpengine in turn.
struct LatencyTrial {
    let name: String
    let payload: Int

    init(_ name: String, payload: Int) { (self.name, self.payload) = (name, payload) }

    /// Packets a second, of all flows together, one at a time.
    private static let rate = 10_000.0
    private static let duration = 5.0
    private static let shares: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999),
    ]

    func run(_ stage: Stage, _ effort: Effort, _ progress: (String) -> Void) throws -> [Finding] {
        let rounds = effort == .quick ? 2 : 6
        var apus = Side(), peer = Side()
        for round in 0..<rounds {
            for isApus in round % 2 == 0 ? [true, false] : [false, true] {
                progress("\(isApus ? "Apus" : "rtpengine"), \(round + 1) of \(rounds)")
                let bare = try direct(stage)
                if isApus {
                    try measure(&apus, bare, stage) { try Relay.apus(.native, on: stage) }
                } else {
                    try measure(&peer, bare, stage) { try Relay.rtpengine(on: stage) }
                }
            }
        }
        return Self.shares.map { name, share in
            func samples(_ side: Side) -> [Double] {
                side.rounds.map { max(1, Statistics.quantile(share, ofSorted: $0)) }
            }
            var finding = Finding(
                "\(self.name)/\(name)", per: "packet", cores: 2, apus: ("Apus", samples(apus)),
                peer: ("rtpengine", samples(peer)))
            finding.apus.backend = apus.backend
            finding.peer?.backend = peer.backend
            if share == 0.5 {
                finding.apus.distribution = Distribution.of(apus.rounds.flatMap { $0 })
                finding.peer?.distribution = Distribution.of(peer.rounds.flatMap { $0 })
            }
            return finding
        }
    }

    /// What was found of one of them: the added latencies of each round, sorted.
    private struct Side {
        var rounds: [[Double]] = []
        var backend = ""
    }

    /// The median of the way without a relay, in nanoseconds.
    private func direct(_ stage: Stage) throws -> Double {
        var flows = try stage.directFlows(payload: payload)
        let (latencies, _) = try stage.latencies(&flows, rate: Self.rate, seconds: 1, isDirect: true)
        return Statistics.median(latencies.map(Double.init))
    }

    private func measure(
        _ side: inout Side, _ bare: Double, _ stage: Stage, _ start: () throws -> Relay
    ) throws {
        var ready = try Ready(start(), payload, stage)
        let relay = ready.relay
        defer { relay.end() }
        let (latencies, lost) = try stage.latencies(&ready.flows, rate: Self.rate, seconds: Self.duration)
        guard lost < latencies.count / 100 else {
            throw RelayError("\(relay.name) lost \(lost) packets at \(Int(Self.rate)) a second")
        }
        // One that is lost took longer than any: as long as the round.
        let never = [Double](repeating: Self.duration * 1e9, count: lost)
        side.rounds.append(latencies.map { Double($0) - bare }.sorted() + never)
        side.backend = relay.backend
    }
}

/// The form of a distribution that is drawn.
package enum Distribution {
    /// Shares that a plot of the tail needs: 1 to 99 of a hundred, then ever closer to all.
    private static let shares =
        stride(from: 0.01, to: 0.99, by: 0.01).map { $0 } + [0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1]

    /// Pairs of nanoseconds and the share of the values that are at most so many. There must be at least one value.
    package static func of(_ values: [Double]) -> [[Double]] {
        let sorted = values.sorted()
        return shares.map { [Statistics.quantile($0, ofSorted: sorted), $0] }
    }
}
