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
        var apus = Side(guess: 500_000), peer = Side(guess: 100_000)
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

    /// What was found of one of them so far.
    private struct Side {
        var guess: Double
        var samples: [Double] = []
        var isAtLeast = false
        var grant = ""

        var backend: String { isAtLeast ? "\(grant); at least, the sender had no more" : grant }
    }

    private func measure(
        _ side: inout Side, _ stage: Stage, _ progress: (String) -> Void, _ start: () throws -> Relay
    ) throws {
        var ready = try Ready(start(), payload, stage)
        var bisection = Bisection()
        if !side.samples.isEmpty { bisection.step = 1.15 }
        // Not from where the last one ended, so that they do not find the same.
        let result = try bisection.search(from: side.guess * .random(in: 0.8...1.25)) { rate in
            progress("\(Int(rate)) a second")
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
        side.guess = result.rate
        side.samples.append(1e9 / result.rate)
        side.isAtLeast = side.isAtLeast || result.isAtLeast
        side.grant = ready.relay.backend
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
