public import ApusPorts
public import ApusRTP
import ApusRings
public import ApusWire
public import ApusXDP

/// One worker of the forwarder between two ports in memory, whose rounds its caller counts out: what Benchmarks
/// measures. A ``Forwarder`` runs the same worker over interfaces, on a thread of its own.
@_spi(Benchmarks)
public struct SteppedForwarder: ~Copyable {
    private var stepped: Stepped<MemoryDriver>
    /// What it has counted.
    public let counters: RelayCounters

    /// A worker that forwards after a plan, in which the ports are the interfaces 0 and 1.
    ///
    /// - Parameters:
    ///   - interfaces: the link-layer addresses of the two.
    ///   - slots: more than the highest slot of a stream.
    public init(
        _ first: consuming Port<MemoryDriver>, _ second: consuming Port<MemoryDriver>,
        interfaces: [MACAddress], plan: ForwardingPlan, slots: Int
    ) {
        var one: Port<MemoryDriver>? = first
        var other: Port<MemoryDriver>? = second
        counters = RelayCounters(slots: slots)
        stepped = Stepped(
            FixedArray(count: 2) { $0 == 0 ? one.take()! : other.take()! }, interfaces, plan, slots, counters)
    }

    /// Goes on in rounds, in each of which it receives a burst from each port, forwards, and sends, until so many packets
    /// came or a round had none. Gives how many came.
    public mutating func forward(_ wanted: Int) -> Int { stepped.forward(wanted, idleLimit: 1, counters) }
}

/// The same over one AF_XDP port, by which packets come and leave.
///
/// A type of its own, since what is generic over the driver is fast only where it is compiled for one, in this module.
@_spi(Benchmarks)
public struct SteppedXDPForwarder: ~Copyable {
    private var stepped: Stepped<XDPDriver>
    /// What it has counted.
    public let counters: RelayCounters

    /// A worker that forwards after a plan, in which the port is the interface 0.
    ///
    /// - Parameters:
    ///   - interface: its link-layer address.
    ///   - slots: more than the highest slot of a stream.
    public init(_ port: consuming Port<XDPDriver>, interface: MACAddress, plan: ForwardingPlan, slots: Int) {
        var port: Port<XDPDriver>? = port
        counters = RelayCounters(slots: slots)
        stepped = Stepped(FixedArray(count: 1) { _ in port.take()! }, [interface], plan, slots, counters)
    }

    /// Goes on in rounds, in each of which it receives a burst, forwards, and sends until the kernel takes no more, until
    /// so many packets came or so many rounds in a row had none. Gives how many came.
    public mutating func forward(_ wanted: Int, idleLimit: Int) -> Int {
        stepped.forward(wanted, idleLimit: idleLimit, counters)
    }

    /// Packets that its port has taken and the kernel has not.
    public mutating func pending() -> Int { Int(stepped.worker.ports[0].statistics().pending) }

    /// Lets go of the thread that forwarded, before another one drops it (``Port/handOver()``).
    public mutating func handOver() { stepped.handOver() }
}

/// A worker that has its orders, over a port of each interface.
private struct Stepped<Driver: PortDriver & ~Copyable>: ~Copyable {
    var worker: ForwardWorker<Driver>
    private var orders: SPSCProducer<Orders>
    private var retired: SPSCConsumer<Orders>

    init(
        _ ports: consuming FixedArray<Port<Driver>>, _ interfaces: [MACAddress], _ plan: ForwardingPlan,
        _ slots: Int, _ counters: borrowing RelayCounters
    ) {
        let inbox = SPSCRing<Orders>(minimumCapacity: 2)
        let outbox = SPSCRing<Orders>(minimumCapacity: 2)
        let count = ports.count
        worker = ForwardWorker(
            ports: ports, interfaceOfPort: FixedArray(count: count) { $0 },
            portOfInterface: FixedArray(count: count) { $0 },
            outgoing: FixedArray(count: count) { _ in Burst() }, copiesBetweenPorts: false,
            relay: Relay(slots: slots), macAddresses: FixedArray(repeating: .zero, count: count),
            waiting: WaitingQueue(capacity: 8), inbox: inbox.consumer, outbox: outbox.producer,
            idle: IdlePolicy())
        orders = inbox.producer
        retired = outbox.consumer
        _ = orders.enqueue(Orders(plan, slots: slots, interfaces: interfaces))
        _ = worker.takeOrders(counters)
        // The empty table before, which the control thread of a forwarder would free.
        _ = retired.dequeue()
    }

    mutating func forward(_ wanted: Int, idleLimit: Int, _ counters: borrowing RelayCounters) -> Int {
        var (count, idle) = (0, 0)
        while count < wanted, idle < idleLimit {
            let received = worker.round(counters)
            idle = received > 0 ? 0 : idle &+ 1
            count &+= received
        }
        return count
    }

    mutating func handOver() {
        for port in worker.ports.indices { worker.ports[port].handOver() }
    }
}
