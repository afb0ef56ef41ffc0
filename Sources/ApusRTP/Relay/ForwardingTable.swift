import ApusRings
public import ApusWire

/// A ``ForwardingPlan`` in the form in which a worker reads it: flat, and owned by that worker.
@safe
public struct ForwardingTable: ~Copyable, Sendable {
    /// What all packets of a stream have in common: two words of 32 bits, so that it fits beside the key by which the
    /// stream is found.
    @usableFromInline @frozen
    struct Stream: BitwiseCopyable, Sendable {
        @usableFromInline var firstDestination: Int32 = 0
        /// From below in 8 bits the hop limit, 0 for one less than the packet came with, in one whether it is RTP, and
        /// the number of destinations.
        @usableFromInline var traits: UInt32 = 0

        @inlinable @inline(__always) init() {}

        init(_ stream: ForwardingPlan.Stream, firstDestination: Int) {
            precondition(
                stream.destinations.count < 1 << 23, "a stream has fewer than 8 million destinations")
            self.firstDestination = Int32(firstDestination)
            traits =
                UInt32(stream.destinations.count) << 9 | (stream.isRTP ? 1 << 8 : 0)
                | UInt32(stream.hopLimit ?? 0)
        }

        @inlinable @inline(__always)
        var destinationCount: Int { Int(truncatingIfNeeded: traits >> 9) }
        @inlinable @inline(__always)
        var hopLimit: UInt8 { UInt8(truncatingIfNeeded: traits) }
        @inlinable @inline(__always)
        var isRTP: Bool { traits & 1 << 8 != 0 }
    }

    @usableFromInline let streams: FixedArray<Stream>
    /// All ways of all streams; ``ways(ofSlot:)`` tells which are whose.
    public let ways: FixedArray<Way>
    /// Where the ways lead, in the same order. Apart from them, so that what each packet needs stays in the cache.
    public let destinations: FixedArray<Destination>
    /// By slot; 0 where there is no stream. Apart from the streams, so that they are compared fast.
    let generations: FixedArray<UInt64>
    @usableFromInline let listeners: EndpointIndex
    @usableFromInline let own: EndpointIndex
    private let hasWildcards: Bool

    /// Builds the table for a worker that has that many stream slots.
    ///
    /// Each stream's slot must be below `slots` and nobody else's, its generation above 0, and its hop limit,
    /// if it has one, too. Of two streams that listen at one endpoint the first gets the packets.
    ///
    /// Cost: proportional to the number of streams and destinations; not for the data path.
    public init(_ plan: ForwardingPlan, slots: Int) {
        var all: [Destination] = []
        all.reserveCapacity(plan.streams.reduce(0) { $0 + $1.destinations.count })
        var streams = FixedArray(repeating: Stream(), count: slots)
        var generations = FixedArray(repeating: 0 as UInt64, count: slots)
        for stream in plan.streams {
            precondition(stream.generation > 0, "the generations of a slot count from 1")
            precondition(stream.hopLimit != 0, "a packet can't be sent with a hop limit of 0")
            precondition(generations[stream.slot] == 0, "two streams have the same slot")
            generations[stream.slot] = stream.generation
            streams[stream.slot] = Stream(stream, firstDestination: all.count)
            all += stream.destinations
        }
        listeners = EndpointIndex(
            values: plan.streams.map { stream in
                (stream.listen, EndpointIndex.Value(number: stream.slot, stream: streams[stream.slot]))
            })
        self.streams = streams
        self.generations = generations
        ways = FixedArray(count: all.count) { Way(all[$0].path) }
        destinations = FixedArray(count: all.count) { all[$0] }
        own = EndpointIndex(plan.ownAddresses.map { (Endpoint($0, port: 0), 0) })
        hasWildcards = plan.streams.contains { $0.listen.address.isAny }
    }

    // Mutating, as are those of the relay that call them: a table that is only borrowed is copied to the stack
    // for the call of `wildcard`, for each packet, called or not.

    /// The stream that listens where a packet goes to, of which `place` is the place among the listeners.
    @inline(__always)
    mutating func stream(at key: EndpointIndex.Key, from place: Int) -> EndpointIndex.Value {
        let found = listeners.value(of: key, from: place)
        if _fastPath(found.number >= 0 || !hasWildcards) { return found }
        return wildcard(key)
    }

    /// A stream that listens at any address takes what goes to an address of this host: not what a router
    /// would pass on, nor a group that it did not name.
    @inline(never)
    private mutating func wildcard(_ key: EndpointIndex.Key) -> EndpointIndex.Value {
        guard own.number(high: key.high, low: key.low, port: 0, isIPv6: key.isIPv6) >= 0 else {
            return EndpointIndex.Value()
        }
        let any = EndpointIndex.Key(
            port: UInt16(truncatingIfNeeded: key.port), isIPv6: key.isIPv6)
        return listeners.value(of: any, from: listeners.place(of: any))
    }

    @inlinable @inline(__always)
    func isOwnSource(_ headers: FlowHeaders) -> Bool {
        own.number(high: headers.sourceHigh, low: headers.sourceLow, port: 0, isIPv6: headers.isIPv6) >= 0
    }

    /// Where among ``ways`` those of the stream in that slot are, in the order of its destinations; empty when there is
    /// no stream.
    @inlinable @inline(__always)
    public func ways(ofSlot slot: Int) -> Range<Int> {
        let first = Int(streams[slot].firstDestination)
        return unsafe Range(uncheckedBounds: (first, first &+ streams[slot].destinationCount))
    }

    /// Which of the streams that had the slot it is; 0 when there is none.
    public func generation(ofSlot slot: Int) -> UInt64 { generations[slot] }

    /// Where among ``ways`` that of the stream in that slot to this endpoint is, if there still is one.
    public func way(to endpoint: Endpoint, ofSlot slot: Int) -> Int? {
        for way in ways(ofSlot: slot) where destinations[way].endpoint == endpoint { return way }
        return nil
    }
}

/// The way to a ``Destination`` as a worker uses it: nothing is left to be computed for a packet that is the same for
/// the next one.
@frozen
public struct Way: Sendable, BitwiseCopyable {
    // What a packet over IPv4 without VLAN tags needs lies in the first 64 bytes, and so in one cache line.

    /// The interface by which they go; -1 if the path is not ready.
    public let interface: Int32
    /// The longest UDP payload that fits them, in octets; below 0 if none does.
    public let maximumPayloadLength: Int32
    /// The headers that the packets go behind; without meaning if the path is not
    /// ``Destination/Path/ready(interface:_:maximumPacketSize:)``.
    public let headers: PreparedHeaders
    private let padding = InlineArray<5, UInt64>(repeating: 0)

    /// The way of that path.
    public init(_ path: Destination.Path) {
        guard case .ready(let interface, let headers, let maximum) = path else {
            let nowhere = IPv4Address(bits: 0)
            headers = PreparedHeaders(
                UDPEncapsulation(
                    nextHop: .zero, interface: .zero, source: nowhere, sourcePort: 0, destination: nowhere,
                    destinationPort: 0))
            (interface, maximumPayloadLength) = (-1, -1)
            return
        }
        self.headers = PreparedHeaders(headers)
        self.interface = Int32(interface)
        // No frame is longer than can be said so.
        maximumPayloadLength = Int32(clamping: maximum - headers.byteCount)
    }
}
