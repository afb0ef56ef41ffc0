import Seeds
import Synchronization
import Testing

@testable import ApusRings

/// An element that says when it is dropped, and must not be copied.
struct Tracked: ~Copyable, Sendable {
    static let live = Atomic<Int>(0)
    let number: Int
    init(_ number: Int) {
        self.number = number
        Tracked.live.add(1, ordering: .relaxed)
    }
    deinit { Tracked.live.subtract(1, ordering: .relaxed) }
}

/// Takes a number out without giving up how many there are: an array of what a span holds.
func drain(_ consumer: inout SPSCConsumer<Int>, burst limit: Int) -> [Int] {
    [Int](capacity: limit) { output in _ = consumer.dequeue(burst: limit, into: &output) }
}

@Suite("The single-producer single-consumer ring")
struct SPSCRingTests {
    @Test func `Holds as many elements as the next power of two, and gives one back when it is full`() {
        var ring = SPSCRing<Int>(minimumCapacity: 5)
        check(ring.capacity == 8)
        check(ring.consumer.capacity == 8 && ring.producer.free == 8 && ring.consumer.isEmpty)
        for number in 0..<8 { check(ring.producer.enqueue(number) == nil) }
        check(ring.producer.isFull && ring.producer.count == 8 && ring.consumer.count == 8)
        check(ring.consumer.isFull && ring.consumer.free == 0)
        check(ring.producer.enqueue(8) == 8)
        for number in 0..<8 { check(ring.consumer.dequeue() == number) }
        check(ring.consumer.dequeue() == nil)
        check(ring.producer.isEmpty && ring.consumer.isEmpty)
        check([1, 2, 3, 64, 65].map { SPSCRing<Int>(minimumCapacity: $0).capacity } == [1, 2, 4, 64, 128])
    }

    @Test func `Bulk is all or nothing, burst is as many as fit, also round the end of the memory`() {
        var ring = SPSCRing<Int>(minimumCapacity: 8)
        var next = 0
        var expected = 0
        for _ in 0..<50 {
            // The ring is empty here, at each offset in turn.
            let six = (next..<next + 6).map { $0 }
            check(ring.producer.enqueue(bulk: six.span))
            check(!ring.producer.enqueue(bulk: [1, 2, 3].span), "three do not fit beside six in eight")
            check(ring.producer.count == 6)
            check(ring.producer.enqueue(burst: [next + 6, next + 7, -1].span) == 2)
            next += 8
            let nine = [Int](capacity: 9) { output in
                check(!ring.consumer.dequeue(bulk: 9, into: &output))
                check(output.isEmpty)
            }
            check(nine.isEmpty)
            let three = [Int](capacity: 3) { output in
                check(ring.consumer.dequeue(bulk: 3, into: &output))
            }
            check(three == [expected, expected + 1, expected + 2])
            check(drain(&ring.consumer, burst: 64) == (expected + 3..<expected + 8).map { $0 })
            expected += 8
            check(ring.producer.enqueue(next) == nil)
            check(ring.consumer.dequeue() == expected)
            next += 1
            expected += 1
        }
    }

    @Test func `An empty bulk or burst is done at once and moves nothing`() {
        var ring = SPSCRing<Int>(minimumCapacity: 2)
        let none: [Int] = []
        check(ring.producer.enqueue(bulk: none.span))
        check(ring.producer.enqueue(burst: none.span) == 0)
        check(ring.producer.enqueue(burst: 0) { 1 } == 0)
        check(ring.consumer.dequeue(burst: 0) { _ in } == 0)
        check(ring.consumer.dequeue(burst: 5) { _ in } == 0)
        check([Int](capacity: 1) { output in check(ring.consumer.dequeue(bulk: 0, into: &output)) }.isEmpty)
        check(ring.producer.isEmpty)
    }

    @Test func `A burst into a destination with something in it appends, and stops where it is full`() {
        var ring = SPSCRing<Int>(minimumCapacity: 8)
        check(ring.producer.enqueue(bulk: [1, 2, 3, 4].span))
        let numbers = [Int](capacity: 4) { output in
            output.append(0)
            check(ring.consumer.dequeue(burst: 8, into: &output) == 3)
        }
        check(numbers == [0, 1, 2, 3])
        check(ring.consumer.count == 1)
    }

    @Test func `Elements that cannot be copied are moved in and out one by one, in bursts and by closures`() {
        var ring = SPSCRing<Tracked>(minimumCapacity: 4)
        var numbers: [Int] = []
        for round in 0..<9 {
            var made = 0
            check(
                ring.producer.enqueue(burst: 9) {
                    made += 1
                    return Tracked(round * 10 + made)
                } == 4)
            check(made == 4, "none is made that does not fit")
            if let refused = ring.producer.enqueue(Tracked(-1)) { check(refused.number == -1) }
            if let first = ring.consumer.dequeue() { numbers.append(first.number) }
            check(ring.consumer.dequeue(burst: 2) { numbers.append($0.number) } == 2)
            check(ring.consumer.dequeue(burst: 2) { numbers.append($0.number) } == 1)
            // Shift the offset by one, so that each round wraps elsewhere.
            _ = ring.producer.enqueue(Tracked(0))
            _ = ring.consumer.dequeue()
        }
        check(numbers == (0..<9).flatMap { round in (1...4).map { round * 10 + $0 } })
    }

    @Test func `Of an output span what fits is moved, and the rest stays in front`() {
        var ring = SPSCRing<Int>(minimumCapacity: 4)
        let left = [Int](capacity: 6) { output in
            for number in 1...6 { output.append(number) }
            check(!ring.producer.enqueue(bulk: &output))
            check(output.count == 6)
            check(ring.producer.enqueue(burst: &output) == 4)
        }
        check(left == [5, 6])
        check(drain(&ring.consumer, burst: 4) == [1, 2, 3, 4])
        let none = [Int](capacity: 6) { output in
            for number in 1...3 { output.append(number) }
            check(ring.producer.enqueue(bulk: &output))
        }
        check(none.isEmpty)
        check(drain(&ring.consumer, burst: 4) == [1, 2, 3])
    }

    @Test func `Keeps order and loses nothing between two threads`() {
        let total = 4_000_000
        let ring = SPSCRing<Int>(minimumCapacity: 256)
        let producing = Running(ring.producer) { producer in
            var producer = producer
            var random = Seeded(1)
            var next = 0
            while next < total {
                let before = next
                switch random.next() % 3 {
                case 0: if producer.enqueue(next) == nil { next += 1 }
                case 1:
                    let numbers = InlineArray<7, Int> { next + $0 }
                    if next + 7 <= total, producer.enqueue(bulk: numbers.span) { next += 7 }
                default:
                    next +=
                        producer.enqueue(burst: min(64, total - next)) {
                            defer { next += 1 }
                            return next
                        } * 0
                }
                if next == before { pause() }
            }
        }
        let consuming = Running(ring.consumer) { consumer in
            var consumer = consumer
            var random = Seeded(2)
            var expected = 0
            var wrong = 0
            while expected < total {
                let before = expected
                switch random.next() % 3 {
                case 0:
                    if let number = consumer.dequeue() {
                        if number != expected { wrong += 1 }
                        expected += 1
                    }
                case 1:
                    let numbers = [Int](capacity: 64) { output in
                        _ = consumer.dequeue(burst: 64, into: &output)
                    }
                    for number in numbers {
                        if number != expected { wrong += 1 }
                        expected += 1
                    }
                default:
                    _ = consumer.dequeue(burst: 32) { number in
                        if number != expected { wrong += 1 }
                        expected += 1
                    }
                }
                if expected == before { pause() }
            }
            return wrong + (consumer.isEmpty ? 0 : 1)
        }
        producing.join()
        check(consuming.join() == 0)
    }

    @Test(arguments: 0..<64 as Range<UInt64>)
    func `Behaves like a plain queue under random operations`(seed: UInt64) {
        var random = Seeded(seed)
        let capacity = Int.random(in: 1...33, using: &random)
        var ring = SPSCRing<Int>(minimumCapacity: capacity)
        var model: [Int] = []
        var next = 0
        for _ in 0..<2000 {
            let amount = Int.random(in: 0...40, using: &random)
            let numbers = (next..<next + amount).map { $0 }
            let free = ring.capacity - model.count
            switch Int.random(in: 0..<9, using: &random) {
            case 0:
                let refused = ring.producer.enqueue(next)
                check((refused == nil) == (free > 0))
                if refused == nil { model.append(next) }
            case 1:
                let fits = ring.producer.enqueue(bulk: numbers.span)
                check(fits == (amount <= free))
                if fits { model += numbers }
            case 2:
                let count = ring.producer.enqueue(burst: numbers.span)
                check(count == min(amount, free))
                model += numbers.prefix(count)
            case 3:
                var index = 0
                let count = ring.producer.enqueue(burst: amount) {
                    defer { index += 1 }
                    return numbers[index]
                }
                check(count == min(amount, free) && index == count)
                model += numbers.prefix(count)
            case 4:
                let rest = [Int](capacity: amount + 1) { output in
                    for number in numbers { output.append(number) }
                    _ = ring.producer.enqueue(burst: &output)
                }
                check(rest == Array(numbers.dropFirst(free)))
                model += numbers.prefix(free)
            case 5:
                check(ring.consumer.dequeue() == model.first)
                if !model.isEmpty { model.removeFirst() }
            case 6:
                let all = [Int](capacity: amount) { output in
                    check(ring.consumer.dequeue(bulk: amount, into: &output) == (amount <= model.count))
                }
                check(all == (amount <= model.count ? Array(model.prefix(amount)) : []))
                model.removeFirst(all.count)
            case 7:
                let some = drain(&ring.consumer, burst: amount)
                check(some == Array(model.prefix(amount)))
                model.removeFirst(some.count)
            default:
                var some: [Int] = []
                _ = ring.consumer.dequeue(burst: amount) { some.append($0) }
                check(some == Array(model.prefix(amount)))
                model.removeFirst(some.count)
            }
            next += amount + 1
            check(ring.producer.count == model.count && ring.consumer.count == model.count)
            check(ring.producer.free == ring.capacity - model.count)
        }
    }
}
