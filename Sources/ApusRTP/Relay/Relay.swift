import ApusRings
public import ApusWire

/// The forwarding engine of one worker, without any I/O: it takes the bytes of a frame and a time,
/// and says which stream the packet belongs to and behind which headers it goes on.
///
/// It parses, refuses what must not go on, finds the stream, and keeps its statistics. What it
/// needs to know comes in one ``ForwardingTable``, which can be replaced between two bursts.
///
/// A burst goes through it in passes: ``look(at:_:_:counters:)`` at each frame, then ``settle(_:count:counters:)`` for all of
/// them. With many streams hardly anything of the next packet's is in the cache, and so each pass asks for what the
/// next one needs while it goes on with the other packets.
@safe
public struct Relay: ~Copyable, Sendable {
    /// What is forwarded where.
    public internal(set) var table: ForwardingTable
    var receptions: StreamReceptions

    /// An engine with room for that many streams, which forwards nothing yet.
    ///
    /// Of each stream it measures up to `sourcesPerStream` RTP sources at a time, 1 to 255, each in about 200
    /// bytes; packets of further ones are forwarded unmeasured.
    public init(slots: Int, sourcesPerStream: Int = 4) {
        table = ForwardingTable(ForwardingPlan(), slots: slots)
        receptions = StreamReceptions(streams: slots, sourcesPerStream: sourcesPerStream)
    }

    /// What is known of a frame beside its bytes.
    @frozen
    public struct Arrival: BitwiseCopyable, Sendable {
        /// The link-layer address of the interface it came in by.
        public var interface: MACAddress
        /// When it arrived, in nanoseconds since 1970.
        public var time: UInt64
        /// 1 for a partial UDP checksum, 2 for a verified one.
        @usableFromInline let checksumBits: UInt8

        /// An arrival.
        @inlinable
        public init(
            interface: MACAddress, isChecksumVerified: Bool = false, isChecksumPartial: Bool = false,
            time: UInt64
        ) {
            let bits: UInt8 = (isChecksumPartial ? 1 : 0) | (isChecksumVerified ? 2 : 0)
            self.init(interface: interface, checksumBits: bits, time: time)
        }

        /// An arrival of which a driver says in two bits what is known of the UDP checksum: 1 that it is not filled in
        /// yet, 2 that a device has verified it. Other bits don't count.
        @inlinable @inline(__always)
        public init(interface: MACAddress, checksumBits: UInt8, time: UInt64) {
            (self.interface, self.checksumBits, self.time) = (interface, checksumBits, time)
        }

        /// Whether a device has verified the UDP checksum.
        @inlinable @inline(__always)
        public var isChecksumVerified: Bool { checksumBits & 2 != 0 }
        /// Whether a device or the kernel knows that the UDP checksum is not filled in yet.
        @inlinable @inline(__always)
        public var isChecksumPartial: Bool { checksumBits & 1 != 0 }
    }

    /// Takes up a new table; gives the old one back, to be freed elsewhere.
    ///
    /// Streams that stay keep their statistics; slots that changed hands begin anew. The table must be built
    /// for as many slots as this engine has. Cost: a comparison a slot, for 10,000 slots about 10 µs, and
    /// about 100 ns for each that changed hands.
    public mutating func adopt(
        _ new: consuming ForwardingTable, counters: borrowing RelayCounters
    ) -> ForwardingTable {
        precondition(
            new.generations.count == table.generations.count, "the table is for another number of slots")
        for slot in table.generations.indices {
            let generation = new.generations[slot]
            if generation == table.generations[slot] || generation == 0 { continue }
            // It may have been away for some tables.
            if generation == counters.streams[slot].generation.value { continue }
            receptions.clear(slot)
            counters.streams[slot].clear(generation: generation)
        }
        return exchange(&table, with: new)
    }

    /// Looks at a frame that comes alone: `nil` when it is dropped, which is counted then.
    public mutating func accept(
        _ frame: RawSpan, _ arrival: Arrival, counters: borrowing RelayCounters
    ) -> Accepted? {
        var seen = Seen()
        look(at: frame, arrival, &seen, counters: counters)
        return accept(seen, byteCount: frame.byteCount, counters)
    }

    /// The same of a frame of `byteCount` bytes that goes on in further segments behind the first.
    public mutating func accept(
        firstSegment: RawSpan, byteCount: Int, _ arrival: Arrival, counters: borrowing RelayCounters
    ) -> Accepted? {
        var seen = Seen()
        look(atFirstSegment: firstSegment, byteCount: byteCount, arrival, &seen, counters: counters)
        return accept(seen, byteCount: byteCount, counters)
    }

    private mutating func accept(
        _ seen: Seen, byteCount: Int, _ counters: borrowing RelayCounters
    ) -> Accepted? {
        counters.received.add()
        counters.receivedBytes.add(UInt64(truncatingIfNeeded: byteCount))
        var burst: InlineArray<1, Seen> = [seen]
        var span = burst.mutableSpan
        settle(&span, counters)
        return span[0].isRefused ? nil : span[0].accepted
    }
}
