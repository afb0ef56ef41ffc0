import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// Packets handed to a port, to be counted together.
struct Sent {
    var packets: UInt64 = 0
    var bytes: UInt64 = 0

    @inline(__always)
    init() {}

    /// One packet of that many bytes.
    @inline(__always)
    init(byteCount: Int) { (packets, bytes) = (1, UInt64(truncatingIfNeeded: byteCount)) }

    @inline(__always)
    mutating func add(_ other: Sent) {
        packets &+= other.packets
        bytes &+= other.bytes
    }

    @inline(__always)
    func count(in counters: borrowing RelayCounters) {
        counters.sent.add(packets)
        counters.sentBytes.add(bytes)
    }
}

/// The way out of a packet that the relay has accepted.
///
/// What gives ``Sent`` leaves it to the caller to count it.
extension ForwardWorker where Driver: ~Copyable {
    /// Sends copies on all ways but the first, and counts them.
    @inline(never)
    mutating func sendCopies(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on ways: Range<Int>,
        _ counters: borrowing RelayCounters
    ) {
        var sent = Sent()
        var way = ways.upperBound &- 1
        while way > ways.lowerBound {
            sent.add(sendCopy(of: packet, accepted, on: way, counters))
            way &-= 1
        }
        counters.streams[accepted.slot].sent.add(sent.packets)
        sent.count(in: counters)
    }

    /// Sends a packet on a way, lets it wait for its next hop, or drops it.
    @inline(__always)
    mutating func send(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) -> Sent {
        let port = port(for: accepted, on: way)
        if _slowPath(port < 0 || packet.isSegmented || accepted.checksum != .carried) {
            return sendSlowly(packet, accepted, on: way, counters)
        }
        var packet = packet
        guard packet.readdress(accepted, on: way, of: relay.table.ways) else {
            lose(.tooLong, accepted, counters)
            return Sent()
        }
        guard hasRoom(in: port, counters) else {
            lose(.transmitRingFull, accepted, counters)
            return Sent()
        }
        return put(packet, into: port)
    }

    /// The same of a copy in the pool of the port it leaves by, so that it isn't copied again. Nothing is copied to be
    /// dropped.
    @inline(__always)
    private mutating func sendCopy(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) -> Sent {
        let port = port(for: accepted, on: way)
        if _slowPath(port < 0 || packet.isSegmented || accepted.checksum != .carried) {
            return sendCopySlowly(of: packet, accepted, on: way, counters)
        }
        guard hasRoom(in: port, counters) else {
            lose(.transmitRingFull, accepted, counters)
            return Sent()
        }
        guard var copy = ports[port].makePacket() else {
            lose(.poolEmpty, accepted, counters)
            return Sent()
        }
        guard copy.readdressCopy(of: packet, accepted, on: way, of: relay.table.ways) else {
            lose(.tooLong, accepted, counters)
            return Sent()
        }
        return put(copy, into: port)
    }

    /// The port by which a packet leaves on a way; below 0 if it can't now, or at all: see ``obstacle(to:on:)``.
    @inline(__always)
    private func port(for accepted: Relay.Accepted, on way: Int) -> Int {
        // Of a way that is not ready this is below 0.
        if _slowPath(
            Int32(truncatingIfNeeded: accepted.payloadLength) > relay.table.ways[way].maximumPayloadLength)
        {
            return -1
        }
        return portOfInterface[Int(relay.table.ways[way].interface)]
    }

    /// Sends a packet that is not as most are, or has no port on its way.
    @inline(never)
    private mutating func sendSlowly(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) -> Sent {
        let port = port(for: accepted, on: way)
        if port >= 0 {
            var packet = packet
            if !packet.readdressSlowly(accepted, on: way, of: relay.table.ways) {
                lose(.tooLong, accepted, counters)
            } else if !hasRoom(in: port, counters) {
                lose(.transmitRingFull, accepted, counters)
            } else {
                let byteCount = packet.totalCount
                outgoing[port].append(packet)
                return Sent(byteCount: byteCount)
            }
        } else if let reason = obstacle(to: accepted, on: way) {
            lose(reason, accepted, counters)
        } else {
            enqueue(packet, accepted, on: way, counters)
        }
        return Sent()
    }

    /// The same of a copy. Nothing is copied to be dropped.
    @inline(never)
    private mutating func sendCopySlowly(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) -> Sent {
        let port = port(for: accepted, on: way)
        if port >= 0 {
            guard hasRoom(in: port, counters) else {
                lose(.transmitRingFull, accepted, counters)
                return Sent()
            }
        } else if let reason = obstacle(to: accepted, on: way) {
            lose(reason, accepted, counters)
            return Sent()
        }
        guard let copy = ports[max(port, 0)].copy(of: packet) else {
            lose(.poolEmpty, accepted, counters)
            return Sent()
        }
        return sendSlowly(copy, accepted, on: way, counters)
    }

    /// Why a packet that has no port on a way goes not into the queue for it either.
    @inline(never)
    private func obstacle(to accepted: Relay.Accepted, on way: Int) -> RelayDrop? {
        switch relay.table.destinations[way].path {
        case .ready:
            accepted.payloadLength > relay.table.ways[way].maximumPayloadLength ? .tooLong : .unreachable
        case .unresolved(let neighbor): waiting.hasRoom(for: neighbor) ? nil : .waitingQueueFull
        case .unreachable: .unreachable
        }
    }

    @inline(never)
    func lose(_ reason: RelayDrop, _ accepted: Relay.Accepted, _ counters: borrowing RelayCounters) {
        counters.count(reason)
        counters.streams[accepted.slot].dropped.add()
    }

    /// Puts a packet in one segment into the burst of a port that has room for it.
    @inline(__always)
    private mutating func put(_ packet: consuming Packet, into port: Int) -> Sent {
        let sent = Sent(byteCount: packet.count)
        outgoing[port].append(packet)
        return sent
    }

    /// Whether a port takes one more, after it has sent what it can if there was no room.
    @inline(__always)
    private mutating func hasRoom(in port: Int, _ counters: borrowing RelayCounters) -> Bool {
        _fastPath(outgoing[port].room > 0) || makeRoom(in: port, counters)
    }

    @inline(never)
    private mutating func makeRoom(in port: Int, _ counters: borrowing RelayCounters) -> Bool {
        send(by: port, counters)
        return outgoing[port].room > 0
    }

    /// Lets a packet wait for the next hop of a way on which there is no ``obstacle(to:on:)``.
    @inline(never)
    private mutating func enqueue(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) {
        let destination = relay.table.destinations[way]
        guard case .unresolved(let neighbor) = destination.path else {
            return lose(.unreachable, accepted, counters)
        }
        waiting.append(
            WaitingQueue.Entry(
                packet: packet, accepted: accepted, generation: relay.table.generation(ofSlot: accepted.slot),
                destination: destination.endpoint, neighbor: neighbor,
                deadline: Clock.monotonic &+ patience))
        counters.waiting.set(UInt64(waiting.count))
    }
}
