import CLinux
import Glibc
import Seeds
import Testing

@testable import ApusTime

@Suite("Timer wheels")
struct TimerWheelTests {
    /// What a wheel must do, said as a list.
    struct Model {
        var active: [UInt32: (timer: TimerWheel.Timer, deadline: UInt64)] = [:]
        var over: [TimerWheel.Timer] = []
        var nextValue: UInt32 = 0
    }

    /// Deadlines near and far, many in one tick, some over already, now and then one beyond all bounds.
    static func deadline(after now: UInt64, _ random: inout Seeded) -> UInt64 {
        switch UInt8.random(in: 0..<16, using: &random) {
        case 0: now &- min(now, UInt64.random(in: 0...5_000, using: &random))
        case 1: .max - UInt64.random(in: 0...100, using: &random)
        case 2...4: now + 64_000
        default:
            now &+ UInt64.random(in: 0...(1 << UInt64.random(in: 1...50, using: &random)), using: &random)
        }
    }

    @Test func `It does what a list would, over thousands of seeds`() {
        for seed in UInt64(0)..<3_000 { Self.check(seed) }
    }

    static func check(_ seed: UInt64) {
        var random = Seeded(seed)
        let tick: UInt64 = [1, 7, 1_000, 1_000_000][Int.random(in: 0..<4, using: &random)]
        let origin = UInt64.random(in: 0...(1 << 40), using: &random)
        var now = origin
        var wheel = TimerWheel(capacity: 48, tick: tick, startingAt: origin)
        var model = Model()
        var done = origin
        for step in 0..<80 {
            switch UInt8.random(in: 0..<8, using: &random) {
            case 0...3:
                let deadline = deadline(after: now, &random)
                let timer = wheel.insert(at: deadline, value: model.nextValue)
                check((timer == nil) == (model.active.count == 48), seed, step, "full")
                if let timer {
                    model.active[model.nextValue] = (timer, deadline)
                    model.nextValue += 1
                }
            case 4:
                guard let (value, entry) = model.active.min(by: { $0.key < $1.key }) else { break }
                check(wheel.cancel(entry.timer), seed, step, "cancel")
                model.active[value] = nil
                model.over.append(entry.timer)
            case 5:
                guard let (value, entry) = model.active.max(by: { $0.key < $1.key }) else { break }
                let deadline = deadline(after: now, &random)
                check(wheel.move(entry.timer, to: deadline), seed, step, "move")
                model.active[value]!.deadline = deadline
            default:
                let to = UInt64.random(
                    in: 0...(1 << UInt64.random(in: 1...46, using: &random)), using: &random)
                now &+= to
                done = advance(&wheel, &model, to: now, from: done, tick, origin, seed, step, &random)
            }
            for timer in model.over {
                check(!wheel.isSet(timer) && !wheel.cancel(timer), seed, step, "stale")
            }
            check(wheel.count == model.active.count, seed, step, "count")
            let first = model.active.values.map { max($0.deadline, done) }.min()
            check((wheel.nextDeadline == nil) == (first == nil), seed, step, "next")
            if let first, first < .max - (1 << 21) {
                // Rounded up to a tick.
                check(wheel.nextDeadline! <= first + tick - 1, seed, step, "next is too late")
            }
        }
    }

    /// Goes on to a time, in one call or in many of few timers each.
    static func advance(
        _ wheel: inout TimerWheel, _ model: inout Model, to now: UInt64, from before: UInt64, _ tick: UInt64,
        _ origin: UInt64, _ seed: UInt64, _ step: Int, _ random: inout Seeded
    ) -> UInt64 {
        func rounded(_ deadline: UInt64) -> UInt64 {
            deadline <= origin ? 0 : (deadline - origin) / tick + ((deadline - origin) % tick == 0 ? 0 : 1)
        }
        let limit = Bool.random(using: &random) ? 1_000_000 : Int.random(in: 1...4, using: &random)
        var (last, calls) = (UInt64(0), 0)
        var came: [UInt32] = []
        var isDone = false
        while !isDone, calls < 10_000 {
            calls += 1
            let had = came.count
            isDone = wheel.advance(to: now, limit: limit) { _, value in came.append(value) }
            check(came.count - had <= limit, seed, step, "limit")
        }
        check(isDone, seed, step, "never done")
        for value in came {
            guard let entry = model.active.removeValue(forKey: value) else {
                check(false, seed, step, "came twice")
                continue
            }
            // One that was over when it was set comes at the tick that was present.
            let due = max(rounded(entry.deadline), (before - origin) / tick)
            check(entry.deadline <= now && due >= last, seed, step, "order")
            last = due
            model.over.append(entry.timer)
        }
        let end = (now - origin) / tick
        for entry in model.active.values { check(rounded(entry.deadline) > end, seed, step, "missed") }
        return now
    }

    static func check(_ condition: Bool, _ seed: UInt64, _ step: Int, _ what: String) {
        if !condition { Issue.record("seed \(seed), step \(step): \(what)") }
    }

    @Test func `A timer takes 24 bytes`() {
        #expect(MemoryLayout<TimerWheel.Node>.stride == 24)
    }

    @Test func `Days without a timer are passed over in one step, and wake their owner once a level`() {
        var wheel = TimerWheel(capacity: 4, startingAt: 0)
        let day: UInt64 = 86_400_000_000_000
        _ = wheel.insert(at: 400 * day, value: 1)
        var wakes = 0
        var hasCome = false
        var now: UInt64 = 0
        while !hasCome, wakes < 100 {
            now = wheel.nextDeadline!
            #expect(now <= 400 * day)
            wheel.advance(to: now) { _, _ in hasCome = true }
            wakes += 1
        }
        #expect(now == 400 * day)
        #expect(wakes <= 11)
        _ = wheel.insert(at: now + 3, value: 2)
        _ = wheel.insert(at: now + 1_000 * day, value: 3)
        var came: [UInt32] = []
        #expect(wheel.advance(to: now + 2_000 * day) { _, value in came.append(value) })
        #expect(came == [2, 3])
    }

    @Test func `The last tick that a number can say comes too`() {
        var wheel = TimerWheel(capacity: 2, tick: 1, startingAt: 0)
        _ = wheel.insert(at: .max, value: 7)
        wheel.advance(to: .max - 1) { _, _ in Issue.record("too early") }
        #expect(wheel.nextDeadline == .max)
        var came: [UInt32] = []
        wheel.advance(to: .max) { _, value in came.append(value) }
        #expect(came == [7])
        _ = wheel.insert(at: 5, value: 8)
        wheel.advance(to: .max) { _, value in came.append(value) }
        #expect(came == [7, 8])
    }

    @Test func `Time that goes back does nothing`() {
        var wheel = TimerWheel(capacity: 2, tick: 10, startingAt: 1_000)
        _ = wheel.insert(at: 1_100, value: 1)
        #expect(wheel.advance(to: 1_050) { _, _ in Issue.record("too early") })
        #expect(wheel.advance(to: 20) { _, _ in Issue.record("too early") })
        var came = 0
        wheel.advance(to: 1_100) { _, _ in came += 1 }
        #expect(came == 1)
    }

    @Test func `What is called back may set timers, take them back, and set itself again`() {
        var wheel = TimerWheel(capacity: 4, tick: 1, startingAt: 0)
        let other = wheel.insert(at: 20, value: 99)!
        _ = wheel.insert(at: 10, value: 0)
        var came: [UInt32] = []
        wheel.advance(to: 100) { wheel, value in
            came.append(value)
            wheel.cancel(other)
            if value < 3 { _ = wheel.insert(at: 10 + 30 * UInt64(value + 1), value: value + 1) }
        }
        #expect(came == [0, 1, 2, 3])
        #expect(wheel.count == 0)
        // Even one that is over at once, for ever, ends with the limit.
        _ = wheel.insert(at: 0, value: 0)
        var calls = 0
        let isDone = wheel.advance(to: 101, limit: 50) { wheel, _ in
            calls += 1
            _ = wheel.insert(at: 0, value: 0)
        }
        #expect(!isDone && calls == 50)
    }

    @Test func `A million timers cost no more each than a thousand`() {
        // Of three, as others use the machine.
        let few = (0..<3).map { _ in Self.cost(timers: 1_000, repetitions: 200) }.min()!
        let many = (0..<3).map { _ in Self.cost(timers: 1_000_000, repetitions: 1) }.min()!
        print("set, put off, and come or taken back: \(few) ns with 1,000 timers, \(many) ns with 1,000,000")
        // Memory is further away, but it is no more work.
        #expect(many < 20 * few)
    }

    /// Nanoseconds for one timer that is set, put off, and taken back or comes.
    static func cost(timers: Int, repetitions: Int) -> Double {
        var wheel = TimerWheel(capacity: timers, startingAt: 0)
        var random = Seeded(7)
        var now: UInt64 = 0
        var handles: [TimerWheel.Timer] = []
        handles.reserveCapacity(timers)
        let begin = apus_clock(CLOCK_MONOTONIC)
        for _ in 0..<repetitions {
            handles.removeAll(keepingCapacity: true)
            for number in 0..<timers {
                handles.append(wheel.insert(at: now + random.next() % 30_000_000_000, value: UInt32(number))!)
            }
            for handle in handles { wheel.move(handle, to: now + random.next() % 60_000_000_000) }
            for handle in handles where handle.index & 1 == 0 { wheel.cancel(handle) }
            now += 60_001_000_000
            while !wheel.advance(to: now, { _, _ in }) {}
        }
        let end = apus_clock(CLOCK_MONOTONIC)
        precondition(wheel.count == 0)
        return Double(end - begin) / Double(timers * repetitions)
    }
}
