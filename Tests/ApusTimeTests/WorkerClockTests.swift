import CLinux
import Glibc
import Testing

@testable import ApusTime

@Suite("The clock of a worker", .serialized)
struct WorkerClockTests {
    /// Looked at for three seconds in which it is held against the system's as often as it asks for. What it is off by where
    /// its owner comes late to that it makes up until it asks again, so that time does not count.
    @Test(arguments: [ClockSource.best, .system])
    func `It stays within a microsecond of the system's, and never goes back`(_ source: ClockSource) {
        var clock = WorkerClock(source)
        let begin = apus_clock(CLOCK_MONOTONIC)
        var (worst, worstWall, previous) = (UInt64(0), UInt64(0), begin)
        var (counted, last, from) = (UInt64(0), begin, begin)
        while counted < 3_000_000_000, last &- begin < 30_000_000_000 {
            for _ in 0..<100 {
                let early = apus_clock(CLOCK_MONOTONIC)
                let now = clock.monotonic
                let late = apus_clock(CLOCK_MONOTONIC)
                let (earlyWall, wall) = (apus_clock(CLOCK_REALTIME), clock.realtime)
                let lateWall = apus_clock(CLOCK_REALTIME)
                #expect(now >= previous)
                previous = now
                guard isOnTime(clock), early >= from else { continue }
                // Whatever comes between only makes the two more distant.
                worst = max(worst, outside(now, early, late))
                worstWall = max(worstWall, outside(wall, earlyWall, lateWall))
            }
            let wasOnTime = isOnTime(clock)
            clock.recalibrate(at: clock.monotonic)
            if !wasOnTime { from = clock.nextCalibration }
            let now = apus_clock(CLOCK_MONOTONIC)
            if wasOnTime, last >= from { counted += now &- last }
            last = now
            usleep(200)
        }
        print("\(source): off by \(worst) ns at most, wall-clock by \(worstWall) ns")
        #expect(counted >= 3_000_000_000)
        #expect(worst < 1_000)
        #expect(worstWall < 1_000)
        #expect(clock.source == source)
    }

    /// Whether the clock is not to be held against the system's, or only since a moment: by how much it may come late.
    private func isOnTime(_ clock: borrowing WorkerClock, within late: UInt64 = 1_000_000) -> Bool {
        clock.nextCalibration == .max || apus_clock(CLOCK_MONOTONIC) < clock.nextCalibration + late
    }

    /// What it was late for at the calibrations before goes on with it; so it is measured again where it was.
    @Test(.enabled(if: ClockSource.best == .timeStampCounter))
    func `A clock that nobody calibrates keeps the rate that it had`() {
        var (off, wasLate) = (UInt64.max, true)
        for _ in 0..<10 where wasLate && off >= 5_000 {
            var clock = WorkerClock()
            wasLate = false
            let begin = clock.monotonic
            while clock.monotonic &- begin < 600_000_000 {
                wasLate = wasLate || !isOnTime(clock, within: 20_000_000)
                clock.recalibrate(at: clock.monotonic)
                usleep(500)
            }
            usleep(2_000_000)
            let (early, now, late) = (
                apus_clock(CLOCK_MONOTONIC), clock.monotonic, apus_clock(CLOCK_MONOTONIC)
            )
            off = outside(now, early, late)
            wasLate = wasLate || late &- clock.nextCalibration > 2_100_000_000
        }
        // The last rate was measured for a quarter of a second.
        #expect(off < 5_000)
    }

    /// A clock of 2 ticks a nanosecond that has shown 1 s at tick 1,000.
    private func clock() -> WorkerClock {
        var clock = WorkerClock(.timeStampCounter)
        clock.restart(
            ClockSample(counter: 1_000, monotonic: 1_000_000_000, wallOffset: 77, width: 100), rate: 1 << 47)
        return clock
    }

    private func sample(_ clock: borrowing WorkerClock, ticks: UInt64, ahead: Int64 = 0, wall: UInt64 = 77)
        -> ClockSample
    {
        let system = 1_000_000_000 + Int64(ticks / 2) + ahead
        return ClockSample(counter: 1_000 + ticks, monotonic: UInt64(system), wallOffset: wall, width: 100)
    }

    @Test(.enabled(if: ClockSource.best == .timeStampCounter))
    func `What it lags behind it makes up until the next calibration, without a jump`() {
        for error in [Int64(-300), 400] {
            var clock = clock()
            let at = sample(clock, ticks: 4_000_000, ahead: error)
            clock.follow(at)
            // Shown at the moment of the calibration is what was shown before it.
            #expect(clock.reading(at: at.counter) == 1_002_000_000)
            let due = clock.nextCalibration &- 1_002_000_000
            // The system has gone faster or slower by this on the way here, and goes on so.
            let rate = (2_000_000 + Double(error)) / 4_000_000
            let later = at.counter + UInt64(Double(due) / rate)
            let system = Double(1_002_000_000 + Int(error)) + Double(due)
            #expect(abs(Double(clock.reading(at: later)) - system) < 2)
        }
    }

    @Test(.enabled(if: ClockSource.best == .timeStampCounter))
    func `It jumps ahead when it lags far, and goes at half its rate when it is far ahead`() {
        var late = clock()
        late.follow(sample(late, ticks: 4_000_000, ahead: 5_000_000_000))
        #expect(late.reading(at: 4_001_000) == 6_002_000_000)
        var early = clock()
        early.follow(sample(early, ticks: 4_000_000, ahead: -900_000_000))
        #expect(early.reading(at: 4_001_000) == 1_002_000_000)
        var shown: UInt64 = 0
        for tick in stride(from: UInt64(4_001_000), to: 8_000_000, by: 1_000) {
            let now = early.reading(at: tick)
            #expect(now >= shown)
            shown = now
        }
    }

    @Test(.enabled(if: ClockSource.best == .timeStampCounter))
    func `A counter that is behind the last calibration, or begins anew, takes it not back`() {
        var clock = clock()
        #expect(clock.reading(at: 900) == 1_000_000_000)
        clock.follow(ClockSample(counter: 10, monotonic: 1_500_000_000, wallOffset: 77, width: 100))
        #expect(clock.reading(at: 10) == 1_500_000_000)
        #expect(clock.reading(at: 2_010) == 1_500_001_000)
    }

    @Test(.enabled(if: ClockSource.best == .timeStampCounter))
    func `A step of the system's wall-clock is followed at the next calibration, noise is not`() {
        var clock = clock()
        clock.follow(sample(clock, ticks: 4_000_000, wall: 150))
        #expect(clock.wallOffset == 77)
        clock.follow(sample(clock, ticks: 12_000_000, wall: 3_600_000_000_077))
        #expect(clock.wallOffset == 3_600_000_000_077)
        clock.follow(sample(clock, ticks: 28_000_000, wall: 77))
        #expect(clock.wallOffset == 77)
    }

    @Test func `What a reading costs beside clock_gettime is printed`() {
        let clock = WorkerClock()
        var (own, system) = (UInt64.max, UInt64.max)
        var sum: UInt64 = 0
        for _ in 0..<40 {
            let begin = apus_clock(CLOCK_MONOTONIC)
            for _ in 0..<20_000 { sum &+= clock.realtime }
            let middle = apus_clock(CLOCK_MONOTONIC)
            for _ in 0..<20_000 { sum &+= apus_clock(CLOCK_REALTIME) }
            own = min(own, middle &- begin)
            system = min(system, apus_clock(CLOCK_MONOTONIC) &- middle)
        }
        #expect(sum != 0)
        print(
            "a reading: \(Double(own) / 20_000) ns by \(clock.source), clock_gettime \(Double(system) / 20_000) ns"
        )
    }

    private func outside(_ time: UInt64, _ early: UInt64, _ late: UInt64) -> UInt64 {
        time < early ? early - time : time > late ? time - late : 0
    }
}
