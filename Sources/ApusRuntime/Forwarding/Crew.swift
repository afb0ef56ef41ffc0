import ApusPorts
import ApusRTP
import ApusRings
import ApusWire

/// The workers of a forwarder, whatever their driver: what the control thread keeps of them.
struct Crew: ~Copyable {
    var members: FixedArray<Member>

    /// Starts one worker on each set of ports. None runs on when one can't be started.
    ///
    /// - Parameters:
    ///   - cpus: the cores to pin them to, one after the other; `nil` leaves that to the scheduler.
    ///   - nodes: by worker, the NUMA node of its memory; empty leaves that to the kernel.
    ///   - choices: by interface, what was granted beside what its driver says.
    ///   - make: makes the ports of a worker.
    init(
        workers: Int, interfaces: Int, slots: Int, waiting: Int, idle: IdlePolicy, cpus: [Int]?, nodes: [Int],
        copiesBetweenPorts: Bool, choices: [[PortGrant.Feature]],
        ports make: (_ worker: Int) -> FixedArray<RestingWorker.Seat>
    ) throws(ThreadError) {
        members = FixedArray(count: workers) { number in
            let node = nodes.isEmpty ? nil : nodes[number]
            return MemoryNode.prefer(node) {
                Member(
                    make(number), number: number, interfaces: interfaces, slots: slots, waiting: waiting,
                    idle: idle,
                    cpu: cpus.map { $0[number % $0.count] }, node: node, choices: choices)
            }
        }
        do throws(ThreadError) {
            try start(copiesBetweenPorts: copiesBetweenPorts)
        } catch {
            stop()
            throw error
        }
    }

    /// Starts the workers that rest. One that gets no thread rests on, and what comes in by its ports stays in the
    /// rings; the others run.
    mutating func start(copiesBetweenPorts: Bool) throws(ThreadError) {
        var failure: ThreadError?
        for number in members.indices where !members[number].isRunning {
            do throws(ThreadError) {
                try members[number].run(copiesBetweenPorts: copiesBetweenPorts)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// What each port was granted.
    var grants: [PortGrant] {
        var grants: [PortGrant] = []
        for number in members.indices {
            grants += members[number].queues.map { members[number].grant(of: $0) }
        }
        return grants
    }

    /// Sends every worker its own table of a plan.
    mutating func order(_ plan: ForwardingPlan, slots: Int, interfaces: [MACAddress]) {
        for number in members.indices {
            members[number].late = MemoryNode.prefer(members[number].node) {
                Orders(plan, slots: slots, interfaces: interfaces)
            }
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

    /// The workers of which it has just been noticed that they do not come round.
    mutating func stalled() -> [Int] {
        let now = Clock.monotonic
        var all: [Int] = []
        for number in members.indices where members[number].hasStalled(now) { all.append(number) }
        return all
    }

    /// Has all workers rest for as long as their ports are changed, which is milliseconds. What comes in by other
    /// ports meanwhile stays in the rings.
    ///
    /// - Parameter leaving: an interface that is gone, whose packets they take before, see
    ///   ``ForwardWorker/drain(_:_:for:)``.
    private mutating func whileResting(
        copiesBetweenPorts: Bool, leaving: Int? = nil, _ change: (inout Member) -> Void
    ) throws(ThreadError) {
        for number in members.indices { members[number].askToRest(leaving: leaving) }
        for number in members.indices { members[number].awaitRest() }
        for number in members.indices { change(&members[number]) }
        try start(copiesBetweenPorts: copiesBetweenPorts)
    }

    /// Closes the ports of an interface. Their figures stay. They are closed also when it throws, and the workers that
    /// got no thread rest, see ``start(copiesBetweenPorts:)``.
    mutating func close(_ interface: Int, copiesBetweenPorts: Bool) throws(ThreadError) {
        // Closing takes its time, so it is done when the others are at work again.
        defer { for number in members.indices { members[number].close() } }
        try whileResting(copiesBetweenPorts: copiesBetweenPorts, leaving: interface) { $0.remove(interface) }
    }

    /// Adds ports of an interface that is open again. They are added also when it throws, and the workers that got no
    /// thread rest, see ``start(copiesBetweenPorts:)``.
    ///
    /// - Parameters:
    ///   - workers: by port, whose it is to be.
    ///   - choices: by interface, what was granted beside what its driver says.
    mutating func add(
        _ ports: consuming FixedArray<RestingWorker.Seat>, workers: [Int], choices: [[PortGrant.Feature]],
        copiesBetweenPorts: Bool
    ) throws(ThreadError) {
        var ports = ports
        try whileResting(copiesBetweenPorts: copiesBetweenPorts) { member in
            let own = workers.indices.filter { workers[$0] == member.number }
            member.add(FixedArray(count: own.count) { ports[own[$0]].take() }, choices: choices)
        }
    }

    /// Ends all workers and waits for them, and closes their ports.
    mutating func stop() {
        // Workers that share queues one after the other: those with lower numbers send what the others pass on.
        for number in members.indices.reversed() where members[number].isSharing {
            members[number].board.stop.store(true, ordering: .relaxed)
            members[number].awaitRest()
        }
        for number in members.indices { members[number].board.stop.store(true, ordering: .relaxed) }
        for number in members.indices { members[number].join() }
        // What is left in the rings between workers is the last figures' of who has the queue, if it is sent, and else of
        // who has passed it. So in this order, and not before all have ended.
        for number in members.indices { members[number].finish() }
    }
}
