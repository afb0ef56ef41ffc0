import ApusRings
import Testing

@Suite("Fixed arrays")
struct FixedArrayTests {
    @Test func `Elements are dropped once each, also those made before an error`() {
        struct Stop: Error {}
        struct Counted: ~Copyable {
            let drops: Counter
            deinit { drops.value += 1 }
        }
        final class Counter { var value = 0 }
        let counter = Counter()
        do {
            var array = FixedArray<Counted>(count: 5) { _ in Counted(drops: counter) }
            array[2] = Counted(drops: counter)
            #expect(counter.value == 1)
        }
        #expect(counter.value == 6)
        #expect(throws: Stop.self) {
            _ = try FixedArray<Counted>(count: 5) { position in
                if position == 3 { throw Stop() }
                return Counted(drops: counter)
            }
        }
        #expect(counter.value == 9)
    }

    @Test func `Elements go over to another array, and are dropped once each`() {
        struct Counted: ~Copyable {
            let drops: Counter
            let number: Int
            deinit { drops.value += 1 }
        }
        final class Counter { var value = 0 }
        let counter = Counter()
        do {
            let array = FixedArray<Counted>(count: 5) { Counted(drops: counter, number: $0) }
            let mapped = array.map { position, element in
                Optional(Counted(drops: counter, number: 10 * element.number + position))
            }
            #expect(counter.value == 5 && mapped.count == 5)
            for position in mapped.indices {
                let number = mapped[position]!.number
                #expect(number == 11 * position)
            }
        }
        #expect(counter.value == 10)
    }

    @Test(arguments: [1, 3, 1000, 300_000, 1_000_000])
    func `It begins at a cache line, and all elements are there at any length`(_ count: Int) {
        var array = FixedArray(count: count) { UInt64($0) }
        let address = unsafe withUnsafePointer(to: &array[0]) { UInt(bitPattern: $0) }
        #expect(address % 128 == 0)
        #expect((0..<count).allSatisfy { array[$0] == UInt64($0) })
        // Positions that are not there do no harm.
        for position in [0, count - 1, count, -1, .max, .min] { array.prefetch(position, line: 1) }
        var sum: UInt64 = 0
        do {
            var span = array.mutableSpan(ofFirst: count - 1)
            #expect(span.count == count - 1)
            for position in span.indices {
                span[position] += 1
                sum += span[position]
            }
        }
        #expect(sum == UInt64(count) * UInt64(count - 1) / 2 && array[count - 1] == UInt64(count - 1))
    }
}
