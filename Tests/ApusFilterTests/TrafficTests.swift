import ApusConfig
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusFilter

/// Floods over a link: what comes to the host behind the filter is counted by that host.
@Suite(.serialized, .requires(.root)) struct TrafficTests {
    static let modes: [RateLimitFilter.Mode] = [.native, .generic]
    /// 192.0.2.77 and 192.0.2.78.
    private static let (good, bad): (UInt32, UInt32) = (0xc000_024d, 0xc000_024e)

    private static func rules(
        _ scope: FilterLimit.Scope, perSecond rate: Double, burst: UInt64? = nil
    ) -> FilterRules {
        var rules = FilterRules()
        rules.limits = [
            FilterLimit(
                name: "limit", scope: scope, packets: PacketRate(perSecond: rate), packetBurst: burst)
        ]
        return rules
    }

    @Test(arguments: modes, [(1000.0, 64), (1000, 1400), (20_000, 64), (20_000, 1400)])
    func whatComesThroughIsTheLimit(
        _ mode: RateLimitFilter.Mode, _ case: (rate: Double, octets: Int)
    ) throws {
        let (rate, octets) = `case`
        // A sender who has to wait at the end lets the bucket fill, of which nobody takes anything then.
        let share = try undisturbed {
            try flood(mode, rate, octets)
        } isRight: {
            $0 >= 0.99
        }
        #expect(share >= 0.99)
    }

    /// Sends three times the limit for a second, never gets more through than that, and gives what share of it came.
    private func flood(_ mode: RateLimitFilter.Mode, _ rate: Double, _ octets: Int) throws -> Double {
        let net = try Pair("limit")
        defer { net.lab.close() }
        // As much as comes in half a second, so that no pause of the sender's lets the bucket run over.
        let rules = Self.rules(.source, perSecond: rate, burst: UInt64(rate / 2))
        let filter = try net.b.enter { try RateLimitFilter.load(rules, on: "vb", mode: mode) }
        let sender = try net.a.enter { try Sender("va") }
        let before = try net.b.receivedPackets()
        let total = Int(rate * 3)
        let began = try earliestTime(ofTicks: net.b.enter { try filter.status().tick })
        let (_, time) = try sender.send(
            [frame(from: Self.good, octets: octets)], total: total, perSecond: rate * 3)
        let (came, lost) = try net.come(of: total, by: sender, past: filter, since: before)
        let burst = Double(rules.limits[0].effectivePacketBurst!)
        // By now all are judged.
        #expect(Double(came) <= burst + rate * Double(monotonicTime - began) / 1e9 + 2)
        let most = burst + rate * Double(time) / 1e9
        print("\(mode), \(Int(rate)) of \(octets) octets: \((Double(came) / most - 1) * 100) %")
        let status = try net.b.enter { try filter.status() }
        let dropped = status.limits[0].dropped
        #expect((total - lost - came...total - came).contains(Int(dropped.packets)))
        #expect(dropped.octets == dropped.packets * UInt64(octets))
        try net.b.enter { try filter.unload() }
        return Double(came) / most
    }

    @Test(arguments: modes) func eachOfManySourcesHasItsBurst(_ mode: RateLimitFilter.Mode) throws {
        let net = try Pair("sources")
        defer { net.lab.close() }
        let filter = try net.b.enter {
            try RateLimitFilter.load(Self.rules(.source, perSecond: 0.001, burst: 2), on: "vb", mode: mode)
        }
        let sender = try net.a.enter { try Sender("va") }
        let before = try net.b.receivedPackets()
        let frames = (0..<12_000 as Range<UInt32>).map { frame(from: 0x0a00_0000 + $0) }
        try sender.send(frames, total: 3 * frames.count, perSecond: 60_000)
        let (came, lost) = try net.come(of: 36_000, by: sender, past: filter, since: before)
        #expect((24_000 - lost...24_000).contains(came))
        let status = try net.b.enter { try filter.status() }
        #expect(Int(status.sources.known) + lost >= 12_000)
        #expect((12_000 - lost...12_000).contains(Int(status.limits[0].dropped.packets)))
        try net.b.enter { try filter.unload() }
    }

    @Test(arguments: modes) func whoKeepsToHisLimitLosesNothingInAFlood(_ mode: RateLimitFilter.Mode) throws {
        try withFlood(mode, Self.rules(.source, perSecond: 1000, burst: 500)) { _ in usleep(1_500_000) }
    }

    @Test func reloadsInAFloodLoseNothing() throws {
        var rules = Self.rules(.source, perSecond: 1000, burst: 500)
        rules.management = []
        let first = rules
        try withFlood(.native, rules) { filter in
            for number in 0..<50 as Range<UInt8> {
                rules.entries = [
                    FilterEntry(.source(AddressPrefix("198.51.\(number).0/24")!), .allow),
                    FilterEntry(.source(AddressPrefix("203.0.113.\(number)/32")!), .deny),
                ]
                let other = FilterLimit(name: "all", scope: .all, packets: PacketRate(perSecond: 1e6))
                rules.limits = number % 2 == 0 ? first.limits : [other] + first.limits
                try filter.replace(rules)
                usleep(20_000)
            }
            #expect(try filter.rules() == rules)
        }
    }

    /// A sender at half the limit of 1000 packets a second, while another sends a hundred times as many and things happen:
    /// the one loses nothing, and the other gets what the limit says.
    ///
    /// What is missing is judged each time. Measured again are the times, where something else had the CPUs.
    private func withFlood(
        _ mode: RateLimitFilter.Mode, _ rules: FilterRules, meanwhile: (RateLimitFilter) throws -> Void
    ) throws {
        let seen = try undisturbed {
            try carriedFlood(mode, rules, meanwhile)
        } isRight: {
            $0.sent > 500 && $0.share >= 0.99 && $0.excess > 10
        }
        #expect(seen.sent > 500 && seen.share >= 0.99)
        // So it was a flood.
        #expect(seen.excess > 10)
        print("\(mode): \(seen)")
    }

    /// A flood of which the link itself lost nothing: what it drops without a word the filter has not seen.
    private func carriedFlood(
        _ mode: RateLimitFilter.Mode, _ rules: FilterRules, _ meanwhile: (RateLimitFilter) throws -> Void
    ) throws -> (sent: Int, share: Double, excess: Double) {
        for _ in 0..<10 {
            if let seen = try flood(mode, rules, meanwhile) { return seen }
        }
        throw LabError("flooded ten times, and the link dropped packets each time")
    }

    /// How many the one has sent, the other's part of what it may have, which is never more than that, and how many times as
    /// many it has sent. Nil if packets are missing and the link says that it dropped as many.
    private func flood(
        _ mode: RateLimitFilter.Mode, _ rules: FilterRules, _ meanwhile: (RateLimitFilter) throws -> Void
    ) throws -> (sent: Int, share: Double, excess: Double)? {
        let net = try Pair("flood")
        defer { net.lab.close() }
        let filter = try net.b.enter { try RateLimitFilter.load(rules, on: "vb", mode: mode) }
        let (receiver, other) = try net.b.enter { (try Receiver(port: 5005), try Receiver(port: 5004)) }
        let (calm, flooding) = try net.a.enter { (try Sender("va"), try Sender("va")) }
        let isOver = Flag()
        let began = try earliestTime(ofTicks: net.b.enter { try filter.status().tick })
        let flood = try PinnedThread(to: nil) {
            try flooding.send([frame(from: Self.bad)], perSecond: 100_000) { isOver.isSet }
        }
        let steady = try PinnedThread(to: nil) {
            try calm.send([frame(from: Self.good, port: 5005)], perSecond: 500) { isOver.isSet }
        }
        let outcome = Result { try net.b.enter { try meanwhile(filter) } }
        isOver.set()
        let flooded = try flood.join()
        let ended = monotonicTime
        let sent = try steady.join().sent
        try outcome.get()
        // What is on its way comes.
        func dropped() throws -> Int { try net.b.enter { try Int(filter.status().dropped.packets) } }
        func unsent() throws -> Int {
            try max(0, net.a.unsentPackets("va") - flooding.refused - calm.refused)
        }
        var (kept, came) = (0, 0)
        try eventually("all that was sent is judged") {
            (kept, came) = (kept + receiver.count(), came + other.count())
            return try kept + came + dropped() + unsent() >= sent + flooded.sent
        }
        let most = 500 + 1000 * Double(flooded.time) / 1e9
        #expect(Double(came) <= 500 + 1000 * Double(ended - began) / 1e9 + 2)
        let (all, unsent) = try (dropped(), unsent())
        try net.b.enter { try filter.unload() }
        // All that the filter dropped is the other's.
        let (lost, missing) = (sent - kept, flooded.sent - came - all)
        if lost > 0 || missing > 0, lost >= 0, missing >= 0, unsent >= lost + missing { return nil }
        #expect(lost == 0 && missing == 0, "the link dropped \(unsent)")
        return (sent, Double(came) / most, Double(flooded.sent) / most)
    }

    private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .acquiring) }
        func set() { value.store(true, ordering: .releasing) }
    }

    @Test func aLinkThatGoesDownKeepsItsFilter() throws {
        let net = try Pair("down")
        defer { net.lab.close() }
        let filter = try net.b.enter {
            try RateLimitFilter.load(Self.rules(.source, perSecond: 0.001, burst: 5), on: "vb", mode: .native)
        }
        let sender = try net.a.enter { try Sender("va") }
        func come() throws -> Int {
            let before = try (came: net.b.receivedPackets(), dropped: dropped())
            try sender.send([frame(from: Self.good)], total: 3, perSecond: 1000)
            var come = 0
            try eventually("all that was sent is judged") {
                come = try net.b.receivedPackets() - before.came
                return try come + dropped() - before.dropped == 3
            }
            return come
        }
        func dropped() throws -> Int {
            // There may be no filter.
            try net.b.enter { try RateLimitFilter.all().first?.status().dropped.packets }.map { Int($0) } ?? 0
        }
        #expect(try come() == 3)
        try net.b.run("ip", "link", "set", "vb", "down")
        try net.b.run("ip", "link", "set", "vb", "up")
        try eventually("the link is up") {
            try net.a.run("cat", "/sys/class/net/va/operstate").standardOutput.hasPrefix("up")
        }
        #expect(try net.b.enter { try RateLimitFilter.all() } == [filter])
        #expect(try come() == 2)
        #expect(try come() == 0)
        try net.b.enter { try filter.unload() }
        #expect(try come() == 3)
    }

    @Test func anInterfaceThatGoesAwayLeavesNothing() throws {
        let net = try Pair("away")
        defer { net.lab.close() }
        try net.b.enter {
            let filter = try RateLimitFilter.load(Self.rules(.source, perSecond: 10), on: "vb", mode: .native)
            try net.b.run("ip", "link", "del", "vb")
            #expect(try RateLimitFilter.all().isEmpty)
            #expect(throws: FilterError("vb", .notLoaded)) { try filter.status() }
            #expect(throws: FilterError("vb", .notLoaded)) { try filter.replace(FilterRules()) }
            let gone = #expect(throws: FilterError.self) { try RateLimitFilter(on: "vb") }
            #expect(gone?.cause == .interface(XDPError("vb", .noSuchInterface(existing: ["lo"]))))
            #expect(try RateLimitFilter.cleanUp().count == 1)
            #expect(try RateLimitFilter.cleanUp().isEmpty)
            #expect(throws: FilterError("vb", .notLoaded)) { try filter.unload() }
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf").standardOutput.contains("apus") == false)
    }
}

extension Pair {
    /// How many IPv4 packets came past a filter of those that were sent, when each of them did, was dropped there or was lost
    /// by the link, and how many that were at most: it may have lost others, too.
    fileprivate func come(
        of total: Int, by sender: Sender, past filter: RateLimitFilter, since before: Int
    ) throws -> (came: Int, lost: Int) {
        var (came, lost) = (0, 0)
        try eventually("all that was sent is judged") {
            let dropped = try b.enter { try Int(filter.status().dropped.packets) }
            came = try b.receivedPackets() - before
            lost = try max(0, a.unsentPackets("va") - sender.refused)
            return came + dropped + lost >= total
        }
        return (came, lost)
    }
}
