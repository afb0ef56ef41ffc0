import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// The way out of a packet that the relay has accepted.
extension ForwardWorker where Driver: ~Copyable {
    /// Sends copies on all ways but the first.
    @inline(never)
    mutating func sendCopies(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on ways: Range<Int>,
        _ counters: borrowing RelayCounters
    ) {
        var way = ways.upperBound &- 1
        while way > ways.lowerBound {
            sendCopy(of: packet, accepted, on: way, counters)
            way &-= 1
        }
    }

    /// Sends a packet on a way, lets it wait for its next hop, or drops it.
    @inline(__always)
    mutating func send(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) {
        let port = port(for: accepted, on: way)
        if port >= 0 {
            dispatch(packet, accepted, on: way, by: port, counters)
        } else if let reason = obstacle(to: accepted, on: way) {
            lose(reason, accepted, counters)
        } else {
            enqueue(packet, accepted, on: way, counters)
        }
    }

    /// The same of a copy in the pool of the port it leaves by, so that it isn't copied again. Nothing is copied to be
    /// dropped.
    @inline(__always)
    private mutating func sendCopy(
        of packet: borrowing Packet, _ accepted: Relay.Accepted, on way: Int,
        _ counters: borrowing RelayCounters
    ) {
        let port = port(for: accepted, on: way)
        if port >= 0 {
            guard hasRoom(in: port, counters) else { return lose(.transmitRingFull, accepted, counters) }
        } else if let reason = obstacle(to: accepted, on: way) {
            return lose(reason, accepted, counters)
        }
        guard let copy = ports[max(port, 0)].copy(of: packet) else {
            return lose(.poolEmpty, accepted, counters)
        }
        if port >= 0 {
            dispatch(copy, accepted, on: way, by: port, counters)
        } else {
            enqueue(copy, accepted, on: way, counters)
        }
    }

    /// The port by which a packet leaves on a way; below 0 if it can't now, or at all: see ``obstacle(to:on:)``.
    @inline(__always)
    private func port(for accepted: Relay.Accepted, on way: Int) -> Int {
        // Of a way that is not ready this is below 0.
        if Int32(truncatingIfNeeded: accepted.payloadLength) > relay.table.ways[way].maximumPayloadLength {
            return -1
        }
        return portOfInterface[Int(relay.table.ways[way].interface)]
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

    /// Puts a packet behind its new headers and into the burst of the port it leaves by.
    private mutating func dispatch(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int, by port: Int,
        _ counters: borrowing RelayCounters
    ) {
        if packet.isSegmented || accepted.checksum != .carried {
            return dispatchSlowly(packet, accepted, on: way, by: port, counters)
        }
        var packet = packet
        guard packet.readdress(accepted, on: way, of: relay.table.ways) else {
            return lose(.tooLong, accepted, counters)
        }
        put(packet, accepted, into: port, counters)
    }

    /// Apart, so that the packet stays in registers on the way that most take.
    @inline(never)
    private mutating func dispatchSlowly(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, on way: Int, by port: Int,
        _ counters: borrowing RelayCounters
    ) {
        var packet = packet
        guard packet.readdressSlowly(accepted, on: way, of: relay.table.ways) else {
            return lose(.tooLong, accepted, counters)
        }
        put(packet, accepted, into: port, counters)
    }

    @inline(__always)
    private mutating func put(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, into port: Int,
        _ counters: borrowing RelayCounters
    ) {
        guard hasRoom(in: port, counters) else { return lose(.transmitRingFull, accepted, counters) }
        counters.streams[accepted.slot].sent.add()
        counters.sent.add()
        counters.sentBytes.add(UInt64(truncatingIfNeeded: packet.totalCount))
        outgoing[port].append(packet)
    }

    /// Whether a port takes one more, after it has sent what it can if there was no room.
    @inline(__always)
    private mutating func hasRoom(in port: Int, _ counters: borrowing RelayCounters) -> Bool {
        outgoing[port].room > 0 || makeRoom(in: port, counters)
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
