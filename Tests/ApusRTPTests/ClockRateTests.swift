import Seeds
import Testing

@testable import ApusRTP

@Suite("Clock rates") struct ClockRateTests {
    /// The rate a source is found to have, and the seconds after which it was.
    private static func measured(
        seconds: Int, _ packets: (Double) -> [(timestamp: Double, arrival: Double)]
    ) -> (rate: UInt32, after: Double?) {
        var meter = ClockRateMeter()
        var after: Double?
        for second in 0..<seconds {
            for packet in packets(Double(second)) {
                meter.update(
                    timestamp: UInt32(truncatingIfNeeded: Int64(packet.timestamp.rounded()) + 0xffff_0000),
                    arrival: 1_700_000_000_000_000_000 + UInt64(packet.arrival * 1e9))
                if meter.rate != 0, after == nil { after = packet.arrival }
            }
        }
        return (meter.rate, after)
    }

    /// Video: each frame is a burst of 1 to 30 packets with one timestamp, paced over most of the frame's time.
    private static func video(
        _ rate: Double, _ second: Double, jitter: Double, _ random: inout Seeded, reorder: Bool = false
    ) -> [(timestamp: Double, arrival: Double)] {
        var packets: [(timestamp: Double, arrival: Double)] = []
        for frame in 0..<Int(rate) {
            // I P B B: the anchor is sent before the two frames that are shown before it.
            let shown = reorder ? [0, 3, 1, 2][frame % 4] + frame / 4 * 4 : frame
            let count = frame % 12 == 0 ? 30 : 1 + random.below(6)
            for packet in 0..<count {
                packets.append(
                    (
                        (second + Double(shown) / rate) * 90_000,
                        second + (Double(frame) + 0.8 * Double(packet) / Double(count)) / rate
                            + Double(random.below(1000)) / 1000 * jitter
                    ))
            }
        }
        return packets
    }

    @Test(arguments: [5.0, 15, 24, 25, 30, 50, 60]) func `video in bursts is found to count 90 kHz`(
        _ rate: Double
    ) {
        for seed in 0..<20 {
            for jitter in [0, 0.005, 0.03] {
                var random = Seeded(UInt64(seed))
                let result = Self.measured(seconds: 30) { Self.video(rate, $0, jitter: jitter, &random) }
                #expect(result.rate == 90_000, "jitter \(jitter), seed \(seed)")
                #expect(result.after ?? 99 < (jitter > 0.01 ? 20 : 9), "jitter \(jitter), seed \(seed)")
            }
        }
    }

    @Test func `frames that are sent out of their order in time do not mislead it`() {
        for seed in 0..<20 {
            var random = Seeded(UInt64(seed))
            let result = Self.measured(seconds: 60) {
                Self.video(24, $0, jitter: 0.01, &random, reorder: true)
            }
            #expect(result.rate == 90_000)
        }
    }

    @Test(arguments: [
        (8000.0, 0.02), (16_000, 0.02), (44_100, 0.01), (48_000, 0.02), (48_000, 0.06), (96_000, 0.001),
    ])
    func `audio in steady packets is found within three seconds`(_ rate: Double, _ step: Double) {
        for jitter in [0, 0.003, 0.01] {
            var random = Seeded(5)
            let result = Self.measured(seconds: 12) { second in
                (0..<Int(1 / step)).map { packet in
                    let time = second + Double(packet) * step
                    return (time * rate, time + Double(random.below(1000)) / 1000 * jitter)
                }
            }
            #expect(result.rate == UInt32(rate))
            #expect(result.after ?? 99 < (jitter > 0.005 ? 9 : 3))
        }
    }

    @Test func `Opus that pauses in silence is found all the same`() {
        var random = Seeded(1)
        let result = Self.measured(seconds: 30) { second in
            // Speech for three seconds, then a packet each 400 ms for four.
            let step = Int(second) % 7 < 3 ? 0.02 : 0.4
            return stride(from: 0.0, to: 1, by: step).map {
                ((second + $0) * 48_000, second + $0 + Double(random.below(5)) / 1000)
            }
        }
        #expect(result.rate == 48_000)
    }

    @Test func `a rate that is only seen once is not believed`() {
        // 25 frames a second, in pairs whose second is shown first: over one second that looks like 96 kHz.
        var meter = ClockRateMeter()
        for frame in 1...250 {
            let shown = frame % 2 == 1 ? frame + 1 : frame - 1
            meter.update(timestamp: UInt32(shown * 3600), arrival: UInt64(frame) * 40_000_000)
            #expect(meter.rate == 0 || meter.rate == 90_000)
        }
        #expect(meter.rate == 90_000)
    }

    @Test func `timestamps that follow no clock have no rate`() {
        var random = Seeded(9)
        let noise = Self.measured(seconds: 60) { second in
            (0..<50).map { (Double(random.below(1 << 31)), second + Double($0) / 50) }
        }
        #expect(noise.rate == 0)
        let still = Self.measured(seconds: 60) { second in (0..<50).map { (5, second + Double($0) / 50) } }
        #expect(still.rate == 0)
    }

    @Test func `a source that changes its clock is found to, within a minute`() {
        let result = Self.measured(seconds: 70) { second in
            let rate = second < 10 ? 48_000.0 : 8000
            return (0..<50).map { ((second + Double($0) / 50) * rate, second + Double($0) / 50) }
        }
        #expect(result.rate == 8000)
    }

    @Test func `a rate that is known stays`() {
        var meter = ClockRateMeter(known: 8000)
        for second in 0..<100 as Range<UInt32> {
            meter.update(timestamp: second * 90_000, arrival: UInt64(second) * 1_000_000_000)
        }
        #expect(meter.rate == 8000)
    }

    @Test func `ticks are those of exact arithmetic, to one`() {
        var random = Seeded(4)
        let rates = ClockRate.usual
        for index in rates.indices {
            let meter = ClockRateMeter(known: rates[index])
            for _ in 0..<2000 {
                let time = 1_700_000_000_000_000_000 + random.next() % 500_000_000_000_000_000
                let exact = UInt128(time) * UInt128(rates[index]) / 1_000_000_000
                let difference = Int32(bitPattern: UInt32(truncatingIfNeeded: exact) &- meter.ticks(time))
                #expect((0...1).contains(difference))
            }
        }
        #expect(ClockRateMeter().ticks(12_345_678_901) == 0)
    }

    @Test func `static payload types have the clocks of RFC 3551 tables 4 and 5`() {
        let table: [UInt8: UInt32] = [
            0: 8000, 3: 8000, 4: 8000, 5: 8000, 6: 16_000, 7: 8000, 8: 8000, 9: 8000, 10: 44_100, 11: 44_100,
            12: 8000, 13: 8000, 14: 90_000, 15: 8000, 16: 11_025, 17: 22_050, 18: 8000, 25: 90_000,
            26: 90_000,
            28: 90_000, 31: 90_000, 32: 90_000, 33: 90_000, 34: 90_000,
        ]
        for type in 0...127 as ClosedRange<UInt8> {
            #expect(ClockRate.ofStaticPayloadType(type) == table[type], "payload type \(type)")
        }
    }
}
