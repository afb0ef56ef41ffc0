import Apus
import ApusConfig

extension Forward {
    /// A configuration of one stream, from the options.
    static func configurationFromOptions(_ invocation: Invocation) throws(ExitFailure)
        -> ForwarderConfiguration
    {
        // No interface of the kernel is listed: the one to listen on is the stream's, and those it leaves by follow from
        // the routes.
        let device = try dpdkInterface(invocation)
        var configuration = ForwarderConfiguration(
            streams: [try stream(invocation, on: device?.name)], interfaces: device.map { [$0] } ?? [],
            defaults: device == nil ? try port(invocation) : PortConfiguration(),
            control: invocation.text(control).map {
                ControlConfiguration(socket: $0, map: options(["socket": control]))
            },
            metrics: try invocation.value(metrics, as: MetricsPlace.self).map {
                MetricsConfiguration(listen: $0.endpoint, map: options(["listen": metrics]))
            },
            workers: try workerConfiguration(invocation))
        if device != nil, try invocation.value(hugepages, as: Requirement.self) == .never {
            configuration.dpdk.hugepages = false
        }
        do {
            try configuration.validate()
        } catch {
            throw ExitFailure(error)
        }
        return configuration
    }

    /// The interface over DPDK that the options tell of; nil where they tell of one of the kernel's, or none.
    private static func dpdkInterface(_ invocation: Invocation) throws(ExitFailure) -> InterfaceConfiguration?
    {
        let backend = try invocation.value(backend, as: BackendChoice.self) ?? .auto
        let name = invocation.text(interface)
        guard backend == .dpdk || backend == .auto && name.map(DPDKDevice.isMeant) ?? false else {
            if let option = [address, gateway].first(where: { invocation.has($0) }) {
                throw ExitFailure(
                    .usage,
                    "\(option.name) is for an interface over DPDK; the kernel knows that of its own interfaces"
                )
            }
            return nil
        }
        guard let name else {
            throw ExitFailure(.usage, "--backend dpdk needs --interface, which names the device to open")
        }
        var map = options(["name": interface, "addresses": address, "gateway": gateway])
        let (addresses, gateways) = (
            try invocation.values(address, as: AddressPrefix.self),
            try invocation.values(gateway, as: IPAddress.self)
        )
        map.setElements(of: "addresses", addresses.map { _ in .option(address.name) })
        map.setElements(of: "gateway", gateways.map { _ in .option(gateway.name) })
        let device: DPDKDevice
        do throws(ValueRefusal) {
            device = try DPDKDevice.read(name)
        } catch {
            throw ExitFailure(.usage, "\(interface.name): \(error.message)")
        }
        var port = try port(invocation)
        // It is said of DPDK's memory, which is that of all devices.
        port.hugepages = .auto
        return InterfaceConfiguration(
            DPDKPortConfiguration(device: device, addresses: addresses, gateways: gateways, map: map),
            port: port)
    }

    private static func stream(
        _ invocation: Invocation, on device: String?
    ) throws(ExitFailure) -> StreamConfiguration {
        guard let listens = try invocation.value(listen, as: Endpoint.self) else {
            throw ExitFailure(
                .usage, "--listen is missing: say where the stream arrives, or name a file with --config")
        }
        let destinations = try invocation.values(to, as: Endpoint.self)
        guard !destinations.isEmpty else {
            throw ExitFailure(.usage, "--to is missing: say where the stream goes")
        }
        var map = options(["listen": listen, "name": listen, "interface": interface, "ttl": ttl, "to": to])
        map.setElements(of: "to", destinations.map { _ in .option(to.name) })
        return StreamConfiguration(
            listen: listens, to: destinations, interface: device ?? invocation.text(interface),
            ttl: try invocation.value(ttl, as: Int.self), rtp: !invocation.has(noRTP), map: map)
    }

    private static func port(_ invocation: Invocation) throws(ExitFailure) -> PortConfiguration {
        var port = PortConfiguration(
            map: options([
                "backend": backend, "mode": mode, "zeroCopy": zeroCopy, "hugepages": hugepages,
                "queues": queues,
                "ringSize": ringSize, "frameSize": frameSize, "frames": frames, "busyPoll": busyPoll,
            ]))
        try invocation.read(backend, into: &port.backend)
        try invocation.read(mode, into: &port.mode)
        try invocation.read(zeroCopy, into: &port.zeroCopy)
        try invocation.read(hugepages, into: &port.hugepages)
        try invocation.read(queues, into: &port.queues)
        try invocation.read(ringSize, into: &port.ringSize)
        try invocation.read(frameSize, into: &port.frameSize)
        try invocation.read(frames, into: &port.frames)
        if let microseconds = try invocation.value(busyPoll, as: Int.self) {
            var polling = BusyPollConfiguration(
                microseconds: microseconds,
                map: options(["microseconds": busyPoll, "budget": busyPollBudget]))
            try invocation.read(busyPollBudget, into: &polling.budget)
            port.busyPoll = polling
        } else if invocation.has(busyPollBudget) {
            throw ExitFailure(.usage, "--busy-poll-budget goes with --busy-poll, which says how long to poll")
        }
        return port
    }

    private static func workerConfiguration(_ invocation: Invocation) throws(ExitFailure)
        -> WorkerConfiguration
    {
        var result = WorkerConfiguration(
            map: options(["count": workers, "cpus": cpu, "spin": spin, "sleep": sleep]))
        try invocation.read(workers, into: &result.count)
        try invocation.read(spin, into: &result.spin)
        try invocation.read(sleep, into: &result.sleep)
        let cpus = try invocation.values(cpu, as: Int.self)
        if !cpus.isEmpty { result.cpus = cpus }
        return result
    }

    /// A map that names the option each setting came from.
    private static func options(_ settings: [String: Option]) -> SourceMap {
        var map = SourceMap()
        for (key, option) in settings { map[key] = .option(option.name) }
        return map
    }
}
