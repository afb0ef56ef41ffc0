import ApusConfig
import ApusHost
import ApusPorts
import ApusRings
import ApusXDP

/// Interfaces that are deleted, and made again under their names.
extension OpenInterfaces {
    /// Between two tries to open one interface, in nanoseconds, also when the first had success: all workers rest for
    /// each, and a line is told.
    private static var tryInterval: UInt64 { 1_000_000_000 }

    /// Finds the interfaces that are gone since the last call. Their ports are still open.
    ///
    /// - Returns: their numbers.
    func giveUpDeleted(_ changes: HostChanges, on host: HostView) -> [Int] {
        var gone: [Int] = []
        for number in opened.indices {
            guard let interface = opened[number], indices[number] > 0,
                host.links[indices[number]] == nil || changes.deletedLinks.contains(indices[number])
                    || changes.isResynchronized && isAnother(interface)
            else { continue }
            if case .xdp(let interface) = interface {
                keepSteering(of: interface, number)
                former[number] = interface
            }
            opened[number] = nil
            absences[number] = "no interface of that name"
            gone.append(number)
        }
        return gone
    }

    /// Whether the interface of that index is not the one that was opened: its deletion was among the news that were
    /// lost. One that was only robbed of our XDP program is taken for another too, and opened again, which is no more
    /// than a short gap.
    private func isAnother(_ interface: Opened) -> Bool {
        switch interface {
        case .xdp(let interface): interface.steering?.isAttached == false
        case .packet(let interface, _, _): interface.isDetached
        case .dpdk: false
        }
    }

    /// The numbers of interfaces that are there again and up, and whose turn it is to be opened.
    func dueToOpen(on host: HostView) -> [Int] {
        let now = Clock.monotonic
        var due: [Int] = []
        for number in absences.keys.sorted() {
            guard let link = try? host.link(named: names[number]) else {
                absences[number] = "no interface of that name"
                continue
            }
            // It was renamed. Opened twice, each packet would be forwarded twice.
            if let other = opened.indices.first(where: { opened[$0] != nil && indices[$0] == link.index }) {
                absences[number] = "\(link.name) is the interface that was opened as \(names[other])"
                continue
            }
            guard link.isUp else {
                absences[number] = "there again, but down"
                continue
            }
            guard now >= nextTries[number, default: 0] else { continue }
            nextTries[number] = now &+ Self.tryInterval
            due.append(number)
        }
        return due
    }

    /// Opens an interface and its ports again, as the configuration asks. Nothing of it stays open when it throws.
    func reopen(
        _ number: Int, _ configuration: ForwarderConfiguration, on host: HostView
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        let name = names[number]
        let link = try ForwarderError.lift { () throws(HostError) in try host.link(named: name) }
        let options = configuration.port(on: name)
        if let reason = mismatch(of: link, options, number) { throw .required(reason) }
        let (interface, choice) = try Self.open(
            name, options, Self.endpoints(of: configuration, on: host), workers: workers, nodes: nodes,
            sharing: memory,
            again: former[number])
        opened[number] = interface
        do throws(ForwarderError) {
            note(choice, number, configuration)
            let ports = try openPorts(on: number, configuration)
            if case .xdp(let interface)? = opened[number] {
                try ForwarderError.lift { () throws(XDPError) in
                    for endpoint in served { try interface.add(endpoint) }
                }
                former[number] = nil
            }
            indices[number] = link.index
            absences[number] = nil
            return ports
        } catch {
            if case .xdp(let interface)? = opened[number] {
                // What could not be taken off stands in the way of the next try, which says so.
                try? interface.steering?.detach()
                former[number] = interface
            }
            opened[number] = nil
            throw error
        }
    }

    /// What it must be like, as the workers and frames are there already; `nil` when it is.
    private func mismatch(of link: Link, _ options: PortConfiguration, _ number: Int) -> String? {
        if link.vlan != nil { return "it is a VLAN interface now, and was none; restart" }
        // AF_XDP would take it, and receive nothing.
        if !link.isEthernet { return "it carries no Ethernet frames now; make one that does" }
        guard options.backend.mayBeXDP else { return nil }
        let queues = Self.receiveQueues(of: link.name)
        let wanted = options.queues ?? (former[number] == nil ? nil : queuesAtStart[number])
        if let wanted, queues != wanted {
            return "it has \(queues) receive queue\(queues == 1 ? "" : "s") now, and needs \(wanted); "
                + "`ethtool -L \(link.name) combined \(wanted)` (or rx), or restart"
        }
        return nil
    }

    /// Adds what the XDP program has counted to what those before it have, and takes it off.
    private func keepSteering(of interface: XDPInterface, _ number: Int) {
        guard let steering = interface.steering else { return }
        pastSteering[number, default: SteeringCounters()].add(steering.counters)
        // The interface is gone, and the program with it.
        try? steering.detach()
    }

    /// What the XDP programs did with the frames they saw; a few system calls for each.
    var steering: [ForwarderStatus.Steering] {
        names.indices.compactMap { number in
            var counters = pastSteering[number]
            if case .xdp(let interface)? = opened[number], let steering = interface.steering {
                counters = counters ?? SteeringCounters()
                counters!.add(steering.counters)
            }
            return counters.map { ForwarderStatus.Steering(names[number], $0) }
        }
    }
}
