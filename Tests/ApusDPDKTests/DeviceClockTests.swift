import Testing

@testable import ApusDPDK

@Suite("Clocks of devices")
struct DeviceClockTests {
    /// A clock of so many ticks a second, which began at some time.
    private func look(at nanoseconds: UInt64, perSecond: Double, from start: UInt64) -> DeviceClock.Look {
        let ticks = Double(nanoseconds - start) * perSecond / 1e9
        return .init(ticks: 1_000_000 + UInt64(ticks), nanoseconds: nanoseconds)
    }

    @Test(arguments: [125_000_000.0, 156_250_000.0, 1_000_000_000.0, 78_125_000.037, 24_999_000.0])
    func `Ticks become nanoseconds since 1970, whatever they are, within a microsecond a second`(
        _ perSecond: Double
    ) {
        let start: UInt64 = 1_700_000_000_000_000_000
        var clock = DeviceClock()
        clock.begin(
            look(at: start, perSecond: perSecond, from: start),
            look(at: start + 10_000_000, perSecond: perSecond, from: start))
        for second in 1...100 as ClosedRange<UInt64> {
            let now = start + 1_000_000_000 * second
            clock.follow(look(at: now, perSecond: perSecond, from: start))
            // What came just before the look, and what comes until the next.
            for time in [now - 500_000_000, now, now + 999_000_000] {
                let got = clock.nanoseconds(of: look(at: time, perSecond: perSecond, from: start).ticks)
                #expect(abs(Int64(bitPattern: got &- time)) < 1_000, "\(second)")
            }
        }
    }

    @Test
    func
        `A first measurement that was off is mended by those that follow, and a host's clock that is set is followed`()
    {
        let start: UInt64 = 1_700_000_000_000_000_000
        var clock = DeviceClock()
        var second = look(at: start + 10_000_000, perSecond: 1e8, from: start)
        // The thread was held up for five microseconds.
        second.nanoseconds += 5_000
        clock.begin(look(at: start, perSecond: 1e8, from: start), second)
        for number in 1...10 as ClosedRange<UInt64> {
            clock.follow(look(at: start + 1_000_000_000 * number, perSecond: 1e8, from: start))
        }
        let late = look(at: start + 10_900_000_000, perSecond: 1e8, from: start)
        #expect(abs(Int64(bitPattern: clock.nanoseconds(of: late.ticks) &- late.nanoseconds)) < 1_000)
        // Set an hour on.
        var set = look(at: start + 11_000_000_000, perSecond: 1e8, from: start)
        set.nanoseconds += 3_600_000_000_000
        clock.follow(set)
        let then = look(at: start + 11_500_000_000, perSecond: 1e8, from: start)
        let got = clock.nanoseconds(of: then.ticks)
        #expect(abs(Int64(bitPattern: got &- then.nanoseconds &- 3_600_000_000_000)) < 1_000)
    }
}
