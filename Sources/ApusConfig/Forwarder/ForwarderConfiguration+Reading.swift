import ApusWire

extension ForwarderConfiguration {
    /// Reads and validates a configuration. All that is wrong with it is in the error, up to a limit; what only
    /// the host can tell, such as whether an interface exists, is not checked here.
    public init(parsing source: ConfigurationSource) throws(ConfigurationErrors) {
        let report = ConfigurationReport(on: source)
        let root: JSON5Value
        do {
            root = try JSON5Parser.parse(source, limits: JSON5Limits(), report: report)
        } catch {
            throw ConfigurationErrors([error])
        }
        let read = ObjectReader.read(root, report: report, expected: "an object: { streams: […] }") {
            Self.read(&$0, source: source)
        }
        read?.validate(report)
        try report.check()
        // Without an error the root was an object, and was read.
        self = read!
    }

    private static func read(_ reader: inout ObjectReader, source: ConfigurationSource)
        -> ForwarderConfiguration
    {
        var result = ForwarderConfiguration(streams: [], source: source)
        if let defaults = reader.object(
            "defaults", { PortConfiguration.read(&$0, defaults: PortConfiguration()) })
        {
            result.defaults = defaults
        }
        let defaults = result.defaults
        result.interfaces =
            reader.objects("interfaces") { InterfaceConfiguration.read(&$0, defaults: defaults) } ?? []
        if let dpdk = reader.object("dpdk", DPDKConfiguration.read) { result.dpdk = dpdk }
        result.readStreams(&reader)
        result.control = reader.object("control", ControlConfiguration.read) ?? nil
        result.metrics = reader.object("metrics", MetricsConfiguration.read)
        if let workers = reader.object("workers", WorkerConfiguration.read) { result.workers = workers }
        if let limits = reader.object("limits", LimitConfiguration.read) { result.limits = limits }
        return result
    }

    private mutating func readStreams(_ reader: inout ObjectReader) {
        let report = reader.report
        guard let value = reader.value("streams") else {
            report.add(
                "\"streams\" is missing: expected what to forward, such as "
                    + "streams: [{ listen: \"192.0.2.1:5004\", to: [\"198.51.100.7:5004\"] }]",
                at: reader.map.whole)
            return
        }
        if case .array(let elements) = value.kind, elements.isEmpty {
            report.add(
                "there is no stream; add one, such as "
                    + "{ listen: \"192.0.2.1:5004\", to: [\"198.51.100.7:5004\"] }",
                at: .text(value.position))
        }
        streams = reader.objects("streams", StreamConfiguration.read) ?? []
    }
}

extension StreamConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> StreamConfiguration? {
        let name = reader.optional("name", as: String.self)
        let listen = reader.required("listen", as: Endpoint.self)
        let to = reader.array("to", of: Endpoint.self)
        let interface = reader.optional("interface", as: String.self).map(DPDKDevice.interfaceName)
        let ttl = reader.optional("ttl", as: Int.self)
        var rtp = true
        reader.read("rtp", into: &rtp)
        if to == nil, reader.value("to") == nil {
            reader.report.add(
                "\"to\" is missing: expected where the stream goes, such as to: [\"198.51.100.7:5004\"]",
                at: reader.map.whole)
        } else if case .array(let elements) = reader.value("to")?.kind, elements.isEmpty {
            reader.report.add(
                "the stream has no destination; add one, such as to: [\"198.51.100.7:5004\"]",
                at: reader.map["to"])
        }
        guard let listen, let to else { return nil }
        return StreamConfiguration(
            name: name, listen: listen, to: to, interface: interface, ttl: ttl, rtp: rtp, map: reader.map)
    }
}

extension InterfaceConfiguration {
    fileprivate static func read(
        _ reader: inout ObjectReader, defaults: PortConfiguration
    ) -> InterfaceConfiguration? {
        let name = reader.required("name", as: String.self)
        var port = PortConfiguration.read(&reader, defaults: defaults)
        guard let name else {
            DPDKPortConfiguration.pass(&reader)
            return nil
        }
        if reader.value("backend") == nil || port.backend == .auto {
            // The defaults are for interfaces of the kernel, and refused where they say otherwise.
            let inherited = port.backend == .dpdk ? .auto : port.backend
            port.backend = DPDKDevice.isMeant(by: name) ? .dpdk : inherited
        }
        guard port.backend == .dpdk else {
            DPDKPortConfiguration.refuse(&reader, name: name)
            port.map = reader.map
            return InterfaceConfiguration(name: name, port: port, map: reader.map)
        }
        port.dpdk = DPDKPortConfiguration.read(&reader, name: name)
        port.map = reader.map
        let device = port.dpdk?.device.name
        return InterfaceConfiguration(name: device ?? name, port: port, map: reader.map)
    }
}

extension PortConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader, defaults: PortConfiguration)
        -> PortConfiguration
    {
        var result = defaults
        reader.read("backend", into: &result.backend)
        reader.read("mode", into: &result.mode)
        reader.read("zeroCopy", into: &result.zeroCopy)
        reader.read("hugepages", into: &result.hugepages)
        reader.read("queues", into: &result.queues)
        reader.read("ringSize", into: &result.ringSize)
        reader.read("frameSize", into: &result.frameSize)
        reader.read("frames", into: &result.frames)
        if let busyPoll = reader.object("busyPoll", BusyPollConfiguration.read) { result.busyPoll = busyPoll }
        result.map = reader.map
        return result
    }
}

extension BusyPollConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> BusyPollConfiguration {
        var result = BusyPollConfiguration()
        reader.read("microseconds", into: &result.microseconds)
        reader.read("budget", into: &result.budget)
        result.map = reader.map
        return result
    }
}

extension ControlConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> ControlConfiguration? {
        let socket = reader.required("socket", as: String.self)
        var result = ControlConfiguration(socket: socket ?? "")
        reader.read("mode", into: &result.mode)
        reader.read("group", into: &result.group)
        result.map = reader.map
        return socket == nil ? nil : result
    }
}

extension MetricsConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> MetricsConfiguration {
        var result = MetricsConfiguration()
        if let place = reader.optional("listen", as: MetricsPlace.self) { result.listen = place.endpoint }
        result.map = reader.map
        return result
    }
}

extension WorkerConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> WorkerConfiguration {
        var result = WorkerConfiguration()
        reader.read("count", into: &result.count)
        result.cpus = reader.array("cpus", of: Int.self)
        reader.read("spin", into: &result.spin)
        reader.read("sleep", into: &result.sleep)
        result.map = reader.map
        return result
    }
}

extension LimitConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> LimitConfiguration {
        var result = LimitConfiguration()
        reader.read("streams", into: &result.streams)
        reader.read("destinations", into: &result.destinations)
        reader.read("pendingPackets", into: &result.pendingPackets)
        result.map = reader.map
        return result
    }
}
