import Apus
import ApusBench
import CTraffic
import Foundation

/// Apus with a limit for each source and a table for a million of them, and in front of it a program that writes another
/// source address into each packet (Traffic/spray.bpf.c), the same however many there are.
@safe final class SprayedFilter {
    private let filter: LoadedFilter
    private let spray: OpaquePointer
    private let verdict: XDPAction
    /// The first address: 1.0.0.0.
    private static let first: UInt32 = 0x0100_0000

    /// One that knows so many sources, of which each packet is of one at random.
    convenience init(sources: Int) throws {
        try self.init(Rules.million(slowly: false))
        unsafe traffic_spray_in_turn(spray, Self.first, UInt32(sources))
        try judge(sources)
        // A set of the table has room for twice as many sources as there are for each on average; now and then more
        // than that meet in one.
        let known = try filter.status().sources.known
        guard known <= sources, Double(known) > 0.95 * Double(sources) else {
            throw BenchError("of \(sources) sources \(known) are in the table")
        }
        unsafe traffic_spray_randomly(spray, Self.first, UInt32(sources))
    }

    /// One whose table is full of sources that never come back: each packet takes the place of another one, whose bucket is
    /// full, or where limits fill slowly has yet to.
    static func full(slowly isSlow: Bool) throws -> SprayedFilter {
        let sprayed = try SprayedFilter(Rules.million(slowly: isSlow))
        unsafe traffic_spray_randomly(sprayed.spray, first, 1 << 31)
        // Each set is chosen forty times, and has fourteen places.
        try sprayed.judge(6_000_000)
        let before = try sprayed.filter.status().sources
        try sprayed.judge(LoadedFilter.count)
        let after = try sprayed.filter.status().sources
        let (evicted, forgotten) = (after.evicted - before.evicted, after.forgotten - before.forgotten)
        let replaced = isSlow ? forgotten : evicted
        guard Double(replaced) > 0.99 * Double(LoadedFilter.count) else {
            throw BenchError("of \(LoadedFilter.count) new sources \(replaced) took the place of another one")
        }
        return sprayed
    }

    /// One whose packets are all of new sources, each of which takes places of others in a table that is full, one for each
    /// limit but the last; that one refuses them.
    static func refusing(_ rules: FilterRules) throws -> SprayedFilter {
        let sprayed = try SprayedFilter(rules, verdict: .drop)
        unsafe traffic_spray_randomly(sprayed.spray, first, 1 << 31)
        let (last, count) = (rules.limits.count - 1, 1024)
        // As above.
        try sprayed.judge(6 * rules.sourceCapacity / last)
        let before = try sprayed.filter.status()
        try sprayed.judge(count)
        let after = try sprayed.filter.status()
        let refused = after.limits[last].dropped.packets - before.limits[last].dropped.packets
        let (old, new) = (before.sources, after.sources)
        let replaced = new.evicted + new.forgotten - old.evicted - old.forgotten
        guard refused == count, Double(replaced) > 0.99 * Double(count * last) else {
            throw BenchError(
                "of \(count) packets the last limit refused \(refused), and they took \(replaced) places")
        }
        return sprayed
    }

    private init(_ rules: FilterRules, verdict: XDPAction = .pass) throws {
        filter = try LoadedFilter(apus: rules)
        unsafe spray = try filter.spray()
        self.verdict = verdict
    }

    deinit { unsafe traffic_spray_close(spray) }

    private func judge(_ count: Int) throws {
        try runOnPackets(unsafe traffic_spray_program(spray), count, verdict)
    }

    /// A round.
    func competitor(_ name: String, count: Int = LoadedFilter.count) -> Competitor {
        Competitor(name) {
        } run: { [self] in
            try judge(count)
            return count
        }
    }
}
