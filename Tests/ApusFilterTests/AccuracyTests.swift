import ApusConfig
import ApusXDP
import CFilter
import Glibc
import NetworkLab
import Testing

@testable import ApusFilter

/// What passes beside what may pass, with two CPUs that offer as much as they can.
@Suite(.serialized, .requires(.root)) struct AccuracyTests {
    static let scopes: [FilterLimit.Scope] = [.all, .source]

    @Test(arguments: scopes, [1_000.0, 10_000, 100_000, 1_000_000])
    func packetsPassAtTheirRate(_ scope: FilterLimit.Scope, _ rate: Double) throws {
        let burst = rate * Flood.burst
        let limit = FilterLimit(
            name: "limit", scope: scope, packets: PacketRate(perSecond: rate),
            packetBurst: UInt64(burst))
        try Flood.expect(limit, octets: 64, \.packets, burst: burst, rate: rate, beyond: 1)
    }

    /// By the clock of the kernel's ticks, within one of which as much more may pass as the rate allows in its time. Looked
    /// at for longer, since each end of what is measured lies somewhere in a tick.
    @Test(arguments: scopes, [1_000.0, 1_000_000])
    func packetsPassAtTheirRateByTicks(_ scope: FilterLimit.Scope, _ rate: Double) throws {
        guard try TickClock.read() != nil else {
            // So filters do not go by it on this kernel, which has to be the ticks' fault.
            var tick = timespec()
            // Sound: it is written by the call.
            let code = unsafe clock_getres(CLOCK_MONOTONIC_COARSE, &tick)
            #expect(code == 0 && (tick.tv_sec > 0 || tick.tv_nsec > 4_000_000))
            return
        }
        let limit = FilterLimit(name: "limit", scope: scope, packets: PacketRate(perSecond: rate))
        try Flood.expect(
            limit, octets: 64, byTicks: true, \.packets, burst: Double(limit.effectivePacketBurst!),
            rate: rate, beyond: 1)
    }

    @Test(arguments: scopes, [(10e6, 64), (1e9, 64), (10e6, 1500), (1e9, 1500)])
    func bitsPassAtTheirRate(_ scope: FilterLimit.Scope, _ case: (rate: Double, octets: Int)) throws {
        let (rate, octets) = `case`
        let burst = rate / 8 * Flood.burst
        let limit = FilterLimit(
            name: "limit", scope: scope, bits: BitRate(perSecond: rate), octetBurst: UInt64(burst))
        // The last frame begins within the burst, and may end beyond it.
        try Flood.expect(
            limit, octets: octets, \.octets, burst: burst, rate: rate / 8, beyond: Double(octets))
    }

    /// Bursts as they are unless they are given, which are long enough for ticks.
    @Test(arguments: scopes, [(10e6, 64), (1e9, 64), (10e6, 1500), (1e9, 1500)])
    func bitsPassAtTheirRateByTicks(_ scope: FilterLimit.Scope, _ case: (rate: Double, octets: Int)) throws {
        // Where filters do not go by ticks, packetsPassAtTheirRateByTicks says why.
        guard try TickClock.read() != nil else { return }
        let (rate, octets) = `case`
        let limit = FilterLimit(name: "limit", scope: scope, bits: BitRate(perSecond: rate))
        try Flood.expect(
            limit, octets: octets, byTicks: true, \.octets, burst: Double(limit.effectiveOctetBurst!),
            rate: rate / 8, beyond: Double(octets))
    }
}

/// A flood of one source by two CPUs, in which each moment's packets that passed are looked at.
private struct Flood {
    /// The burst in seconds of the rate: some packets only, and a hundredth of what passes. It bridges the moments between
    /// two looks in which both CPUs pause, and no more.
    static let burst = 0.01

    /// What passed.
    let passed: FilterCount
    private let isByTicks: Bool
    /// How long it lasts at least, in seconds.
    private let length: Double
    /// The longest time that it may have lasted, in seconds.
    private let most: Double
    /// What had passed and been offered by then, in seconds.
    private let samples: [(time: Double, passed: FilterCount, offered: FilterCount)]

    init(_ limit: FilterLimit, octets: Int, byTicks: Bool = false) throws {
        var rules = FilterRules()
        rules.limits = [limit]
        let program = try RulesProgram.running(rules)
        #expect((program.tick != nil) == byTicks)
        (isByTicks, length) = (byTicks, byTicks ? 2.4 : 0.8)
        let frame = frame(from: 0xc633_6407, octets: octets)
        let (earliest, begun) = (earliestTime(ofTicks: program.tick), monotonicTime)
        let end = begun + UInt64(length * 1e9)
        let threads = try (0..<2).map { cpu in
            try PinnedThread(to: cpu) { [program = program.program] in
                var packets: UInt64 = 0
                while monotonicTime < end {
                    // Behind so many runs the kernel waits until nobody uses an older program: seldom on both at once.
                    let times = cpu == 0 ? 1 << 19 : 3 << 17
                    packets += UInt64(times)
                    _ = try program.run(on: frame, times: times)
                }
                return packets
            }
        }
        let place = LimitNumbers.place(of: LimitNumbers().replaced(by: rules.limits).inForce[0])
        func count(_ reason: UInt32) throws -> FilterCount {
            try program.maps.counts.values(of: reason)!.reduce(FilterCount()) {
                $0 + FilterCount(packets: $1.packets, octets: $1.octets)
            }
        }
        var samples: [(Double, FilterCount, FilterCount)] = []
        while monotonicTime < end {
            let before = monotonicTime
            let passed = try count(FilterReason.within.rawValue)
            let after = monotonicTime
            let dropped = try count(APUS_DROP_LIMIT.rawValue + place)
            // Where nothing came between the two looks at the clock.
            if after - before < 20_000 {
                samples.append((Double((before + after) / 2 - begun) / 1e9, passed, passed + dropped))
            }
            usleep(500)
        }
        let offered = try threads.reduce(0) { try $0 + $1.join() }
        most = Double(monotonicTime - earliest) / 1e9
        self.samples = samples
        let counters = try program.counters()
        passed = counters[.within]
        let dropped = counters[limit: LimitNumbers().replaced(by: rules.limits).inForce[0]]
        #expect(passed.packets + dropped.packets == offered)
        #expect(passed.octets == passed.packets * UInt64(octets))
    }

    /// Never more than the limit, and as much of it as was asked for. Where both CPUs did something else for most of the time
    /// it is measured again, ten times at most.
    static func expect(
        _ limit: FilterLimit, octets: Int, byTicks: Bool = false, _ kind: KeyPath<FilterCount, UInt64>,
        burst: Double, rate: Double, beyond: Double, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for _ in 0..<10 {
            let flood = try Flood(limit, octets: octets, byTicks: byTicks)
            if flood.expect(kind, burst: burst, rate: rate, beyond: beyond, sourceLocation) { return }
        }
        Issue.record("measured ten times, and both CPUs did something else", sourceLocation: sourceLocation)
    }

    /// False if there is too little to be seen of the rate.
    private func expect(
        _ kind: KeyPath<FilterCount, UInt64>, burst: Double, rate: Double, beyond: Double,
        _ sourceLocation: SourceLocation
    ) -> Bool {
        #expect(
            Double(passed[keyPath: kind]) <= burst + rate * most + beyond, sourceLocation: sourceLocation)
        let samples = samples.map {
            (
                time: $0.time, passed: Double($0.passed[keyPath: kind]),
                offered: Double($0.offered[keyPath: kind])
            )
        }
        /// At some moment of the first third and at some moment of the last one the bucket is empty.
        func emptiest(_ times: Range<Double>) -> Int? {
            func ahead(_ place: Int) -> Double { samples[place].passed - samples[place].time * rate }
            return samples.indices.filter { times.contains(samples[$0].time) }.max { ahead($0) < ahead($1) }
        }
        /// What came between two moments, without those parts in which less was offered than twice the limit, since both CPUs
        /// did something else and the bucket may have run over; or in which nobody looked for as long as half a burst. The
        /// burst that ticks need bridges such parts, and what came in one may be that of all of a tick.
        func unpaused(_ from: Int, _ to: Int) -> (time: Double, came: Double) {
            zip(samples[from..<to], samples[(from + 1)...to]).reduce((0, 0)) { sum, part in
                let length = part.1.time - part.0.time
                let isPaused =
                    isByTicks
                    ? length > 5 * Self.burst
                    : length > Self.burst / 2 || part.1.offered - part.0.offered < 2 * rate * length
                guard !isPaused else { return sum }
                return (sum.0 + length, sum.1 + part.1.passed - part.0.passed)
            }
        }
        guard let first = emptiest(0.05..<length * 0.375), let last = emptiest(length * 0.625..<length) else {
            return false
        }
        let between = unpaused(first, last)
        print(
            "\(rate): \((between.came / rate / between.time - 1) * 100) % in \(between.time) s without pauses of "
                + "\(samples[last].time - samples[first].time) s, \(samples.count) samples"
        )
        let time = samples[last].time - samples[first].time
        guard between.time > time / 2 else { return false }
        #expect(between.came >= 0.99 * rate * between.time, sourceLocation: sourceLocation)
        #expect(
            samples[last].passed - samples[first].passed <= 1.01 * rate * time, sourceLocation: sourceLocation
        )
        return true
    }
}
