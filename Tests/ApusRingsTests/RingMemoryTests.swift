import Synchronization
import Testing

@testable import ApusRings

/// What several threads count together.
final class Counter: Sendable {
    private let atomic = Atomic<Int>(0)
    var value: Int { atomic.load(ordering: .relaxed) }
    func add(_ amount: Int) { atomic.add(amount, ordering: .relaxed) }
}

/// An element that counts, in a counter of the test's own, how many of its kind live.
struct Counted: ~Copyable, Sendable {
    let live: Counter
    init(_ live: Counter) {
        self.live = live
        live.add(1)
    }
    deinit { live.add(-1) }
}

@Suite("A ring's memory")
struct RingMemoryTests {
    @Test func `Each side's index words are 128 bytes apart, from a base aligned to 128`() {
        for capacity in [1, 8, 1024] {
            let spsc = SPSCRing<UInt8>(minimumCapacity: capacity)
            let base = unsafe Int(bitPattern: spsc.producer.header)
            let tail = unsafe address(of: spsc.producer.header.pointee.tail.value)
            let head = unsafe address(of: spsc.producer.header.pointee.head.value)
            let ends = unsafe address(of: spsc.producer.header.pointee.ends.value)
            let slots = unsafe Int(bitPattern: spsc.producer.slots.first)
            check(base % 128 == 0)
            check([tail, head, ends, slots].map { $0 - base } == [0, 128, 256, 384])

            let mpmc = MPMCRing<UInt8>(minimumCapacity: capacity)
            let start = unsafe Int(bitPattern: mpmc.header)
            let words = unsafe [
                address(of: mpmc.header.pointee.producers.head),
                address(of: mpmc.header.pointee.producers.tail),
                address(of: mpmc.header.pointee.consumers.head),
                address(of: mpmc.header.pointee.consumers.tail),
                address(of: mpmc.header.pointee.handles.value), Int(bitPattern: mpmc.slots.first),
            ]
            check(start % 128 == 0)
            check(words.map { $0 - start } == [0, 8, 128, 136, 256, 384])
        }
        check(MemoryLayout<SPSCHeader>.size == 384 && MemoryLayout<MPMCHeader>.size == 384)
        check(MemoryLayout<SPSCProducer<Int>>.size == 32, "a handle is four words")
    }

    @Test func `Drops what is still queued when both ends are gone, whichever goes first`() {
        for producerFirst in [true, false] {
            let live = Counter()
            let ring = SPSCRing<Counted>(minimumCapacity: 8)
            var producer = ring.producer
            var consumer = ring.consumer
            // Five of the eight lie round the end.
            for _ in 0..<6 { _ = producer.enqueue(Counted(live)) }
            check(consumer.dequeue(burst: 6) { _ in } == 6)
            for _ in 0..<5 { _ = producer.enqueue(Counted(live)) }
            check(live.value == 5)
            if producerFirst {
                _ = consume producer
                check(live.value == 5, "the consumer can still take them")
                _ = consumer.dequeue()
                check(live.value == 4)
                _ = consume consumer
            } else {
                _ = consume consumer
                check(producer.enqueue(Counted(live)) == nil)
                check(live.value == 6)
                _ = consume producer
            }
            check(live.value == 0)
        }
    }

    @Test func `Drops what is still queued with the last of several handles`() {
        let live = Counter()
        var first = MPMCRing<Counted>(minimumCapacity: 4)
        let second = first.share()
        for _ in 0..<3 { _ = first.enqueue(Counted(live)) }
        _ = first.dequeue()
        for _ in 0..<2 { _ = first.enqueue(Counted(live)) }
        _ = consume first
        check(live.value == 4)
        _ = consume second
        check(live.value == 0)
    }

    @Test func `Is freed once when the two ends go at the same time on two threads`() {
        let live = Counter()
        for _ in 0..<500 {
            var ring = SPSCRing<Counted>(minimumCapacity: 2)
            _ = ring.producer.enqueue(Counted(live))
            let one = Running(ring.producer) { producer in _ = consume producer }
            let other = Running(ring.consumer) { consumer in _ = consume consumer }
            one.join()
            other.join()
        }
        check(live.value == 0)
    }

    private func address<Value: ~Copyable>(of value: borrowing Value) -> Int {
        unsafe withUnsafePointer(to: value) { Int(bitPattern: $0) }
    }
}
