public import ApusRings
import Synchronization

/// One end of a ``MemoryPair``.
///
/// Metadata crosses with the frame: a received packet's timestamp and flags are what the sender left in it.
/// Cost: some two nanoseconds a packet and direction, no system call.
@frozen
public struct MemoryDriver: PortDriver, ~Copyable {
    @usableFromInline var outgoing: SPSCProducer<Packet>
    @usableFromInline var incoming: SPSCConsumer<Packet>
    @usableFromInline var counters = PortStatistics()
    @usableFromInline let outgoingExtra: ExtraSegments
    @usableFromInline let incomingExtra: ExtraSegments
    @usableFromInline var limit = Burst.capacity
    /// The ring's capacity.
    public let grant: PortGrant
    // The last member, as they are dropped in this order: what is in the rings goes home to it.
    /// Where the frames of packets to be sent come from.
    public var pool: FramePool

    init(
        pool: consuming FramePool, outgoing: consuming SPSCProducer<Packet>,
        incoming: consuming SPSCConsumer<Packet>, outgoingExtra: ExtraSegments, incomingExtra: ExtraSegments,
        grant: PortGrant
    ) {
        self.pool = pool
        self.outgoing = outgoing
        self.incoming = incoming
        self.outgoingExtra = outgoingExtra
        self.incomingExtra = incomingExtra
        self.grant = grant
    }

    static func grant(_ name: String, asked: Int, got: Int) -> PortGrant {
        PortGrant(
            backend: .memory, interface: name, queue: 0,
            features: [.init("ring", requested: "\(asked)", granted: "\(got)")])
    }

    /// Lets a call of ``receive(into:)`` take so many packets at most, 1 to 64, as if no more had come yet.
    @_spi(Benchmarks)
    public mutating func limitBursts(to count: Int) {
        precondition((1...Burst.capacity).contains(count), "a burst has 1 to 64 packets")
        limit = count
    }

    // Both inlined, so that a look at an empty ring is not a call.

    /// Receives what the other end sent. See ``PortDriver/receive(into:)``.
    @inlinable @inline(__always)
    public mutating func receive(into burst: inout Burst) -> Int {
        var bytes = 0
        let extra = incomingExtra
        let count = incoming.dequeue(burst: min(burst.room, limit)) { packet in
            bytes &+= packet.count
            if _slowPath(packet.isSegmented) { bytes &+= extra.took(packet) }
            burst.append(packet)
        }
        if count == 0 { return 0 }
        counters.received &+= UInt64(truncatingIfNeeded: count)
        counters.receivedBytes &+= UInt64(truncatingIfNeeded: bytes)
        return count
    }

    /// Passes packets to the other end. See ``PortDriver/transmit(_:)``.
    @inlinable @inline(__always)
    public mutating func transmit(_ burst: inout Burst) -> Int {
        var bytes = 0
        let extra = outgoingExtra
        let count = outgoing.enqueue(burst: burst.count) {
            // Sound: it is called at most `burst.count` times.
            let packet = unsafe Packet(adopting: burst.popFirstFrame())
            bytes &+= packet.count
            if _slowPath(packet.isSegmented) { bytes &+= extra.gave(packet) }
            return packet
        }
        if count == 0 { return 0 }
        counters.sent &+= UInt64(truncatingIfNeeded: count)
        counters.sentBytes &+= UInt64(truncatingIfNeeded: bytes)
        return count
    }

    /// Nothing: what was transmitted is with the other end already.
    @inlinable
    public mutating func flush() {}

    /// A free frame of ``pool``.
    @inlinable
    public mutating func takeFrame() -> Frame? { unsafe pool.take() }

    /// Always: a frame crosses whatever memory it lies in.
    @inlinable
    public func canSend(_ packet: borrowing Packet) -> Bool { true }

    /// The frames sent from here that the other end has not received yet.
    public var framesInside: Int { outgoing.count + outgoingExtra.count }

    /// None: the ring must be polled.
    @inlinable
    public var readyDescriptor: Int32 { -1 }

    /// As long as a packet can be: the ring moves handles.
    public var maximumPacketSize: Int { 65_535 }

    /// Counters since the pair was made.
    public mutating func statistics() -> PortStatistics { counters }
}

/// How many frames the packets on their way in one direction have beyond one each.
///
/// Touched for packets of several segments only, so that one-frame packets cost no shared counter.
@usableFromInline
final class ExtraSegments: Sendable {
    private let frames = Atomic<Int>(0)

    var count: Int { frames.load(ordering: .relaxed) }

    /// Counts a packet into the ring, and says how many bytes it has beyond its first segment.
    @usableFromInline @inline(never)
    func gave(_ packet: borrowing Packet) -> Int {
        frames.add(packet.segmentCount - 1, ordering: .relaxed)
        return packet.totalCount - packet.count
    }

    /// Counts a packet out of the ring, and says how many bytes it has beyond its first segment.
    @usableFromInline @inline(never)
    func took(_ packet: borrowing Packet) -> Int {
        frames.subtract(packet.segmentCount - 1, ordering: .relaxed)
        return packet.totalCount - packet.count
    }
}
