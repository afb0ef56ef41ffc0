import ApusConfig
import ApusXDP
import NetworkLab
import Testing

@testable import ApusFilter

/// What passes beside what may pass, with two CPUs that offer as much as they can.
@Suite(.serialized, .requires(.root)) struct AccuracyTests {
    static let scopes: [RateLimit.Scope] = [.all, .source]

    @Test(arguments: scopes, [1_000.0, 10_000, 100_000, 1_000_000])
    func packetsPassAtTheirRate(_ scope: RateLimit.Scope, _ rate: Double) throws {
        let limit = RateLimit(name: "limit", scope: scope, packets: PacketRate(perSecond: rate))
        let flood = try Flood(limit, octets: 64)
        flood.expect(
            Double(flood.passed.packets), burst: Double(limit.effectivePacketBurst!), rate: rate, beyond: 1)
    }

    @Test(arguments: scopes, [(10e6, 64), (1e9, 64), (10e6, 1500), (1e9, 1500)])
    func bitsPassAtTheirRate(_ scope: RateLimit.Scope, _ case: (rate: Double, octets: Int)) throws {
        let (rate, octets) = `case`
        let limit = RateLimit(name: "limit", scope: scope, bits: BitRate(perSecond: rate))
        let flood = try Flood(limit, octets: octets)
        // The last frame begins within the burst, and may end beyond it.
        flood.expect(
            Double(flood.passed.octets), burst: Double(limit.effectiveOctetBurst!), rate: rate / 8,
            beyond: Double(octets))
    }
}

/// A flood of one source by two CPUs.
private struct Flood {
    /// What passed.
    let passed: FilterCount
    /// Seconds for which it surely lasted, and may have.
    let least, most: Double

    /// When a CPU surely ran the program, and when it may have: nanoseconds.
    private struct Span {
        var begun: ClosedRange<UInt64>
        var ended: ClosedRange<UInt64>
        var packets = 0
    }

    init(_ limit: RateLimit, octets: Int) throws {
        var rules = FilterRules()
        rules.limits = [limit]
        let program = try RulesProgram.running(rules)
        let frame = frame(from: 0xc633_6407, octets: octets)
        let spans = try onBothCPUs { [program = program.program] _ in
            var span: Span?
            let deadline = bootTime + 1_500_000_000
            while bootTime < deadline {
                // Before and after as many runs the kernel waits until nobody uses an older program.
                let count = 1 << 18
                let before = bootTime
                let run = try program.run(on: frame, times: count)
                let (after, ran) = (bootTime, UInt64(run.nanoseconds) * UInt64(count))
                let packets = (span?.packets ?? 0) + count
                span = Span(
                    begun: span?.begun ?? before...(after - ran), ended: (before + ran)...after,
                    packets: packets)
            }
            return span!
        }
        let counters = try program.counters()
        passed = counters[.within]
        let dropped = counters[limit: LimitNumbers().replaced(by: rules.limits).inForce[0]]
        #expect(passed.packets + dropped.packets == spans.reduce(0) { $0 + UInt64($1.packets) })
        #expect(passed.octets == passed.packets * UInt64(octets))
        let ended = (spans.map(\.ended.lowerBound).max()!, spans.map(\.ended.upperBound).max()!)
        least = Double(ended.0 - spans.map(\.begun.upperBound).min()!) / 1e9
        most = Double(ended.1 - spans.map(\.begun.lowerBound).min()!) / 1e9
    }

    /// No more than the limit in the longest time that it may have lasted, and within 1 % of the limit in the shortest.
    func expect(
        _ passed: Double, burst: Double, rate: Double, beyond: Double,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let (lower, upper) = (burst + rate * least, burst + rate * most)
        #expect(passed >= lower * 0.99 && passed <= upper + beyond, sourceLocation: sourceLocation)
        print(
            "passed \(passed) of \(lower) to \(upper): \((passed / lower - 1) * 100) %, \(least) to \(most) s"
        )
    }
}
