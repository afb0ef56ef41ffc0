import ApusBench
import Foundation

/// The trial `filter/flood`, or why it can't be measured: the rate of a flood that is held off while a stream beside it
/// loses nothing, by Apus and by nftables in turn.
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
        return leftOut("\(missing.joined(separator: " and ")) not in PATH: apt-get install nftables ethtool")
    }
    return (
        Trial(name) { effort, progress in
            let stage = try FloodStage(guardCore: guardCore, senderCore: senderCore)
            return [try measure(name, stage, rounds: effort.name == Effort.quick.name ? 2 : 6, progress)]
        }, nil
    )
}

private func measure(
    _ name: String, _ stage: FloodStage, rounds: Int, _ progress: (String) -> Void
) throws -> Finding {
    var searches = [FloodGuard.apus: RateSearch(guess: 1_000_000), .nftables: RateSearch(guess: 500_000)]
    for round in 0..<rounds {
        // A B B A, so that neither always comes first.
        for guardian in round % 2 == 0 ? [FloodGuard.apus, .nftables] : [.nftables, .apus] {
            try guardian.stand(on: stage)
            // Each source has its burst, once.
            _ = try stage.flood(rate: 200_000, seconds: 0.3)
            try searches[guardian]!.run(
                floor: FloodStage.leastRate,
                { progress("\(guardian.rawValue) \(round + 1) of \(rounds), \($0)") },
                { try stage.flood(rate: $0, seconds: 1) })
            searches[guardian]!.grant = guardian.grant
            try guardian.leave(stage)
        }
    }
    let (apus, peer) = (searches[.apus]!, searches[.nftables]!)
    var finding = Finding(
        name, per: "packet", cores: 2, apus: ("Apus", apus.samples), peer: ("nftables", peer.samples))
    finding.apus.backend = apus.backend
    finding.peer?.backend = peer.backend
    return finding
}
