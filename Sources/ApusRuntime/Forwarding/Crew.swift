import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Synchronization

/// The workers of a forwarder, whatever their driver: what the control thread keeps of them.
struct Crew: ~Copyable {
    /// One worker, as the control thread sees it.
    struct Member: ~Copyable {
        let board: WorkerBoard
        let thread: WorkerThread
        let grants: [PortGrant]
        var orders: SPSCProducer<Orders>
        var retired: SPSCConsumer<Orders>
        /// Orders that did not fit into the ring; the newest only, since it has all that the older had.
        var late: Orders?
    }

    var members: FixedArray<Member>

    /// Starts one worker on each set of ports.
    ///
    /// - Parameters:
    ///   - cpus: the cores to pin them to, one after the other; `nil` leaves that to the scheduler.
    ///   - choices: by interface, what was granted beside what its driver says.
    ///   - ports: makes the ports of a worker, with the number of its interface for each.
    init<Driver: PortDriver & ~Copyable, Failure: Error>(
        workers: Int, interfaces: Int, slots: Int, waiting: Int, idle: IdlePolicy, cpus: [Int]?,
        copiesBetweenPorts: Bool, choices: [[PortGrant.Feature]],
        ports make: (_ worker: Int) throws(Failure) -> WorkerPorts<Driver>
    ) throws(Failure) {
        members = try FixedArray(count: workers) { (number) throws(Failure) in
            let ports = try make(number)
            return Member(
                ports, number: number, interfaces: interfaces, slots: slots, waiting: waiting, idle: idle,
                cpu: cpus.map { $0[number % $0.count] }, copiesBetweenPorts: copiesBetweenPorts,
                choices: choices)
        }
    }

    /// Sends every worker its own table of a plan.
    mutating func order(_ plan: ForwardingPlan, slots: Int, interfaces: [MACAddress]) {
        for number in members.indices {
            members[number].late = Orders(plan, slots: slots, interfaces: interfaces)
        }
        attend()
    }

    /// Sends what is late, and frees what the workers gave back.
    mutating func attend() {
        for number in members.indices {
            while let retired = members[number].retired.dequeue() { _ = consume retired }
            guard let late = members[number].late.take() else { continue }
            members[number].late = members[number].orders.enqueue(late)
        }
    }

    /// Ends all workers and waits for them.
    mutating func stop() {
        for number in members.indices { members[number].board.stop.store(true, ordering: .relaxed) }
        for number in members.indices { members[number].thread.join() }
    }
}

/// The ports of one worker, and what belongs to them.
struct WorkerPorts<Driver: PortDriver & ~Copyable>: ~Copyable {
    var ports: FixedArray<Port<Driver>>
    /// By port: the number of its interface.
    var interfaceOfPort: [Int]
}

extension Crew.Member {
    init<Driver: PortDriver & ~Copyable>(
        _ workerPorts: consuming WorkerPorts<Driver>, number: Int, interfaces: Int, slots: Int, waiting: Int,
        idle: IdlePolicy, cpu: Int?, copiesBetweenPorts: Bool, choices: [[PortGrant.Feature]]
    ) {
        let inbox = SPSCRing<Orders>(minimumCapacity: 4)
        let outbox = SPSCRing<Orders>(minimumCapacity: 8)
        orders = inbox.producer
        retired = outbox.consumer
        late = nil
        let interfaceOfPort = workerPorts.interfaceOfPort
        let count = interfaceOfPort.count
        board = WorkerBoard(slots: slots, ports: count)
        var granted: [PortGrant] = []
        for port in 0..<count { granted.append(workerPorts.ports[port].grant) }
        var portOfInterface = [Int](repeating: -1, count: interfaces)
        for (port, interface) in interfaceOfPort.enumerated().reversed() { portOfInterface[interface] = port }
        let worker = ForwardWorker(
            ports: workerPorts.ports, interfaceOfPort: FixedArray(count: count) { interfaceOfPort[$0] },
            portOfInterface: FixedArray(count: interfaces) { portOfInterface[$0] },
            outgoing: FixedArray(count: count) { _ in Burst() }, copiesBetweenPorts: copiesBetweenPorts,
            relay: Relay(slots: slots),
            macAddresses: FixedArray(repeating: MACAddress.zero, count: interfaces),
            waiting: WaitingQueue(capacity: waiting), inbox: inbox.consumer, outbox: outbox.producer,
            idle: idle)
        let handoff = Handoff(worker)
        thread = WorkerThread(name: "apus-forward-\(number)", cpu: cpu) { [board] in
            var worker = handoff.take()
            worker.run(board)
        }
        let refused = thread.pinFailure
        let core = cpu.map { [PortGrant.Feature(core: $0, refused: refused)] }
        grants = granted.enumerated().map { port, grant in
            PortGrant(
                backend: grant.backend, interface: grant.interface, queue: grant.queue,
                features: choices[interfaceOfPort[port]] + grant.features + (core ?? []))
        }
    }
}

extension PortGrant.Feature {
    fileprivate init(core: Int, refused code: Int32?) {
        self.init(
            "core", requested: "\(core)", granted: code == nil ? "\(core)" : "any",
            reason: code.map { "the kernel refused it: \(ServiceError.text(of: $0))" })
    }
}
