import ApusConfig
import ApusPorts

/// Queues and workers: what was asked for, which no driver knows of, and what came of it.
extension OpenInterfaces {
    /// Notes what became of the backend, the queues and the workers that were asked for.
    func note(_ backend: PortGrant.Feature, _ number: Int, _ configuration: ForwarderConfiguration) {
        let queues = queueGrant(of: opened[number]!, configuration.port(on: names[number]))
        choices[number] = [backend, queues, workerGrant(configuration), spreadGrant(number)].compactMap(
            \.self)
    }

    /// How flows get to their workers, where the interface has too few queues for that.
    private func spreadGrant(_ number: Int) -> PortGrant.Feature? {
        guard isShared(number) else { return nil }
        let queues = queueCount(of: number)
        return PortGrant.Feature(
            "flows", requested: "a queue for each worker",
            granted: "spread over \(workers) workers by software",
            reason: "\(names[number]) has \(queues) queue\(queues == 1 ? "" : "s")")
    }

    /// The queues of an interface. AF_XDP has as many as were asked for, or does not start; where AF_PACKET had to
    /// take its place, there is one for each worker.
    private func queueGrant(of interface: Opened, _ options: PortConfiguration) -> PortGrant.Feature {
        let requested = options.queues.map(String.init) ?? "all"
        if case .xdp(let interface) = interface {
            return PortGrant.Feature("queues", requested: requested, granted: "\(interface.queueCount)")
        }
        if case .dpdk(let device) = interface {
            return PortGrant.Feature(
                "queues", requested: options.queues.map(String.init) ?? "one for each worker",
                granted: "\(device.queueCount)")
        }
        return PortGrant.Feature(
            "queues", requested: requested, granted: "\(workers)",
            reason: options.queues == nil || options.queues == workers
                ? nil : "AF_PACKET has one for each worker")
    }

    /// The workers, if they were asked for or there are fewer than an interface has queues.
    private func workerGrant(_ configuration: ForwarderConfiguration) -> PortGrant.Feature? {
        var least: (name: String, queues: Int)?
        var most = 0
        for name in names where configuration.port(on: name).backend.mayBeXDP {
            let queues = Self.receiveQueues(of: name)
            most = max(most, queues)
            if queues < least?.queues ?? .max { least = (name, queues) }
        }
        let asked = configuration.workers.count ?? configuration.workers.cpus?.count
        guard asked != nil || most > workers else { return nil }
        let wanted = asked ?? most
        let reason = least.map { least in
            "\(least.name) has \(least.queues) queue\(least.queues == 1 ? "" : "s"); its flows are spread over more "
                + "workers by software, where those are asked for"
        }
        return PortGrant.Feature(
            "workers", requested: "\(wanted)", granted: "\(workers)", reason: wanted > workers ? reason : nil)
    }
}
