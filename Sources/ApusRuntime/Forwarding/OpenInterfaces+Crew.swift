import ApusConfig
import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusXDP

extension OpenInterfaces {
    /// Opens the ports and starts the workers: the loop is chosen here, once, by what was granted.
    func makeCrew(_ configuration: ForwarderConfiguration) throws(ForwarderError) -> Crew {
        var (hasXDP, hasPacket) = (false, false)
        for interface in opened {
            switch interface {
            case .xdp: hasXDP = true
            case .packet: hasPacket = true
            }
        }
        if !hasPacket { return try makeCrew(configuration, Self.xdpPort) }
        if !hasXDP { return try makeCrew(configuration, Self.packetPort) }
        return try makeCrew(configuration, Self.eitherPort)
    }

    private func makeCrew<Driver: PortDriver & ~Copyable>(
        _ configuration: ForwarderConfiguration,
        _ open: (Opened, Int, Int) throws(ForwarderError) -> Port<Driver>
    ) throws(ForwarderError) -> Crew {
        let settings = configuration.workers
        return try Crew(
            workers: workers, interfaces: opened.count, slots: configuration.limits.streams,
            waiting: configuration.limits.pendingPackets,
            idle: IdlePolicy(spin: settings.spin, sleep: Int32(clamping: (settings.sleep + 999) / 1000)),
            cpus: settings.cpus, copiesBetweenPorts: copiesBetweenPorts, choices: choices
        ) { (worker) throws(ForwarderError) in
            var places: [(interface: Int, queue: Int)] = []
            for number in opened.indices {
                for queue in stride(from: worker, to: queueCount(of: number), by: workers) {
                    places.append((number, queue))
                }
            }
            let ports = try FixedArray(count: places.count) { (position) throws(ForwarderError) in
                let place = places[position]
                return try open(opened[place.interface], place.queue, place.interface)
            }
            return WorkerPorts(ports: ports, interfaceOfPort: places.map(\.interface))
        }
    }

    private func queueCount(of number: Int) -> Int {
        switch opened[number] {
        case .xdp(let interface): interface.queueCount
        case .packet: workers
        }
    }

    /// Whether a packet of one port may have to be copied for another one to send it.
    private var copiesBetweenPorts: Bool {
        var memory: ObjectIdentifier?
        for case .xdp(let interface) in opened {
            let own = ObjectIdentifier(interface.memory)
            if let memory, memory != own { return true }
            memory = own
        }
        return memory != nil && opened.contains { if case .packet = $0 { true } else { false } }
    }

    private static func xdpPort(
        _ interface: Opened, _ queue: Int, _ number: Int
    ) throws(ForwarderError) -> Port<XDPDriver> {
        guard case .xdp(let interface) = interface else { preconditionFailure("chosen by makeCrew") }
        return try ForwarderError.lift { () throws(XDPError) in
            try interface.open(queue: queue, number: UInt16(number))
        }
    }

    private static func packetPort(
        _ interface: Opened, _ queue: Int, _ number: Int
    ) throws(ForwarderError) -> Port<PacketSocketDriver> {
        guard case .packet(let interface, let memory, let frames) = interface else {
            preconditionFailure("chosen by makeCrew")
        }
        var pool: FramePool? = try ForwarderError.lift { () throws(MemoryError) in
            try memory.makePool(frames: frames)
        }
        return try ForwarderError.lift { () throws(PacketSocketError) in
            try interface.makePort(worker: queue, pool: pool.take()!)
        }
    }

    private static func eitherPort(
        _ interface: Opened, _ queue: Int, _ number: Int
    ) throws(ForwarderError) -> Port<EitherDriver<XDPDriver, PacketSocketDriver>> {
        switch interface {
        case .xdp: Port(EitherDriver(first: try xdpPort(interface, queue, number).intoDriver()))
        case .packet: Port(EitherDriver(second: try packetPort(interface, queue, number).intoDriver()))
        }
    }
}
