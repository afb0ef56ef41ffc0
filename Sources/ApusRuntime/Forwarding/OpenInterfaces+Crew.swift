import ApusConfig
import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusXDP

extension OpenInterfaces {
    /// Opens the ports, and when all are open starts the workers.
    func makeCrew(_ configuration: ForwarderConfiguration) throws(ForwarderError) -> Crew {
        let settings = configuration.workers
        var seats = try FixedArray(count: opened.count) { (number) throws(ForwarderError) in
            try openPorts(on: number, configuration)
        }
        do throws(ThreadError) {
            return try Crew(
                workers: workers, interfaces: opened.count, slots: configuration.limits.streams,
                waiting: configuration.limits.pendingPackets,
                idle: IdlePolicy(spin: settings.spin, sleep: Int32(clamping: (settings.sleep + 999) / 1000)),
                cpus: settings.cpus, nodes: nodes, copiesBetweenPorts: copiesBetweenPorts, choices: choices
            ) { worker in
                var places: [(interface: Int, queue: Int)] = []
                for number in seats.indices {
                    for queue in stride(from: worker, to: seats[number].count, by: workers) {
                        places.append((number, queue))
                    }
                }
                return FixedArray(count: places.count) { position in
                    seats[places[position].interface][places[position].queue].take()
                }
            }
        } catch {
            throw .thread(error)
        }
    }

    /// Opens all ports of one interface, in the order of its queues; queue q is for worker q % ``workers``.
    ///
    /// A queue that can't be had over AF_XDP, where that is not required, gives the whole interface to AF_PACKET.
    func openPorts(
        on number: Int, _ configuration: ForwarderConfiguration
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        do throws(ForwarderError) {
            return try openQueues(of: number, configuration)
        } catch {
            let options = configuration.port(on: names[number])
            guard case .xdp(let interface)? = opened[number], options.backend == .auto else { throw error }
            var reason = "no AF_XDP: \(error)"
            // First, as both would have the packets.
            do throws(XDPError) { try interface.steering?.detach() } catch { reason += "; \(error)" }
            let (packet, choice) = try Self.openPacket(
                names[number], options, Array(served), workers: workers, nodes: nodes, reason: reason)
            (opened[number], former[number]) = (packet, interface)
            note(choice, number, configuration)
        }
        return try openQueues(of: number, configuration)
    }

    private func openQueues(
        of number: Int, _ configuration: ForwarderConfiguration
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        if isShared(number) { return try openShared(number, configuration) }
        return try FixedArray(count: queueCount(of: number)) { (queue) throws(ForwarderError) in
            try openPort(on: number, queue: queue)
        }
    }

    func queueCount(of number: Int) -> Int {
        switch opened[number] {
        case .xdp(let interface): interface.queueCount
        case .packet: workers
        case .dpdk(let device): device.queueCount
        case nil: 0
        }
    }

    /// Whether a packet of one port may have to be copied for another one to send it.
    var copiesBetweenPorts: Bool {
        var memory: ObjectIdentifier?
        var (hasPacket, hasDevice) = (false, false)
        for interface in opened {
            switch interface {
            case .xdp(let interface):
                let own = ObjectIdentifier(interface.memory)
                if let memory, memory != own { return true }
                memory = own
            case .packet: hasPacket = true
            case .dpdk: hasDevice = true
            case nil: break
            }
        }
        return memory != nil && (hasPacket || hasDevice) || hasPacket && hasDevice
    }

    private func openPort(on number: Int, queue: Int) throws(ForwarderError) -> RestingWorker.Seat {
        switch opened[number] {
        case .xdp(let interface):
            let port = try ForwarderError.lift { () throws(XDPError) in
                try interface.open(queue: queue, number: UInt16(number))
            }
            return RestingWorker.Seat(.xdp(port), interface: number)
        case .packet(let interface, let memory, let frames):
            var pool: FramePool? = try ForwarderError.lift { () throws(MemoryError) in
                try memory.makePool(frames: frames, node: node(ofWorker: queue))
            }
            let port = try ForwarderError.lift { () throws(PacketSocketError) in
                try interface.makePort(worker: queue, number: UInt16(number), pool: pool.take()!)
            }
            return RestingWorker.Seat(.packet(port), interface: number)
        case .dpdk(let device): return RestingWorker.Seat(.dpdk(device.takePort(queue)), interface: number)
        case nil: preconditionFailure("only interfaces that are open have ports")
        }
    }
}
