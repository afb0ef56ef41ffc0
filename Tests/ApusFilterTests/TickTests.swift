import ApusConfig
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Synchronization
import Testing

@testable import ApusFilter

/// The clock of the kernel's ticks. What passes by it is in AccuracyTests.
@Suite(.serialized, .requires(.root)) struct TickTests {
    @Test func limitsNeedTwentyTicksOfBurst() {
        func limit(_ flags: apus_limit_flag..., packets: UInt64 = 0, octets: UInt64 = 0) -> apus_limit {
            var limit = apus_limit()
            limit.flags = flags.reduce(0) { $0 | $1.rawValue }
            (limit.packet_room, limit.octet_room) = (packets, octets)
            return limit
        }
        let least: UInt64 = 20 * 4_000_000 * 64
        func isEnough(_ limits: apus_limit...) -> Bool { TickClock.isEnough(4_000_000, for: limits) }
        #expect(isEnough())
        #expect(isEnough(limit(APUS_LIMIT_PACKETS, packets: least)))
        #expect(!isEnough(limit(APUS_LIMIT_PACKETS, packets: least - 1)))
        #expect(isEnough(limit(APUS_LIMIT_BITS, octets: least)))
        #expect(!isEnough(limit(APUS_LIMIT_BITS, octets: least - 1)))
        #expect(!isEnough(limit(APUS_LIMIT_PACKETS, APUS_LIMIT_BITS, packets: least, octets: least - 1)))
        #expect(!isEnough(limit(APUS_LIMIT_PACKETS, packets: least), limit(APUS_LIMIT_PACKETS, packets: 0)))
        // As bursts are unless they are given.
        for rate in [100.0, 1000, 1e6] {
            let limits = [FilterLimit(scope: .all, packets: PacketRate(perSecond: rate))]
            var rules = FilterRules()
            rules.limits = limits
            var encoding = RulesEncoding(rules, numbers: [32], sets: 1, secret: RulesEncoding.knownSecret)
            #expect(TickClock.isEnough(4_000_000, for: encoding.limits), "\(rate)")
        }
    }

    /// Read now and a second later, it has the same beginning, to the next tick; and it is not ahead of the other clock.
    @Test func itGoesAsTheOtherClockDoes() throws {
        guard let first = try TickClock.read() else {
            // As where the kernel has 100 ticks a second.
            var resolution = timespec()
            #expect(unsafe clock_getres(CLOCK_MONOTONIC_COARSE, &resolution) == 0)
            #expect(resolution.tv_nsec > TickClock.longest)
            return
        }
        // A machine that stands still between two looks makes one of them too early.
        let apart = try undisturbed(beyond: .nanoseconds(first.tick)) { () throws -> Int64 in
            var zeros: [UInt64] = []
            for _ in 0..<20 {
                usleep(50_000)
                zeros.append(try #require(try TickClock.read()).zero)
            }
            let apart = zeros.map { Int64(bitPattern: $0 &- zeros[0]) }
            return apart.max()! - apart.min()!
        } isRight: {
            $0 <= Int64(first.tick) + 1_000_000
        }
        #expect(apart <= Int64(first.tick) + 1_000_000)
        print("ticks of \(first.tick) ns, whose beginnings are apart by \(apart) ns")
    }

    /// A limit that gets another rate while a flood comes begins anew, once: the clocks of those who load it and of the
    /// program differ, and none of them takes a bucket for one that another limit has left.
    @Test func eachChangeOfARateGivesOneBurst() throws {
        let net = try Pair("rates")
        defer { net.lab.close() }
        try net.b.enter {
            func rules(_ rate: Double) -> FilterRules {
                var rules = FilterRules()
                rules.limits = [
                    FilterLimit(
                        name: "limit", scope: .all, packets: PacketRate(perSecond: rate), packetBurst: 100)
                ]
                return rules
            }
            let filter = try RateLimitFilter.load(rules(1000), on: "vb", mode: .native)
            #expect(try filter.status().tick != nil || (try TickClock.read()) == nil)
            let entry = try BPFProgram(opening: filter.store.path("entry"))
            let begun = monotonicTime
            let changes = 24
            let end = Ended()
            let flood = try PinnedThread(to: nil) {
                while end.count.load(ordering: .relaxed) == 0 {
                    _ = try entry.run(on: frame(from: 1), times: 4096)
                }
            }
            for change in 1...changes {
                usleep(10_000)
                try filter.replace(rules(change % 2 == 0 ? 1000 : 1001))
            }
            usleep(10_000)
            end.count.store(1, ordering: .relaxed)
            try flood.join()
            let time = Double(monotonicTime - begun) / 1e9
            let passed = Double(try filter.status().reasons[.within]!.packets)
            // And what the rate allows in two ticks, with each.
            let most = Double(changes + 1) * (100 + 8) + 1001 * time
            print("\(passed) passed, \(most) at most")
            #expect(passed <= most && passed > Double(changes) * 30)
            try filter.unload()
        }
    }
}
