import ApusConfig
import ApusXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// What passes beside what may pass, with two CPUs that offer as much as they can.
@Suite(.serialized, .requires(.root)) struct AccuracyTests {
    static let scopes: [FilterLimit.Scope] = [.all, .source]

    @Test(arguments: scopes, [1_000.0, 10_000, 100_000, 1_000_000])
    func packetsPassAtTheirRate(_ scope: FilterLimit.Scope, _ rate: Double) throws {
        let limit = FilterLimit(name: "limit", scope: scope, packets: PacketRate(perSecond: rate))
        let flood = try Flood(limit, octets: 64)
        try flood.expect(
            \.packets, burst: Double(limit.effectivePacketBurst!), rate: rate, beyond: 1)
    }

    @Test(arguments: scopes, [(10e6, 64), (1e9, 64), (10e6, 1500), (1e9, 1500)])
    func bitsPassAtTheirRate(_ scope: FilterLimit.Scope, _ case: (rate: Double, octets: Int)) throws {
        let (rate, octets) = `case`
        let limit = FilterLimit(name: "limit", scope: scope, bits: BitRate(perSecond: rate))
        let flood = try Flood(limit, octets: octets)
        // The last frame begins within the burst, and may end beyond it.
        try flood.expect(
            \.octets, burst: Double(limit.effectiveOctetBurst!), rate: rate / 8,
            beyond: Double(octets))
    }
}

/// A flood of one source by two CPUs, in which each moment's packets that passed are looked at.
private struct Flood {
    /// What passed.
    let passed: FilterCount
    /// The longest time that it may have lasted, in seconds.
    private let most: Double
    /// What had passed by then: seconds, packets or octets.
    private let samples: [(time: Double, passed: FilterCount)]

    init(_ limit: FilterLimit, octets: Int) throws {
        var rules = FilterRules()
        rules.limits = [limit]
        let program = try RulesProgram.running(rules)
        let frame = frame(from: 0xc633_6407, octets: octets)
        let begun = monotonicTime
        let threads = try (0..<2).map { cpu in
            try PinnedThread(to: cpu) { [program = program.program] in
                var packets: UInt64 = 0
                while monotonicTime < begun + 800_000_000 {
                    // Behind so many runs the kernel waits until nobody uses an older program.
                    packets += 1 << 17
                    _ = try program.run(on: frame, times: 1 << 17)
                }
                return packets
            }
        }
        var samples: [(Double, FilterCount)] = []
        while monotonicTime < begun + 800_000_000 {
            let before = monotonicTime
            let counts = try program.maps.counts.values(of: FilterReason.within.rawValue)!
            let after = monotonicTime
            // Where nothing came between the two looks at the clock.
            if after - before < 20_000 {
                let passed = counts.reduce(FilterCount()) {
                    $0 + FilterCount(packets: $1.packets, octets: $1.octets)
                }
                samples.append((Double((before + after) / 2 - begun) / 1e9, passed))
            }
            usleep(500)
        }
        let offered = try threads.reduce(0) { try $0 + $1.join() }
        most = Double(monotonicTime - begun) / 1e9
        self.samples = samples
        let counters = try program.counters()
        passed = counters[.within]
        let dropped = counters[limit: LimitNumbers().replaced(by: rules.limits).inForce[0]]
        #expect(passed.packets + dropped.packets == offered)
        #expect(passed.octets == passed.packets * UInt64(octets))
    }

    /// Never more than the limit, and as much: at some moment of the first third and at some moment of the last one the
    /// bucket is empty, and what passes between those is what the rate says. At others both CPUs may have paused.
    func expect(
        _ kind: KeyPath<FilterCount, UInt64>, burst: Double, rate: Double, beyond: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        #expect(
            Double(passed[keyPath: kind]) <= burst + rate * most + beyond, sourceLocation: sourceLocation)
        func emptiest(_ times: Range<Double>) throws -> (time: Double, passed: Double) {
            let some = samples.filter { times.contains($0.time) }
                .map { (time: $0.time, passed: Double($0.passed[keyPath: kind])) }
            return try #require(some.max { $0.passed - $0.time * rate < $1.passed - $1.time * rate })
        }
        let (first, last) = (try emptiest(0.05..<0.3), try emptiest(0.5..<0.8))
        let actual = (last.passed - first.passed) / (last.time - first.time)
        #expect(abs(actual / rate - 1) < 0.01, sourceLocation: sourceLocation)
        // And the burst, on top of what came since the first packet, which was soon after the beginning.
        #expect(last.passed <= burst + rate * last.time + beyond, sourceLocation: sourceLocation)
        #expect(last.passed >= burst + rate * (last.time - 0.1), sourceLocation: sourceLocation)
        print(
            "\(rate): \((actual / rate - 1) * 100) %, \(samples.count) samples, first packet \(last.time - (last.passed - burst) / rate) s"
        )
    }
}
