import ApusRings
import CMeter

/// One way to use a ring of 1024 elements of eight bytes.
public struct RingSubject: Sendable {
    /// Which ring.
    public enum Kind: String, Sendable {
        /// One producer and one consumer.
        case spsc
        /// Many of both.
        case mpmc
    }

    /// Who puts in and takes out.
    public enum Place: String, Sendable {
        /// One thread does both.
        case oneCore = "one-core"
        /// One thread puts in, its partner on another core takes out.
        case twoCores = "two-cores"
        /// Two threads, each of which does both.
        case contended
    }

    /// Which ring.
    public let kind: Kind
    /// Who puts in and takes out.
    public let place: Place
    /// Elements a call, 1 to 64.
    public let bulk: Int

    /// How many elements the ring holds at least.
    public static let capacity = 1024

    /// All of them; those of one core only unless it is paired.
    public static func all(isPaired: Bool) -> [RingSubject] {
        let alone: [(Kind, Place)] = [(.spsc, .oneCore), (.mpmc, .oneCore)]
        let paired: [(Kind, Place)] = [(.spsc, .twoCores), (.mpmc, .twoCores), (.mpmc, .contended)]
        return (isPaired ? alone + paired : alone).flatMap { kind, place in
            [1, 8, 32, 64].map { RingSubject(kind: kind, place: place, bulk: $0) }
        }
    }

    /// What is measured. One that takes two cores needs a partner.
    public func subject(partner: Partner?) -> Subject {
        Subject(
            "rings/\(kind.rawValue)/\(place.rawValue)/bulk-\(bulk)", per: "element",
            cores: place == .oneCore ? 1 : 2
        ) { competitor(partner) }
    }

    private func competitor(_ partner: Partner?) -> Competitor {
        switch (kind, place, partner) {
        case (.spsc, .oneCore, _): alone(SPSCEnds.make(Self.capacity))
        case (.mpmc, .oneCore, _): alone(MPMCEnds.make(Self.capacity))
        case (.spsc, .twoCores, let partner?): between(partner, SPSCEnds.make(Self.capacity))
        case (.mpmc, .twoCores, let partner?): between(partner, MPMCEnds.make(Self.capacity))
        case (_, .contended, let partner?): contended(partner)
        default: preconditionFailure("there is no partner for what takes two cores")
        }
    }

    private func alone<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
        _ ends: RingEnds<P, C>
    ) -> Competitor {
        Competitor("Apus") { [bulk] repeats in
            ends.exchange(bulk, repeats)
            return repeats * bulk
        }
    }

    private func between<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
        _ partner: Partner, _ ends: RingEnds<P, C>
    ) -> Competitor {
        Competitor("Apus") { [bulk] repeats in
            partner.during({ ends.consume(bulk, repeats) }, { ends.produce(bulk, repeats) })
            return repeats * bulk
        }
    }

    private func contended(_ partner: Partner) -> Competitor {
        let ring = MPMCRing<UInt>(minimumCapacity: Self.capacity)
        let mine = MPMCEnds(ring.share(), ring.share())
        let theirs = MPMCEnds(ring.share(), ring.share())
        return Competitor("Apus") { [bulk] repeats in
            partner.during({ theirs.exchange(bulk, repeats) }, { mine.exchange(bulk, repeats) })
            return 2 * repeats * bulk
        }
    }
}

// MARK: - Loops

// The twin that does the same over DPDK's rte_ring is Benchmarks/Twins/ring.c. All of this is private to the file: when
// the protocols were not, the compiler turned the loops round before it inlined what they call, and left a call in them,
// which cost 2 ns.

/// The two ends of a ring. A thread that works with one has it on its stack meanwhile, as a worker would, so
/// that two threads write to no common cache line but the ring's.
private final class RingEnds<Producer: Producing & ~Copyable, Consumer: Consuming & ~Copyable> {
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
        if bulk == 1 {
            exchangeSingly(&producer, &consumer, elements, repeats)
        } else {
            exchangeInBulk(&producer, &consumer, elements, bulk, repeats)
        }
        self.producer = consume producer
        self.consumer = consume consumer
    }

    func produce(_ bulk: Int, _ repeats: Int) {
        var producer = self.producer.take()!
        if bulk == 1 {
            unsafe produceSingly(&producer, elements.input, repeats)
        } else {
            unsafe produceInBulk(&producer, elements.input, bulk, repeats)
        }
        self.producer = consume producer
    }

    func consume(_ bulk: Int, _ repeats: Int) {
        var consumer = self.consumer.take()!
        if bulk == 1 {
            unsafe consumeSingly(&consumer, elements.output, repeats)
        } else {
            unsafe consumeInBulk(&consumer, elements.output, bulk, repeats)
        }
        self.consumer = consume consumer
    }
}

private typealias SPSCEnds = RingEnds<SPSCProducer<UInt>, SPSCConsumer<UInt>>
private typealias MPMCEnds = RingEnds<MPMCRing<UInt>, MPMCRing<UInt>>

extension SPSCEnds {
    fileprivate static func make(_ capacity: Int) -> SPSCEnds {
        let ring = SPSCRing<UInt>(minimumCapacity: capacity)
        return SPSCEnds(ring.producer, ring.consumer)
    }
}

extension MPMCEnds {
    fileprivate static func make(_ capacity: Int) -> MPMCEnds {
        let ring = MPMCRing<UInt>(minimumCapacity: capacity)
        return MPMCEnds(ring.share(), ring)
    }
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
private func exchangeSingly<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
    _ producer: inout P, _ consumer: inout C, _ elements: Elements, _ repeats: Int
) {
    for _ in 0..<repeats {
        unsafe putOne(&producer, elements.input)
        unsafe takeOne(&consumer, elements.output)
    }
}

// From memory and to memory, as the twin has it: an element that nobody looks at would not be read from the ring at all.
@inline(__always)
private func putOne<P: Producing & ~Copyable>(
    _ producer: inout P, _ memory: UnsafeMutableBufferPointer<UInt>
) {
    while unsafe !producer.put(memory[0]) { meter_pause() }
}

@inline(__always)
private func takeOne<C: Consuming & ~Copyable>(
    _ consumer: inout C, _ memory: UnsafeMutableBufferPointer<UInt>
) {
    while true {
        if let element = consumer.take() { return unsafe memory[0] = element }
        meter_pause()
    }
}

@inline(never)
private func exchangeInBulk<P: Producing & ~Copyable, C: Consuming & ~Copyable>(
    _ producer: inout P, _ consumer: inout C, _ elements: Elements, _ bulk: Int, _ repeats: Int
) {
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
private func produceSingly<P: Producing & ~Copyable>(
    _ producer: inout P, _ memory: UnsafeMutableBufferPointer<UInt>, _ repeats: Int
) {
    for _ in 0..<repeats { unsafe putOne(&producer, memory) }
}

@inline(never)
private func produceInBulk<P: Producing & ~Copyable>(
    _ producer: inout P, _ memory: UnsafeMutableBufferPointer<UInt>, _ bulk: Int, _ repeats: Int
) {
    let input = unsafe memory.span.extracting(first: bulk)
    for _ in 0..<repeats { while !producer.put(input) { meter_pause() } }
}

@inline(never)
private func consumeSingly<C: Consuming & ~Copyable>(
    _ consumer: inout C, _ memory: UnsafeMutableBufferPointer<UInt>, _ repeats: Int
) {
    for _ in 0..<repeats { unsafe takeOne(&consumer, memory) }
}

@inline(never)
private func consumeInBulk<C: Consuming & ~Copyable>(
    _ consumer: inout C, _ memory: UnsafeMutableBufferPointer<UInt>, _ bulk: Int, _ repeats: Int
) {
    // As above.
    var room = unsafe OutputSpan(buffer: memory, initializedCount: 0)
    for _ in 0..<repeats {
        while !consumer.take(bulk, &room) { meter_pause() }
        room.removeAll()
    }
}
