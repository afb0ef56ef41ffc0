import Apus
import ApusBench
import CMeter
import CTwins

// Apus' rings beside DPDK's rte_ring: elements of eight bytes, a ring of 1024. The twin is Twins/ring.c.

private let capacity = 1024
private let bulks = [1, 8, 32, 64]

/// The suite `rings`. Without a partner it has no comparisons between cores.
func rings(partner: Partner?) -> [Comparison] {
    var comparisons: [Comparison] = []
    for bulk in bulks {
        comparisons.append(onOneCore("spsc", isMany: false, bulk, makeSPSC))
    }
    for bulk in bulks {
        comparisons.append(onOneCore("mpmc", isMany: true, bulk, makeMPMC))
    }
    guard let partner else { return comparisons }
    for bulk in bulks {
        comparisons.append(betweenCores("spsc", isMany: false, bulk, partner, makeSPSC))
    }
    for bulk in bulks {
        comparisons.append(betweenCores("mpmc", isMany: true, bulk, partner, makeMPMC))
    }
    for bulk in bulks { comparisons.append(contended(bulk, partner)) }
    return comparisons
}

// MARK: - Comparisons

/// One thread puts in and takes out again.
private func onOneCore<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
    _ kind: String, isMany: Bool, _ bulk: Int, _ make: @escaping () -> Ends<P, C>
) -> Comparison {
    Comparison("rings/\(kind)/one-core/bulk-\(bulk)", per: "element") {
        let (ends, twin) = (make(), Twin(isMany: isMany))
        return (
            Competitor("Apus") { repeats in
                ends.exchange(bulk, repeats)
                return repeats * bulk
            },
            Competitor("rte_ring") { repeats in
                twin.exchange(bulk, repeats)
                return repeats * bulk
            }
        )
    }
}

/// One thread puts in, one on another core takes out.
private func betweenCores<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
    _ kind: String, isMany: Bool, _ bulk: Int, _ partner: Partner, _ make: @escaping () -> Ends<P, C>
) -> Comparison {
    Comparison("rings/\(kind)/two-cores/bulk-\(bulk)", per: "element", cores: 2) {
        let (ends, twin) = (make(), Twin(isMany: isMany))
        return (
            Competitor("Apus") { repeats in
                partner.during({ ends.consume(bulk, repeats) }, { ends.produce(bulk, repeats) })
                return repeats * bulk
            },
            Competitor("rte_ring") { repeats in
                partner.during({ twin.consume(bulk, repeats) }, { twin.produce(bulk, repeats) })
                return repeats * bulk
            }
        )
    }
}

/// Two threads, each of which puts in and takes out.
private func contended(_ bulk: Int, _ partner: Partner) -> Comparison {
    Comparison("rings/mpmc/contended/bulk-\(bulk)", per: "element", cores: 2) {
        let ring = MPMCRing<UInt>(minimumCapacity: capacity)
        let (mine, theirs) = (MPMCEnds(ring.share(), ring.share()), MPMCEnds(ring.share(), ring.share()))
        let twin = Twin(isMany: true)
        let otherTwin = Twin(sharing: twin)
        return (
            Competitor("Apus") { repeats in
                partner.during({ theirs.exchange(bulk, repeats) }, { mine.exchange(bulk, repeats) })
                return 2 * repeats * bulk
            },
            Competitor("rte_ring") { repeats in
                partner.during({ otherTwin.exchange(bulk, repeats) }, { twin.exchange(bulk, repeats) })
                return 2 * repeats * bulk
            }
        )
    }
}

/// One thread's hold on DPDK's ring, or the two ends of it.
@safe private final class Twin {
    private let ring: OpaquePointer
    private let many: Int32
    private let owner: Twin?
    private let elements = Elements()

    init(isMany: Bool) {
        many = isMany ? 1 : 0
        unsafe ring = ring_make(UInt32(capacity), many)
        owner = nil
    }
    init(sharing other: Twin) { unsafe (ring, many, owner) = (other.ring, other.many, other) }
    deinit { if owner == nil { unsafe ring_free(ring) } }

    func exchange(_ bulk: Int, _ repeats: Int) {
        let (input, output) = unsafe (elements.input.baseAddress, elements.output.baseAddress)
        unsafe ring_exchange(ring, many, input, output, UInt32(bulk), repeats)
    }
    func produce(_ bulk: Int, _ repeats: Int) {
        unsafe ring_produce(ring, many, elements.input.baseAddress, UInt32(bulk), repeats)
    }
    func consume(_ bulk: Int, _ repeats: Int) {
        unsafe ring_consume(ring, many, elements.output.baseAddress, UInt32(bulk), repeats)
    }
}

// MARK: - Loops

/// The two ends of a ring. A thread that works with one has it on its stack meanwhile, as a worker would, so
/// that two threads write to no common cache line but the ring's.
private final class Ends<Producer: Producing & ~Copyable, Consumer: Consuming & ~Copyable> {
    private var producer: Producer?
    private var consumer: Consumer?
    private let elements = Elements()

    init(_ producer: consuming Producer, _ consumer: consuming Consumer) {
        self.producer = consume producer
        self.consumer = consume consumer
    }

    func exchange(_ bulk: Int, _ repeats: Int) {
        var producer = self.producer.take()!
        var consumer = self.consumer.take()!
        loopExchange(&producer, &consumer, elements, bulk, repeats)
        self.producer = consume producer
        self.consumer = consume consumer
    }

    func produce(_ bulk: Int, _ repeats: Int) {
        var producer = self.producer.take()!
        unsafe loopProduce(&producer, elements.input, bulk, repeats)
        self.producer = consume producer
    }

    func consume(_ bulk: Int, _ repeats: Int) {
        var consumer = self.consumer.take()!
        unsafe loopConsume(&consumer, elements.output, bulk, repeats)
        self.consumer = consume consumer
    }
}

private typealias SPSCEnds = Ends<SPSCProducer<UInt>, SPSCConsumer<UInt>>
private typealias MPMCEnds = Ends<MPMCRing<UInt>, MPMCRing<UInt>>

private func makeSPSC() -> SPSCEnds {
    let ring = SPSCRing<UInt>(minimumCapacity: capacity)
    return SPSCEnds(ring.producer, ring.consumer)
}

private func makeMPMC() -> MPMCEnds {
    let ring = MPMCRing<UInt>(minimumCapacity: capacity)
    return MPMCEnds(ring.share(), ring)
}

/// What goes in, and where it comes out: memory that the optimizers know nothing of, on cache lines of its own.
@safe private final class Elements {
    let input = unsafe make()
    let output = unsafe make()
    private static func make() -> UnsafeMutableBufferPointer<UInt> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 64 * 8, alignment: 128)
        let buffer = unsafe UnsafeMutableBufferPointer(
            start: memory.bindMemory(to: UInt.self, capacity: 64), count: 64)
        unsafe buffer.initialize(repeating: 0)
        return unsafe buffer
    }
    deinit {
        unsafe input.deallocate()
        unsafe output.deallocate()
    }
}

private protocol Producing: ~Copyable {
    mutating func put(_ elements: Span<UInt>) -> Bool
    mutating func put(_ element: UInt) -> Bool
}
extension SPSCProducer: Producing where Element == UInt {
    @inline(__always) mutating func put(_ elements: Span<UInt>) -> Bool { enqueue(bulk: elements) }
    @inline(__always) mutating func put(_ element: UInt) -> Bool { enqueue(element) == nil }
}

private protocol Consuming: ~Copyable {
    mutating func take(_ count: Int, _ elements: inout OutputSpan<UInt>) -> Bool
    mutating func take() -> UInt?
}
extension SPSCConsumer: Consuming where Element == UInt {
    @inline(__always) mutating func take(_ count: Int, _ elements: inout OutputSpan<UInt>) -> Bool {
        dequeue(bulk: count, into: &elements)
    }
    @inline(__always) mutating func take() -> UInt? { dequeue() }
}

extension MPMCRing: Producing, Consuming where Element == UInt {
    @inline(__always) mutating func put(_ elements: Span<UInt>) -> Bool { enqueue(bulk: elements) }
    @inline(__always) mutating func put(_ element: UInt) -> Bool { enqueue(element) == nil }
    @inline(__always) mutating func take(_ count: Int, _ elements: inout OutputSpan<UInt>) -> Bool {
        dequeue(bulk: count, into: &elements)
    }
    @inline(__always) mutating func take() -> UInt? { dequeue() }
}

@inline(never)
private func loopExchange<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
    _ producer: inout P, _ consumer: inout C, _ elements: Elements, _ bulk: Int, _ repeats: Int
) {
    if bulk == 1 {
        for _ in 0..<repeats {
            while !producer.put(0) { meter_pause() }
            while consumer.take() == nil { meter_pause() }
        }
        return
    }
    let input = unsafe elements.input.span.extracting(first: bulk)
    // Sound: integers need no initializing or destroying, and the memory stays.
    var room = unsafe OutputSpan(buffer: elements.output, initializedCount: 0)
    for _ in 0..<repeats {
        while !producer.put(input) { meter_pause() }
        while !consumer.take(bulk, &room) { meter_pause() }
        room.removeAll()
    }
}

@inline(never)
private func loopProduce<P: Producing & ~Copyable>(
    _ producer: inout P, _ memory: UnsafeMutableBufferPointer<UInt>, _ bulk: Int, _ repeats: Int
) {
    if bulk == 1 {
        for _ in 0..<repeats { while !producer.put(0) { meter_pause() } }
        return
    }
    let input = unsafe memory.span.extracting(first: bulk)
    for _ in 0..<repeats { while !producer.put(input) { meter_pause() } }
}

@inline(never)
private func loopConsume<C: Consuming & ~Copyable>(
    _ consumer: inout C, _ memory: UnsafeMutableBufferPointer<UInt>, _ bulk: Int, _ repeats: Int
) {
    if bulk == 1 {
        for _ in 0..<repeats { while consumer.take() == nil { meter_pause() } }
        return
    }
    // As above.
    var room = unsafe OutputSpan(buffer: memory, initializedCount: 0)
    for _ in 0..<repeats {
        while !consumer.take(bulk, &room) { meter_pause() }
        room.removeAll()
    }
}
