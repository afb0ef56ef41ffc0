import ApusRings
public import ApusWire

/// The forwarding engine of one worker, without any I/O: it takes the bytes of a frame and a time,
/// and says which stream the packet belongs to and behind which headers it goes on.
///
/// It parses, refuses what must not go on, finds the stream, and keeps its statistics. What it
/// needs to know comes in one ``ForwardingTable``, which can be replaced between two packets.
@safe
public struct Relay: ~Copyable, Sendable {
    /// What is forwarded where.
    public private(set) var table: ForwardingTable
    private var receptions: StreamReceptions

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

    /// Looks at a frame: `nil` when it is dropped, which is counted then.
    ///
    /// Reads the whole packet once when its checksum has to be verified, else the headers only.
    public mutating func accept(
        _ frame: RawSpan, _ arrival: Arrival, counters: borrowing RelayCounters
    ) -> Accepted? {
        counters.received.add()
        counters.receivedBytes.add(UInt64(truncatingIfNeeded: frame.byteCount))
        guard Self.isFor(arrival.interface, frame, counters) else { return nil }
        let headers: FlowHeaders
        do throws(ParseFailure) {
            headers = try FlowHeaders(checking: frame)
            try headers.checkAddresses()
        } catch {
            counters.count(error)
            return nil
        }
        // Now, as what it needs is at hand.
        let rest = headers.checksumRest
        guard Self.isMeant(headers, frame, counters), let slot = stream(for: headers, counters),
            let hopLimit = hopLimit(headers, slot, counters),
            // The one check that reads the payload comes last.
            let checksum = Self.checksum(headers, frame, arrival, counters)
        else { return nil }
        let accepted = Accepted(
            slot: slot, headers: headers, rest: rest, checksum: checksum, hopLimit: hopLimit)
        note(headers, frame, slot, arrival.time, counters)
        if checksum == .left { counters.completedChecksums.add() }
        return accepted
    }

    /// Looks at a frame of `byteCount` bytes that goes on in further segments behind the first: `nil` when
    /// it is dropped, which is counted then.
    ///
    /// The headers have to be in the first segment whole. A UDP checksum that no device has verified is not
    /// verified here either, which is counted: corrected for the new headers it goes on, and so does any
    /// damage to the payload, for the receiver to see. One that the sender has left to its device, which the
    /// field itself shows, has to be computed over all segments: it is ``Checksum/left``.
    public mutating func accept(
        firstSegment: RawSpan, byteCount: Int, _ arrival: Arrival, counters: borrowing RelayCounters
    ) -> Accepted? {
        counters.received.add()
        counters.receivedBytes.add(UInt64(truncatingIfNeeded: byteCount))
        guard Self.isFor(arrival.interface, firstSegment, counters) else { return nil }
        let headers: FlowHeaders
        do throws(ParseFailure) {
            headers = try FlowHeaders(checkingFirstSegment: firstSegment, byteCount: byteCount)
            try headers.checkAddresses()
            if headers.isIPv6, headers.udpChecksum == 0, !arrival.isChecksumPartial {
                throw .missingUDPChecksum
            }
        } catch {
            counters.count(error)
            return nil
        }
        guard Self.isMeant(headers, firstSegment, counters), let slot = stream(for: headers, counters),
            let hopLimit = hopLimit(headers, slot, counters)
        else { return nil }
        note(headers, firstSegment, slot, arrival.time, counters)
        // Of AF_XDP no flag says so, but the field does: carried over it would be wrong for ever.
        let isPartial =
            arrival.isChecksumPartial
            || !arrival.isChecksumVerified && headers.udpChecksum != 0
                && headers.udpChecksum == headers.pseudoHeader.folded
        if isPartial {
            counters.completedChecksums.add()
        } else if !arrival.isChecksumVerified, headers.udpChecksum != 0 {
            counters.unverifiedChecksums.add()
        }
        let checksum: Checksum = isPartial ? .left : headers.udpChecksum == 0 ? .absent : .carried
        return Accepted(
            slot: slot, headers: headers, rest: headers.checksumRest, checksum: checksum, hopLimit: hopLimit)
    }
}

// The steps of accept, each of which counts what it drops.
extension Relay {
    /// Whether the frame's destination is the interface, or a group.
    @inline(__always)
    private static func isFor(
        _ interface: MACAddress, _ frame: RawSpan, _ counters: borrowing RelayCounters
    ) -> Bool {
        guard let destination = EthernetView.destination(of: frame) else {
            counters.count(ParseFailure.truncatedEthernet)
            return false
        }
        if destination == interface || destination.isGroup { return true }
        counters.count(RelayDrop.otherHost)
        return false
    }

    /// Whether a frame to a group of interfaces holds a packet to a group of hosts: what was broadcast to a
    /// link but meant for one host goes no further (RFC 1812 section 5.3.4, RFC 1122 section 3.3.6). Each relay
    /// on the link would send a copy of it.
    @inline(__always)
    private static func isMeant(
        _ headers: FlowHeaders, _ frame: RawSpan, _ counters: borrowing RelayCounters
    ) -> Bool {
        guard let destination = EthernetView.destination(of: frame), destination.isGroup,
            !headers.destinationAddress.isMulticast
        else { return true }
        counters.count(RelayDrop.otherHost)
        return false
    }

    @inline(__always)
    private mutating func stream(for headers: FlowHeaders, _ counters: borrowing RelayCounters) -> Int? {
        if table.isOwnSource(headers) {
            counters.count(RelayDrop.ownAddress)
            return nil
        }
        let slot = table.slot(of: headers)
        if slot >= 0 { return slot }
        counters.count(RelayDrop.noStream)
        return nil
    }

    @inline(__always)
    private func hopLimit(
        _ headers: FlowHeaders, _ slot: Int, _ counters: borrowing RelayCounters
    ) -> UInt8? {
        let fixed = table.streams[slot].hopLimit
        if fixed != 0 { return fixed }
        if headers.hopLimit > 1 { return headers.hopLimit &- 1 }
        counters.count(RelayDrop.hopLimitExceeded)
        return nil
    }

    @inline(__always)
    private static func checksum(
        _ headers: FlowHeaders, _ frame: RawSpan, _ arrival: Arrival, _ counters: borrowing RelayCounters
    ) -> Checksum? {
        if arrival.isChecksumPartial { return .left }
        // What a device says of a checksum that is not there doesn't count.
        if arrival.isChecksumVerified && headers.udpChecksum != 0 { return .carried }
        switch headers.udpChecksumState(in: frame) {
        case .valid: return .carried
        case .absent: return .absent
        case .partial: return .left
        case .wrong:
            counters.count(headers.udpChecksum == 0 ? ParseFailure.missingUDPChecksum : .badUDPChecksum)
            return nil
        }
    }

    /// Counts an accepted packet, of which `bytes` are the first or all.
    @inline(__always)
    private mutating func note(
        _ headers: FlowHeaders, _ bytes: RawSpan, _ slot: Int, _ time: UInt64,
        _ counters: borrowing RelayCounters
    ) {
        counters.accepted.add()
        counters.streams[slot].count(payloadBytes: headers.payloadLength, at: time)
        guard table.streams[slot].isRTP else { return }
        let end = min(headers.payloadOffset &+ headers.payloadLength, bytes.byteCount)
        measure(bytes.extracting(headers.payloadOffset..<end), slot, time, counters)
    }

    /// Takes an RTP packet into the statistics. Apart, as nothing of what was found in the headers is needed here.
    @inline(never)
    private mutating func measure(
        _ payload: RawSpan, _ slot: Int, _ time: UInt64, _ counters: borrowing RelayCounters
    ) {
        if RTPView.isRTCP(payload) { return counters.streams[slot].rtcp.add() }
        guard let packet = try? RTPHeader(checking: payload) else {
            return counters.streams[slot].notRTP.add()
        }
        receptions.note(packet, at: time, slot: slot, counters.streams[slot])
    }
}
