import ApusBench

/// The highest rate at which nothing is lost, of Apus and of rtpengine in turn.
struct RateTrial {
    let name: String
    let payload: Int
    let backend: Relay.Backend

    init(_ name: String, payload: Int, _ backend: Relay.Backend) {
        (self.name, self.payload, self.backend) = (name, payload, backend)
    }

    /// Seconds of a trial.
    private static let duration = 1.0

    func run(_ stage: Stage, _ effort: Effort, _ progress: (String) -> Void) throws -> [Finding] {
        let rounds = effort == .quick ? 2 : 6
        var apus = RateSearch(guess: 500_000), peer = RateSearch(guess: 100_000)
        for round in 0..<rounds {
            // A B B A, so that neither always comes first.
            for isApus in round % 2 == 0 ? [true, false] : [false, true] {
                let turn = "\(round + 1) of \(rounds)"
                if isApus {
                    try measure(&apus, stage, { progress("Apus \(turn), \($0)") }) {
                        try Relay.apus(backend, on: stage)
                    }
                } else {
                    try measure(&peer, stage, { progress("rtpengine \(turn), \($0)") }) {
                        try Relay.rtpengine(on: stage)
                    }
                }
            }
        }
        var finding = Finding(
            name, per: "packet", cores: 2, apus: ("Apus", apus.samples), peer: ("rtpengine", peer.samples))
        finding.apus.backend = apus.backend
        finding.peer?.backend = peer.backend
        return [finding]
    }

    private func measure(
        _ search: inout RateSearch, _ stage: Stage, _ progress: (String) -> Void, _ start: () throws -> Relay
    ) throws {
        var ready = try Ready(start(), payload, stage)
        try search.run(progress) { rate in
            let trial = try stage.offer(&ready.flows, rate: rate, seconds: Self.duration)
            // Overload must not count against the next trial: rtpengine never again reads from a socket on which
            // it found more than fifty packets five times.
            if trial.lost > 0 {
                ready.relay.end()
                ready = try Ready(start(), payload, stage)
            }
            return trial
        }
        ready.relay.end()
        search.grant = ready.relay.backend
    }
}

/// A relay that was seen to relay, and is warm.
struct Ready {
    let relay: Relay
    var flows: Flows

    init(_ relay: Relay, _ payload: Int, _ stage: Stage) throws {
        self.relay = relay
        var flows = try stage.flows(payload: payload, ports: relay.ports)
        try eventually("\(relay.name) relays", seconds: 3, { relay.text }) { try stage.verify(&flows) }
        self.flows = flows
        _ = try stage.offer(&self.flows, rate: 10_000, seconds: 0.3)
    }
}
