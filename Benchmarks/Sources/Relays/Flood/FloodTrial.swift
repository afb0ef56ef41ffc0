import ApusBench
import Foundation

/// The trial `filter/flood`, or why it can't be measured: the highest rate of a flood that is held off while a stream beside
/// it arrives, and what each packet costs the core that receives, by Apus and by nftables in turn.
///
/// - Parameters:
///   - guardCore: where the guarded host receives and drops.
///   - senderCore: where the flood comes from.
package func floodTrial(guardCore: Int, senderCore: Int?) -> (trial: Trial?, leftOut: String?) {
    let name = "filter/flood"
    func leftOut(_ reason: String) -> (trial: Trial?, leftOut: String?) {
        (nil, "\(name) can't be measured here: \(reason)")
    }
    guard let senderCore else { return leftOut("it needs two cores, one to send and one to guard") }
    let missing = ["nft", "ethtool"].filter { !isInstalled($0) }
    guard missing.isEmpty else {
        return leftOut(
            "\(missing.joined(separator: " and ")) not in PATH: make setup WITH=bench-peers installs them")
    }
    return (
        Trial(name) { effort, progress in
            let stage = try FloodStage(guardCore: guardCore, senderCore: senderCore)
            return try measure(name, stage, rounds: effort == .quick ? 2 : 6, progress)
        }, nil
    )
}

/// The most that the stream may lose of a trial that passes. The ring of a veth interface has 256 places, some tenths of a
/// millisecond's worth: who is not let run for so long, as happens on any machine that is shared, loses packets at
/// any rate.
private let mostLost = 0.01

/// At what rate the time of the receiving core is taken, one that both can take, and in what bursts: as long as the ring
/// has room for, since at such a rate the thread that receives sleeps between them, and to be woken costs more than some
/// packets.
private let light = (rate: 300_000.0, burst: 128)

private struct Side {
    var search: RateSearch
    var coreTimes: [Double] = []
}

private func measure(
    _ name: String, _ stage: FloodStage, rounds: Int, _ progress: (String) -> Void
) throws -> [Finding] {
    var sides = [
        FloodGuard.apus: Side(search: RateSearch(guess: 1_000_000)),
        .nftables: Side(search: RateSearch(guess: 500_000)),
    ]
    for round in 0..<rounds {
        // A B B A, so that neither always comes first.
        for guardian in round % 2 == 0 ? [FloodGuard.apus, .nftables] : [.nftables, .apus] {
            try guardian.stand(on: stage)
            // Each source has its burst, once.
            _ = try stage.flood(rate: light.rate, seconds: 0.3)
            var side = sides[guardian]!
            side.coreTimes.append(
                try stage.flood(rate: light.rate, seconds: 1, burst: light.burst).coreTime)
            try side.search.run(
                floor: FloodStage.leastRate,
                { progress("\(guardian.rawValue) \(round + 1) of \(rounds), \($0)") },
                { rate in
                    let outcome = try stage.flood(rate: rate, seconds: 1)
                    return Bisection.Trial(
                        offered: outcome.offered, lost: outcome.lostShare > mostLost ? 1 : 0)
                })
            side.search.grant = guardian.grant
            sides[guardian] = side
            try guardian.leave(stage)
        }
    }
    let (apus, peer) = (sides[.apus]!, sides[.nftables]!)
    var rate = Finding(
        "\(name)/rate", per: "packet", cores: 2, apus: ("Apus", apus.search.samples),
        peer: ("nftables", peer.search.samples))
    rate.apus.backend = apus.search.backend
    rate.peer?.backend = peer.search.backend
    var time = Finding(
        "\(name)/core", per: "packet", cores: 2, apus: ("Apus", apus.coreTimes),
        peer: ("nftables", peer.coreTimes))
    time.apus.backend = apus.search.grant
    time.peer?.backend = peer.search.grant
    return [rate, time]
}
