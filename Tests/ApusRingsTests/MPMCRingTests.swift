import Seeds
import Testing

@testable import ApusRings

@Suite("The multi-producer multi-consumer ring")
struct MPMCRingTests {
    @Test func `Holds as many elements as the next power of two, and gives one back when it is full`() {
        var ring = MPMCRing<Int>(minimumCapacity: 5)
        check(ring.capacity == 8 && ring.isEmpty && ring.free == 8)
        for number in 0..<8 { check(ring.enqueue(number) == nil) }
        check(ring.isFull && ring.count == 8 && ring.free == 0)
        check(ring.enqueue(8) == 8)
        for number in 0..<8 { check(ring.dequeue() == number) }
        check(ring.dequeue() == nil)
    }

    @Test func `A shared handle sees the same ring, and the last handle to go frees it`() {
        var mine = MPMCRing<Tracked>(minimumCapacity: 4)
        do {
            var theirs = mine.share()
            _ = theirs.enqueue(Tracked(7))
        }
        if let element = mine.dequeue() { check(element.number == 7) } else { Issue.record("lost") }
        check(mine.isEmpty)
    }

    @Test(arguments: 0..<64 as Range<UInt64>)
    func `Behaves like a plain queue under random operations`(seed: UInt64) {
        var random = Seeded(seed)
        var first = MPMCRing<Int>(minimumCapacity: Int.random(in: 1...33, using: &random))
        var second = first.share()
        var model: [Int] = []
        var next = 0
        for _ in 0..<2000 {
            // Each handle knows something else of the other side's index.
            if Bool.random(using: &random) { swap(&first, &second) }
            let amount = Int.random(in: 0...40, using: &random)
            let numbers = (next..<next + amount).map { $0 }
            let free = first.capacity - model.count
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                let refused = first.enqueue(next)
                check((refused == nil) == (free > 0))
                if refused == nil { model.append(next) }
            case 1:
                let fits = first.enqueue(bulk: numbers.span)
                check(fits == (amount <= free))
                if fits { model += numbers }
            case 2:
                let count = first.enqueue(burst: numbers.span)
                check(count == min(amount, free))
                model += numbers.prefix(count)
            case 3:
                var index = 0
                let count = first.enqueue(burst: amount) {
                    defer { index += 1 }
                    return numbers[index]
                }
                check(count == min(amount, free) && index == count)
                model += numbers.prefix(count)
            case 4:
                let rest = [Int](capacity: amount + 1) { output in
                    for number in numbers { output.append(number) }
                    _ = first.enqueue(burst: &output)
                }
                check(rest == Array(numbers.dropFirst(free)))
                model += numbers.prefix(free)
            case 5:
                let rest = [Int](capacity: amount + 1) { output in
                    for number in numbers { output.append(number) }
                    check(first.enqueue(bulk: &output) == (amount <= free))
                }
                check(rest == (amount <= free ? [] : numbers))
                if amount <= free { model += numbers }
            case 6:
                check(first.dequeue() == model.first)
                if !model.isEmpty { model.removeFirst() }
            case 7:
                let all = [Int](capacity: amount) { output in
                    check(first.dequeue(bulk: amount, into: &output) == (amount <= model.count))
                }
                check(all == (amount <= model.count ? Array(model.prefix(amount)) : []))
                model.removeFirst(all.count)
            case 8:
                let some = [Int](capacity: amount) { output in _ = first.dequeue(burst: 64, into: &output) }
                check(some == Array(model.prefix(amount)))
                model.removeFirst(some.count)
            default:
                var some: [Int] = []
                _ = first.dequeue(burst: amount) { some.append($0) }
                check(some == Array(model.prefix(amount)))
                model.removeFirst(some.count)
            }
            next += amount + 1
            check(first.count == model.count && second.count == model.count)
        }
    }

    @Test func `Two producers and two consumers conserve every element, and each producer's order`() {
        let each = 1_000_000
        let ring = MPMCRing<Int>(minimumCapacity: 128)
        // An element is its number, doubled, plus the producer's.
        let producers = [0, 1].map { producer in
            Running(ring.share()) { handle in
                var handle = handle
                var random = Seeded(UInt64(producer))
                var next = 0
                while next < each {
                    let before = next
                    switch random.next() % 3 {
                    case 0: if handle.enqueue(next * 2 + producer) == nil { next += 1 }
                    case 1:
                        let numbers = InlineArray<8, Int> { (next + $0) * 2 + producer }
                        if next + 8 <= each, handle.enqueue(bulk: numbers.span) { next += 8 }
                    default:
                        let first = next
                        var made = 0
                        next += handle.enqueue(burst: min(32, each - next)) {
                            defer { made += 1 }
                            return (first + made) * 2 + producer
                        }
                    }
                    if next == before { pause() }
                }
            }
        }
        let taken = Counter()
        let consumers = [2, 3].map { seed in
            Running(ring.share()) { handle in
                var handle = handle
                var random = Seeded(UInt64(seed))
                var sum = 0
                var last = (-1, -1)
                var disorder = 0
                func see(_ element: Int) {
                    sum += element
                    if element % 2 == 0 {
                        if element / 2 <= last.0 { disorder += 1 }
                        last.0 = element / 2
                    } else {
                        if element / 2 <= last.1 { disorder += 1 }
                        last.1 = element / 2
                    }
                }
                while taken.value < 2 * each {
                    var count = 0
                    switch random.next() % 3 {
                    case 0:
                        if let element = handle.dequeue() {
                            see(element)
                            count = 1
                        }
                    case 1:
                        let some = [Int](capacity: 8) { output in _ = handle.dequeue(bulk: 8, into: &output) }
                        for element in some { see(element) }
                        count = some.count
                    default: count = handle.dequeue(burst: 32) { see($0) }
                    }
                    if count > 0 { taken.add(count) } else { pause() }
                }
                return [sum, disorder]
            }
        }
        for producer in producers { producer.join() }
        let results = consumers.map { $0.join() }
        let all = 2 * each
        check(results[0][0] + results[1][0] == all * (all - 1) / 2, "the numbers 0 ..< all, each once")
        check(results[0][1] == 0 && results[1][1] == 0)
        check(ring.isEmpty)
    }
}
