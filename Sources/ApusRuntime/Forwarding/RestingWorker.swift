import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// A worker between two runs, whose ports may change: all that it goes on with, whatever its driver.
struct RestingWorker: ~Copyable {
    /// A port, and what was on its way out by it.
    struct Seat: ~Copyable {
        /// `nil` when it was taken out.
        private(set) var port: BackendPort?
        /// The number of its interface.
        let interface: Int
        /// What it was granted.
        let grant: PortGrant
        /// Whether its worker shares the queues of the interface with others.
        let isShared: Bool
        var outgoing = Burst()

        init(_ port: consuming BackendPort, interface: Int) {
            (grant, isShared) = (port.grant, port.isShared)
            self.port = consume port
            self.interface = interface
        }

        private init() {
            port = nil
            isShared = false
            interface = -1
            grant = PortGrant(backend: .memory, interface: "", queue: 0, features: [])
        }

        /// Takes all of it out of an array.
        mutating func take() -> Seat {
            var taken = Seat()
            swap(&taken, &self)
            return taken
        }

        /// The last figures of the port, see ``BackendPort/finish()``.
        mutating func finish() -> PortStatistics { port!.finish() }

        /// Takes the port out; once only.
        mutating func takePort() -> BackendPort { port.take()! }
    }

    var seats: FixedArray<Seat>
    /// How many interfaces there are.
    let interfaces: Int
    var relay: Relay
    var macAddresses: FixedArray<MACAddress>
    var waiting: WaitingQueue
    var inbox: SPSCConsumer<Orders>
    var outbox: SPSCProducer<Orders>
    let idle: IdlePolicy
    var hasOrders = false

    /// Takes out the ports of an interface.
    mutating func remove(_ interface: Int) -> FixedArray<Seat> {
        let going = seats.indices.filter { seats[$0].interface == interface }
        let staying = seats.indices.filter { seats[$0].interface != interface }
        let removed = FixedArray(count: going.count) { seats[going[$0]].take() }
        let rest = FixedArray(count: staying.count) { seats[staying[$0]].take() }
        seats = rest
        return removed
    }

    /// Adds ports behind those there are.
    mutating func add(_ new: consuming FixedArray<Seat>) {
        var new = new
        let count = seats.count
        let all = FixedArray(count: count + new.count) { position in
            position < count ? seats[position].take() : new[position - count].take()
        }
        seats = all
    }

    /// Closes its ports, and publishes what they say last.
    consuming func close(_ figures: PortBoard) {
        var seats = seats
        // All of them before the first is closed, from when on the XDP program has no socket to take packets to.
        for port in seats.indices { figures.ports[port].publish(seats[port].finish()) }
    }

    /// Whether it has a port over a backend.
    func has(_ backend: Backend) -> Bool {
        seats.indices.contains { seats[$0].grant.backend == backend }
    }

    /// Whether it shares queues with other workers.
    func sharesQueues() -> Bool { seats.indices.contains { seats[$0].isShared } }
}

extension ForwardWorker where Driver: WorkerDriver & ~Copyable {
    /// Goes on where a worker has rested, with the ports that it has now.
    init(_ resting: consuming RestingWorker, copiesBetweenPorts: Bool) {
        let count = resting.seats.count
        var interfaceOfPort: [Int] = []
        for port in 0..<count { interfaceOfPort.append(resting.seats[port].interface) }
        var portOfInterface = [Int](repeating: -1, count: resting.interfaces)
        for (port, interface) in interfaceOfPort.enumerated().reversed() { portOfInterface[interface] = port }
        var outgoing = FixedArray(count: count) { _ in Burst() }
        let ports = resting.seats.map { (position, seat: consuming RestingWorker.Seat) in
            swap(&outgoing[position], &seat.outgoing)
            return Driver.port(seat.takePort())
        }
        self.init(
            ports: ports, interfaceOfPort: FixedArray(count: count) { interfaceOfPort[$0] },
            portOfInterface: FixedArray(count: portOfInterface.count) { portOfInterface[$0] },
            outgoing: outgoing, copiesBetweenPorts: copiesBetweenPorts, relay: resting.relay,
            macAddresses: resting.macAddresses, waiting: resting.waiting, inbox: resting.inbox,
            outbox: resting.outbox, idle: resting.idle, hasOrders: resting.hasOrders)
    }

    /// Comes to rest. For the thread that ran it, which lets go of the ports.
    consuming func rest() -> RestingWorker {
        for port in ports.indices { ports[port].handOver() }
        var outgoing = outgoing
        let interfaces = interfaceOfPort
        let seats = ports.map { (position, port: consuming Port<Driver>) in
            var seat = RestingWorker.Seat(Driver.backendPort(port), interface: interfaces[position])
            swap(&outgoing[position], &seat.outgoing)
            return seat
        }
        return RestingWorker(
            seats: seats, interfaces: portOfInterface.count, relay: relay, macAddresses: macAddresses,
            waiting: waiting, inbox: inbox, outbox: outbox, idle: idle, hasOrders: hasOrders)
    }
}
