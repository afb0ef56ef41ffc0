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
}
