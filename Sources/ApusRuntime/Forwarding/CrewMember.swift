import ApusPacketSocket
import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import ApusXDP
import Synchronization

#if DPDK
    import ApusDPDK
#endif

extension Crew {
    /// One queue of an interface, over all the times that it was opened.
    struct Queue {
        /// The number of its interface.
        let interface: Int
        /// What was granted when it was opened last.
        var grant: PortGrant
        /// What the ports that were closed have counted.
        var past = PortStatistics()
        /// Its place among the ports of the worker; `nil` while it is closed.
        var port: Int?
    }

    /// One worker, as the control thread sees it.
    struct Member: ~Copyable {
        let number: Int
        let board: WorkerBoard
        var orders: SPSCProducer<Orders>
        var retired: SPSCConsumer<Orders>
        /// Orders that did not fit into the ring; the newest only, since it has all that the older had.
        var late: Orders?
        /// Its queues: those it has a port on, and those it had.
        private(set) var queues: [Queue] = []
        /// Whether it comes round.
        var watch: StallWatch
        private var figures = PortBoard(ports: 0)
        private let cpu: Int?
        /// The NUMA node of its memory.
        let node: Int?
        /// What became of that.
        private var core: [PortGrant.Feature] = []
        private var thread: WorkerThread?
        /// Whether it shares queues with other workers.
        private(set) var isSharing = false
        private var resting: RestingWorker?
        /// Where the thread leaves the worker when it comes to rest.
        private let returned = Handoff<RestingWorker>()
        /// Ports that were taken from the worker and are to be closed.
        private var closing: FixedArray<RestingWorker.Seat>?
    }
}

/// Of an interface that the kernel has.
private typealias KernelDriver = EitherDriver<XDPDriver, PacketSocketDriver>
/// The same of a worker that shares queues with others.
private typealias SharingDriver = EitherDriver<SharedDriver<XDPDriver>, PacketSocketDriver>
/// The same where DPDK has some of the interfaces.
private typealias SharingDevices = EitherDriver<SharingDriver, SharedDriver<DeviceDriver<DPDKDriver>>>

extension Crew.Member {
    /// A worker that is not running yet.
    init(
        _ ports: consuming FixedArray<RestingWorker.Seat>, number: Int, interfaces: Int, slots: Int,
        waiting: Int, idle: IdlePolicy, cpu: Int?, node: Int?, choices: [[PortGrant.Feature]]
    ) {
        let inbox = SPSCRing<Orders>(minimumCapacity: 4)
        let outbox = SPSCRing<Orders>(minimumCapacity: 8)
        (self.number, self.cpu, self.node, board) = (number, cpu, node, WorkerBoard(slots: slots))
        orders = inbox.producer
        retired = outbox.consumer
        late = nil
        watch = StallWatch(idle)
        resting = RestingWorker(
            seats: FixedArray<RestingWorker.Seat>(count: 0) { _ in preconditionFailure() },
            interfaces: interfaces, relay: Relay(slots: slots),
            macAddresses: FixedArray(repeating: MACAddress.zero, count: interfaces),
            waiting: WaitingQueue(capacity: waiting), inbox: inbox.consumer, outbox: outbox.producer,
            idle: idle)
        add(ports, choices: choices)
    }

    /// Whether it has a thread; without one it rests, or has ended.
    var isRunning: Bool { thread != nil }

    /// Lets it run with the ports it has: the loop is chosen here, by what was granted. It rests on when that throws.
    mutating func run(copiesBetweenPorts copies: Bool) throws(ThreadError) {
        settle()
        board.beat.set(0)
        board.rests.store(false, ordering: .relaxed)
        board.stop.store(false, ordering: .relaxed)
        let backends = (xdp: resting!.has(.xdp), packet: resting!.has(.packet), dpdk: resting!.has(.dpdk))
        let shares = resting!.sharesQueues()
        isSharing = shares
        let handoff = Handoff(resting.take()!)
        do throws(ThreadError) {
            thread =
                switch backends {
                case (_, _, false) where shares: try start(handoff, as: SharingDriver.self, copies)
                case _ where shares: try start(handoff, as: SharingDevices.self, copies)
                case (_, false, false): try start(handoff, as: XDPDriver.self, copies)
                case (false, _, false): try start(handoff, as: PacketSocketDriver.self, copies)
                case (_, _, false): try start(handoff, as: KernelDriver.self, copies)
                case (false, false, _): try start(handoff, as: DeviceDriver<DPDKDriver>.self, copies)
                default:
                    try start(handoff, as: EitherDriver<KernelDriver, DeviceDriver<DPDKDriver>>.self, copies)
                }
        } catch {
            // Nobody has taken it.
            resting = handoff.take()
            throw error
        }
        core = cpu.map { [PortGrant.Feature(core: $0, refused: thread?.pinFailure)] } ?? []
        guard let node else { return }
        let got = board.counters.streams.memoryNode
        core.append(
            PortGrant.Feature(
                "worker's NUMA node", requested: "\(node)", granted: got.map(String.init) ?? "unknown",
                reason: got == node ? nil : "that node had no free pages"))
    }

    /// Whether it has just been noticed that it does not come round.
    mutating func hasStalled(_ now: UInt64) -> Bool {
        isRunning && watch.look(at: board.beat.value, now)
    }

    private func start<Driver: WorkerDriver & ~Copyable>(
        _ handoff: Handoff<RestingWorker>, as _: Driver.Type, _ copies: Bool
    ) throws(ThreadError) -> WorkerThread {
        try WorkerThread(name: "apus-forward-\(number)", cpu: cpu) { [board, figures, returned, isSharing] in
            var worker = ForwardWorker<Driver>(handoff.take(), copiesBetweenPorts: copies)
            worker.run(board, figures)
            if isSharing || board.rests.load(ordering: .relaxed) {
                returned.put(worker.rest())
            } else {
                worker.rest().close(figures)
            }
        }
    }

    /// Gives each port its place on a new board, which begins with the figures that the old one ended with.
    private mutating func settle() {
        let old = figures
        let next = PortBoard(ports: resting!.seats.count)
        let open = queues.indices.filter { queues[$0].port != nil }
            .sorted { queues[$0].port! < queues[$1].port! }
        for (place, position) in open.enumerated() {
            let before = queues[position].port!
            if before < old.ports.count { next.ports[place].publish(old.ports[before].statistics) }
            queues[position].port = place
        }
        figures = next
    }

    /// What a queue has counted, over all the times that it was open.
    func statistics(of queue: Crew.Queue) -> PortStatistics {
        var sum = queue.past
        if let port = queue.port { sum.add(figures.ports[port].statistics) }
        return sum
    }

    /// What a queue was granted when it was opened last.
    func grant(of queue: Crew.Queue) -> PortGrant {
        PortGrant(
            backend: queue.grant.backend, interface: queue.grant.interface, queue: queue.grant.queue,
            features: queue.grant.features + core)
    }

    /// Adds ports to a worker that rests.
    ///
    /// - Parameter choices: by interface, what was granted beside what the driver says.
    mutating func add(
        _ ports: consuming FixedArray<RestingWorker.Seat>, choices: [[PortGrant.Feature]]
    ) {
        for port in ports.indices {
            let interface = ports[port].interface
            let grant = ports[port].grant.preceded(by: choices[interface])
            // Behind those that are on the board.
            let place = figures.ports.count + port
            if let known = queues.firstIndex(where: { $0.isOf(interface, grant) }) {
                (queues[known].grant, queues[known].port) = (grant, place)
            } else {
                queues.append(Crew.Queue(interface: interface, grant: grant, port: place))
            }
        }
        resting!.add(ports)
    }

    /// Asks it to rest.
    ///
    /// - Parameter interface: one that is gone, whose packets it takes before; `nil` when there is none.
    func askToRest(leaving interface: Int?) {
        board.leaving.store(interface ?? -1, ordering: .relaxed)
        board.rests.store(true, ordering: .relaxed)
        // Who sees this sees the other as well, see `ForwardWorker.run`.
        board.stop.store(true, ordering: .releasing)
    }

    /// Closes the ports of a worker that rests when no other runs any more, and publishes their last figures.
    mutating func finish() {
        if let last = resting.take() { last.close(figures) }
    }

    /// Waits until it rests: after ``askToRest(leaving:)``, or at the stop, if it shares queues.
    mutating func awaitRest() {
        guard isRunning else { return }
        join()
        resting = returned.take()
    }

    /// Waits until its thread has ended.
    mutating func join() {
        thread?.join()
        thread = nil
    }

    /// Takes the ports of an interface from a worker that rests. They are open until ``close()``.
    mutating func remove(_ interface: Int) {
        var removed = resting!.remove(interface)
        for port in removed.indices {
            resting!.relay.loseUnsent(&removed[port].outgoing, board.counters)
        }
        closing = consume removed
        for position in queues.indices where queues[position].interface == interface {
            queues[position].port = nil
        }
    }

    /// Closes what was taken out, and keeps its figures.
    mutating func close() {
        guard var closing = closing.take() else { return }
        for port in closing.indices {
            let (interface, grant) = (closing[port].interface, closing[port].grant)
            let statistics = closing[port].takePort().finalStatistics()
            if let known = queues.firstIndex(where: { $0.isOf(interface, grant) }) {
                queues[known].past.add(statistics)
            }
        }
    }
}

extension Crew.Queue {
    /// Whether it is the one that this was granted on.
    fileprivate func isOf(_ interface: Int, _ grant: PortGrant) -> Bool {
        self.interface == interface && self.grant.queue == grant.queue && self.grant.backend == grant.backend
    }
}

extension PortStatistics {
    /// Adds what another port has counted.
    fileprivate mutating func add(_ other: PortStatistics) {
        received += other.received
        receivedBytes += other.receivedBytes
        sent += other.sent
        sentBytes += other.sentBytes
        pending += other.pending
        for reason in PortDrop.allCases { drops[reason] += other.drops[reason] }
    }
}
