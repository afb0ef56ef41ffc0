import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Synchronization

/// One worker of the forwarder: the ports it polls, the engine, and what waits.
///
/// Generic over the driver, so that the loop below is compiled for each backend. Everything in it
/// belongs to one thread; the control thread speaks to it over two rings and reads the counters.
struct ForwardWorker<Driver: PortDriver & ~Copyable>: ~Copyable {
    /// The queues it serves, one after the other.
    var ports: FixedArray<Port<Driver>>
    /// By port: the number of its interface.
    let interfaceOfPort: FixedArray<Int>
    /// By interface: the port it sends by; -1 where this worker has none.
    let portOfInterface: FixedArray<Int>
    /// By port: packets on their way out.
    var outgoing: FixedArray<Burst>
    /// Whether the ports lie in more than one memory, so that packets may have to be copied.
    let copiesBetweenPorts: Bool

    var relay: Relay
    var macAddresses: FixedArray<MACAddress>
    var waiting: WaitingQueue
    var inbox: SPSCConsumer<Orders>
    var outbox: SPSCProducer<Orders>
    let idle: IdlePolicy
    /// How long a packet waits for its next hop, in nanoseconds: a little longer than the kernel tries to
    /// resolve one (three probes a second apart, RFC 4861 section 10), whose word is the better reason.
    var patience: UInt64 = 3_500_000_000

    /// What arrived last; kept here so that it is made once.
    var incoming = Burst()

    /// Whether it was told what to forward.
    var hasOrders = false

    /// Forwards until the board says to stop.
    mutating func run(_ board: WorkerBoard, _ figures: PortBoard) {
        loop(board.counters, figures.ports, board.stop)
        atomicMemoryFence(ordering: .acquiring)
        if board.rests.load(ordering: .relaxed) { drain(board.counters) } else { finish(board.counters) }
        report(to: figures.ports)
    }

    /// The loop, apart from the board, so that no reference to it is counted in here.
    private mutating func loop(
        _ counters: borrowing RelayCounters, _ figures: borrowing FixedArray<PortCounters>,
        _ stop: borrowing Atomic<Bool>
    ) {
        if !hasOrders { awaitOrders(counters, stop) }
        var idler = Idler(idle, watching: ports)
        var rounds: UInt32 = 0
        var nextReport: UInt64 = 0
        while !stop.load(ordering: .relaxed) {
            // Before packets are received: one that came after the orders were given is treated by them.
            _ = takeOrders(counters)
            let received = round(counters)
            rounds &+= 1
            if received == 0 || rounds & 63 == 0 {
                let now = Clock.monotonic
                attend(now, counters)
                if now >= nextReport {
                    report(to: figures)
                    nextReport = now &+ Self.reportInterval
                }
            }
            if received == 0 { idler.rest() } else { idler.wake() }
        }
    }

    /// One round over all ports: receive, forward, send. Gives the number of packets received.
    ///
    /// A function of its own in the binary, for `LawTests` to read.
    @inline(never)
    mutating func round(_ counters: borrowing RelayCounters) -> Int {
        var received = 0
        for port in ports.indices { received &+= poll(port, counters) }
        for port in ports.indices { send(by: port, counters) }
        return received
    }

    /// How often the figures of the ports are published, in nanoseconds: they cost system calls.
    private static var reportInterval: UInt64 { 250_000_000 }

    private mutating func report(to figures: borrowing FixedArray<PortCounters>) {
        for port in ports.indices { figures[port].publish(ports[port].statistics()) }
    }

    /// Receives one burst and sends it on. Gives the number of packets.
    private mutating func poll(_ port: Int, _ counters: borrowing RelayCounters) -> Int {
        let received = ports[port].receive(into: &incoming)
        if received == 0 { return 0 }
        let mac = macAddresses[interfaceOfPort[port]]
        let now = Clock.realtime
        while let packet = incoming.popFirst() {
            forward(packet, mac, now, counters)
        }
        return received
    }

    @inline(__always)
    private mutating func forward(
        _ packet: consuming Packet, _ mac: MACAddress, _ now: UInt64, _ counters: borrowing RelayCounters
    ) {
        let flags = packet.flags
        let arrival = Relay.Arrival(
            interface: mac, isChecksumVerified: flags.contains(.checksumVerified),
            isChecksumPartial: flags.contains(.checksumPartial),
            time: packet.timestamp != 0 ? packet.timestamp : now)
        let accepted =
            packet.isSegmented
            ? relay.accept(
                firstSegment: packet.bytes, byteCount: packet.totalCount, arrival, counters: counters)
            : relay.accept(packet.bytes, arrival, counters: counters)
        guard let accepted else { return }
        // Copies for all destinations but the first, which gets the packet itself.
        let count = relay.table.destinationCount(ofSlot: accepted.slot)
        counters.copies.add(UInt64(truncatingIfNeeded: count))
        var number = count &- 1
        while number > 0 {
            let destination = relay.table.destination(number, ofSlot: accepted.slot)
            if let reason = obstacle(to: destination, accepted) {
                lose(reason, accepted, counters)
            } else if !hasRoom(for: destination, counters) {
                lose(.transmitRingFull, accepted, counters)
            } else if let copy = copy(packet, for: destination) {
                dispatch(copy, accepted, to: destination, counters)
            } else {
                lose(.poolEmpty, accepted, counters)
            }
            number &-= 1
        }
        guard number == 0 else { return }
        let destination = relay.table.destination(0, ofSlot: accepted.slot)
        if let reason = obstacle(to: destination, accepted) { return lose(reason, accepted, counters) }
        dispatch(packet, accepted, to: destination, counters)
    }

    /// Why a packet can go neither to a destination nor into the queue for it; asked before it is copied.
    @inline(__always)
    func obstacle(to destination: Destination, _ accepted: Relay.Accepted) -> RelayDrop? {
        switch destination.path {
        case .ready(let interface, let headers, let maximum):
            if headers.byteCount &+ accepted.headers.payloadLength > maximum { return .tooLong }
            return portOfInterface[Int(interface)] >= 0 ? nil : .unreachable
        case .unresolved(let neighbor): return waiting.hasRoom(for: neighbor) ? nil : .waitingQueueFull
        case .unreachable: return .unreachable
        }
    }

    /// Whether a port takes one more, after it has sent what it can if there is no room; asked before a packet is copied.
    @inline(__always)
    private mutating func hasRoom(on port: Int, _ counters: borrowing RelayCounters) -> Bool {
        if outgoing[port].room > 0 { return true }
        send(by: port, counters)
        return outgoing[port].room > 0
    }

    @inline(__always)
    private mutating func hasRoom(for destination: Destination, _ counters: borrowing RelayCounters) -> Bool {
        // There is no obstacle, so there is a port.
        guard case .ready(let interface, _, _) = destination.path else { return true }
        return hasRoom(on: portOfInterface[Int(interface)], counters)
    }

    /// A copy in the pool of the port it leaves by, so that it isn't copied again.
    private mutating func copy(_ packet: borrowing Packet, for destination: Destination) -> Packet? {
        var port = 0
        if case .ready(let interface, _, _) = destination.path {
            port = max(0, portOfInterface[Int(interface)])
        }
        return ports[port].copy(of: packet)
    }

    func lose(_ reason: RelayDrop, _ accepted: Relay.Accepted, _ counters: borrowing RelayCounters) {
        counters.count(reason)
        counters.streams[accepted.slot].dropped.add()
    }

    /// Sends a packet on its way to one destination to which there is no ``obstacle(to:_:)``, or lets it wait.
    mutating func dispatch(
        _ packet: consuming Packet, _ accepted: Relay.Accepted, to destination: Destination,
        _ counters: borrowing RelayCounters
    ) {
        switch destination.path {
        case .ready(let interface, let headers, _):
            var packet = packet
            let port = portOfInterface[Int(interface)]
            guard packet.readdress(accepted, behind: headers) else {
                return lose(.tooLong, accepted, counters)
            }
            guard hasRoom(on: port, counters) else { return lose(.transmitRingFull, accepted, counters) }
            counters.streams[accepted.slot].sent.add()
            counters.sent.add()
            counters.sentBytes.add(UInt64(truncatingIfNeeded: packet.totalCount))
            outgoing[port].append(packet)
        case .unresolved(let neighbor):
            waiting.append(
                WaitingQueue.Entry(
                    packet: packet, accepted: accepted,
                    generation: relay.table.generation(ofSlot: accepted.slot),
                    destination: destination.endpoint, neighbor: neighbor,
                    deadline: Clock.monotonic &+ patience))
            counters.waiting.set(UInt64(waiting.count))
        case .unreachable:
            lose(.unreachable, accepted, counters)
        }
    }

    mutating func send(by port: Int, _ counters: borrowing RelayCounters) {
        if !outgoing[port].isEmpty {
            if copiesBetweenPorts {
                _ = ports[port].transmitCopying(&outgoing[port])
            } else {
                ports[port].transmit(&outgoing[port])
            }
        }
        ports[port].flush()
    }
}
