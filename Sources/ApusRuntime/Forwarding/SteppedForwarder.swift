public import ApusPorts
public import ApusRTP
import ApusRings
public import ApusWire

/// One worker of the forwarder between two ports in memory, whose rounds its caller counts out: what Benchmarks
/// measures. A ``Forwarder`` runs the same worker over interfaces, on a thread of its own.
@_spi(Benchmarks)
public struct SteppedForwarder: ~Copyable {
    private var worker: ForwardWorker<MemoryDriver>
    private var orders: SPSCProducer<Orders>
    private var retired: SPSCConsumer<Orders>
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
        let inbox = SPSCRing<Orders>(minimumCapacity: 2)
        let outbox = SPSCRing<Orders>(minimumCapacity: 2)
        var one: Port<MemoryDriver>? = first
        var other: Port<MemoryDriver>? = second
        worker = ForwardWorker(
            ports: FixedArray(count: 2) { $0 == 0 ? one.take()! : other.take()! },
            interfaceOfPort: FixedArray(count: 2) { $0 }, portOfInterface: FixedArray(count: 2) { $0 },
            outgoing: FixedArray(count: 2) { _ in Burst() }, copiesBetweenPorts: false,
            relay: Relay(slots: slots), macAddresses: FixedArray(repeating: .zero, count: 2),
            waiting: WaitingQueue(capacity: 8), inbox: inbox.consumer, outbox: outbox.producer,
            idle: IdlePolicy())
        orders = inbox.producer
        retired = outbox.consumer
        counters = RelayCounters(slots: slots)
        _ = orders.enqueue(Orders(plan, slots: slots, interfaces: interfaces))
        _ = worker.takeOrders(counters)
        // The empty table before, which the control thread of a forwarder would free.
        _ = retired.dequeue()
    }

    /// Receives a burst from each port, forwards, and sends. Gives the number of packets received.
    public mutating func round() -> Int { worker.round(counters) }
}
