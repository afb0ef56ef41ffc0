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
    /// What is known of each packet of it.
    var seen = FixedArray(repeating: Relay.Seen(), count: Burst.capacity)

    /// Whether it was told what to forward.
    var hasOrders = false

    /// Forwards until the board says to stop.
    mutating func run(_ board: WorkerBoard, _ figures: PortBoard) {
        loop(board.counters, figures.ports, board.beat, board.stop)
        atomicMemoryFence(ordering: .acquiring)
        if board.rests.load(ordering: .relaxed) {
            drain(board.leaving.load(ordering: .relaxed), board.counters)
        } else {
            finish(board.counters)
        }
        report(to: figures.ports)
        // Frames of pools that outlast this thread come home.
        for port in ports.indices { ports[port].handOver() }
    }

    /// The loop, apart from the board, so that no reference to it is counted in here.
    private mutating func loop(
        _ counters: borrowing RelayCounters, _ figures: borrowing FixedArray<PortCounters>,
        _ beat: borrowing Counter, _ stop: borrowing Atomic<Bool>
    ) {
        if !hasOrders { awaitOrders(counters, stop) }
        var idler = Idler(idle, watching: ports)
        var rounds: UInt32 = 0
        var nextReport: UInt64 = 0
        while !stop.load(ordering: .relaxed) {
            // Before packets are received: one that came after the orders were given is treated by them.
            // They may be about a larger MTU, which a port reads with its figures.
            if takeOrders(counters) { report(to: figures) }
            let received = round(counters)
            rounds &+= 1
            if received == 0 || rounds & 63 == 0 {
                let now = Clock.monotonic
                beat.set(now)
                attend(now, counters)
                if now >= nextReport {
                    report(to: figures)
                    nextReport = now &+ Self.reportInterval
                }
            }
            if received == 0 { idler.rest(&ports) } else { idler.wake() }
        }
    }

    /// One round over all ports: receive, forward, send. Gives the number of packets received.
    ///
    /// A function of its own in the binary, for `LawTests` to read.
    @inline(never)
    mutating func round(_ counters: borrowing RelayCounters) -> Int {
        var received = 0
        for port in ports.indices {
            let count = ports[port].receive(into: &incoming)
            if count == 0 { continue }
            forwardIncoming(from: port, counters)
            received &+= count
        }
        for port in ports.indices { send(by: port, counters) }
        return received
    }

    /// How often the figures of the ports are published, in nanoseconds: they cost system calls.
    private static var reportInterval: UInt64 { 250_000_000 }

    private mutating func report(to figures: borrowing FixedArray<PortCounters>) {
        for port in ports.indices { figures[port].publish(ports[port].statistics()) }
    }

    /// Sends on what was received. Apart, so that an idle round is a look at each port.
    @inline(never)
    mutating func forwardIncoming(from port: Int, _ counters: borrowing RelayCounters) {
        let count = incoming.count
        counters.received.add(UInt64(truncatingIfNeeded: count))
        counters.receivedBytes.add(look(count, macAddresses[interfaceOfPort[port]], counters))
        relay.settle(&seen, count: count, counters: counters)
        var (position, copies) = (0, 0)
        var sent = Sent()
        while let packet = incoming.popFirst() {
            let number = position
            position &+= 1
            if _slowPath(seen[number].isRefused) { continue }
            let (accepted, ways) = (seen[number].accepted, seen[number].ways)
            copies &+= ways.count
            // Copies for all destinations but the first, which gets the packet itself.
            if ways.count > 1 { sendCopies(of: packet, accepted, on: ways, counters) }
            if ways.isEmpty { continue }
            let one = send(packet, accepted, on: ways.lowerBound, counters)
            counters.streams[accepted.slot].sent.add(one.packets)
            sent.add(one)
        }
        counters.copies.add(UInt64(truncatingIfNeeded: copies))
        sent.count(in: counters)
    }

    /// Looks at all packets that came in; gives the bytes in them.
    @inline(__always)
    private mutating func look(_ count: Int, _ mac: MACAddress, _ counters: borrowing RelayCounters) -> UInt64
    {
        let now = Clock.realtime
        var bytes = 0
        var position = 0
        while position < count {
            bytes &+= relay.look(at: &incoming[position], mac, now, &seen[position], counters)
            position &+= 1
        }
        return UInt64(truncatingIfNeeded: bytes)
    }

    @inline(__always)
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
