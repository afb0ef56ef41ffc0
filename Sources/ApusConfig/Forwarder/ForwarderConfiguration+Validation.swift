import ApusDevices
import ApusWire

extension ForwarderConfiguration {
    /// Refuses what cannot work on any host: numbers out of range, two streams on one port, loops, and so on.
    ///
    /// Reading a file does this already; a configuration built in code or from options calls it itself. Each
    /// error points at where the setting was written, as far as the maps know. It takes time in proportion to
    /// the number of streams and destinations.
    public func validate() throws(ConfigurationErrors) {
        let report = ConfigurationReport(on: source)
        if streams.isEmpty { report.add("there is no stream to forward", at: .unknown) }
        validate(report)
        try report.check()
    }

    /// As above, but that a configuration without streams has been noted by its reader, if it has to be.
    func validate(_ report: ConfigurationReport) {
        limits.validate(report)
        defaults.validate(report, inheriting: nil)
        if defaults.backend == .dpdk {
            report.add(
                "the backend \"dpdk\" is for interfaces with addresses of their own; list each in \"interfaces\"",
                at: defaults.map["backend"])
        }
        validateInterfaces(report)
        validatePools(of: interfaces.isEmpty ? [defaults] : interfaces.map(\.port), report)
        validateStreams(report)
        control?.validate(report)
        metrics?.validate(report)
        workers.validate(report)
    }

    /// Notes what the defaults can't be where ports are opened by them beside those that are listed, which only the
    /// host knows.
    package func validateDefaults(_ report: ConfigurationReport) {
        validatePools(of: [defaults], report)
        validateEndpoints(of: [defaults], report)
    }

    /// One place for the error is enough, however many pools are too small.
    private func validatePools(of ports: [PortConfiguration], _ report: ConfigurationReport) {
        ports.min { $0.framesToSpare < $1.framesToSpare }?.validate(pending: limits, report)
    }

    /// Two devices over one interface of the kernel's would both get, or take from each other, what comes in.
    private func validateDevices(_ report: ConfigurationReport) {
        var first: [String: InterfaceConfiguration] = [:]
        for interface in interfaces {
            guard case .virtual(let device)? = interface.port.dpdk?.device, let name = device.interface else {
                continue
            }
            if let earlier = first[name] {
                report.add(
                    "two devices have the interface \(name.quoted)", at: interface.map["name"],
                    notes: [.init("this one has it too", at: earlier.map["name"])])
            } else {
                first[name] = interface
            }
        }
    }

    private func validateInterfaces(_ report: ConfigurationReport) {
        var first: [String: ConfigurationLocation] = [:]
        for interface in interfaces {
            let place = interface.map["name"]
            validateName(of: interface, report)
            if let earlier = first[interface.name] {
                report.add(
                    "the interface \(interface.name.quoted) is listed twice", at: place,
                    notes: [.init("it is listed here first", at: earlier)])
            } else {
                first[interface.name] = place
            }
            interface.port.validate(report, inheriting: defaults)
        }
        validateDevices(report)
        validateAddresses(report)
        dpdk.validate(report, interfaces: interfaces)
    }

    private func validateName(of interface: InterfaceConfiguration, _ report: ConfigurationReport) {
        let (name, place) = (interface.name, interface.map["name"])
        if interface.port.backend == .dpdk {
            // Of one from a file its reader has said what is wrong.
            if interface.port.dpdk == nil, interface.map.whole.position == nil {
                report.add("the interface \(name.quoted) over DPDK has no device and no address", at: place)
            }
        } else if name.contains(":"), (try? DPDKDevice(name)) != nil {
            report.add(
                "\(name.quoted) is a device on PCI, which only DPDK opens; write "
                    + "\(interface.port.map.setting("backend", "dpdk")), or the kernel's name of the interface",
                at: place, notes: [.init("the backend is chosen here", at: interface.port.map["backend"])])
        } else {
            validateInterfaceName(name, at: place, report)
        }
    }

    /// An address is of one interface, or nobody knows who answers for it.
    private func validateAddresses(_ report: ConfigurationReport) {
        var first: [IPAddress: (name: String, place: ConfigurationLocation)] = [:]
        for (name, port) in dpdkInterfaces {
            for (index, prefix) in port.addresses.enumerated() {
                let place = port.map["addresses", index]
                if let earlier = first[prefix.address], earlier.name != name {
                    report.add(
                        "\(prefix.address) is an address of \(earlier.name) already; give \(name) another",
                        at: place, notes: [.init("it is given here first", at: earlier.place)])
                }
                if first[prefix.address] == nil { first[prefix.address] = (name, place) }
            }
        }
    }

    private func validateStreams(_ report: ConfigurationReport) {
        // A limit out of range was refused already; it is no place in the list.
        let most = max(limits.streams, 1)
        guard streams.count <= most else {
            report.add(
                "there are \(streams.count) streams, and \"limits.streams\" permits \(limits.streams)",
                at: streams[most].map.whole)
            return
        }
        validateEndpoints(of: interfaces.isEmpty ? [defaults] : interfaces.map(\.port), report)
        for stream in streams { stream.validate(report, limits: limits, interfaces: interfaces) }
        validateStreamNames(report)
        let own = Set(dpdkInterfaces.flatMap { $0.port.addresses.map(\.address) })
        let listeners = ListenerTable(streams, own: own, report)
        reportLoops(among: streams, listeners, report)
        // What leads to a stream is a loop, or refused for the same reason as what leads nowhere.
        if report.isEmpty { reportOwnDestinations(report) }
    }

    /// Notes what can't be sent to, as far as the interfaces that the kernel does not have are concerned.
    private func reportOwnDestinations(_ report: ConfigurationReport) {
        let ports = dpdkInterfaces
        guard !ports.isEmpty else { return }
        let own = Set(ports.flatMap { $0.port.addresses.map(\.address) })
        let broadcasts = Set(ports.flatMap { $0.port.addresses.compactMap(\.broadcast) })
        for stream in streams {
            for (index, destination) in stream.to.enumerated() {
                let (address, place) = (destination.address, stream.map["to", index])
                if own.contains(address) {
                    report.add(
                        "\(address) is an address of \(dpdkInterface(having: address) ?? "DPDK") and so of this host "
                            + "itself; packets to it would come back: name another host", at: place)
                } else if broadcasts.contains(address) {
                    report.add(
                        "\(address) is a broadcast address, to which nothing is sent; name one host, or a multicast "
                            + "group", at: place)
                }
            }
        }
    }

    /// More endpoints than AF_XDP's steering program can be told are AF_PACKET's alone.
    private func validateEndpoints(of ports: [PortConfiguration], _ report: ConfigurationReport) {
        let most = IntegerRule.steeredEndpoints
        guard streams.count > most, ports.contains(where: \.backend.mayBeXDP) else { return }
        var seen: Set<Endpoint> = []
        guard let first = streams.first(where: { seen.insert($0.listen).inserted && seen.count > most })
        else {
            return
        }
        report.add(
            "streams listen at more than \(most) addresses and ports, which is what AF_XDP can be told; "
                + "write backend: \"packet\", or listen at any address", at: first.map["listen"])
    }

    private func validateStreamNames(_ report: ConfigurationReport) {
        var first: [String: Int] = [:]
        first.reserveCapacity(streams.count)
        for (index, stream) in streams.enumerated() {
            guard let earlier = first[stream.name] else {
                first[stream.name] = index
                continue
            }
            // Two unnamed streams on one port are called the same; the port is what is wrong then.
            if stream.name == "\(stream.listen)", streams[earlier].listen == stream.listen { continue }
            report.add(
                "two streams are called \(stream.name.quoted); each needs a name of its own",
                at: stream.map["name"],
                notes: [.init("the first \(stream.name.quoted) is here", at: streams[earlier].map["name"])])
        }
    }
}

/// What Linux takes as the name of an interface (dev_valid_name() in net/core/dev.c).
func validateInterfaceName(_ name: String, at place: ConfigurationLocation, _ report: ConfigurationReport) {
    let forbidden: (Unicode.Scalar) -> Bool = {
        $0 == "/" || $0 == ":" || $0.properties.isWhitespace || $0.value < 0x20
    }
    if name.isEmpty || name.utf8.count > 15 || name == "." || name == ".."
        || name.unicodeScalars.contains(where: forbidden)
    {
        report.add(
            "expected the name of an interface, 1 to 15 letters without space, \"/\" and \":\", found \(name.quoted)",
            at: place)
    }
}

extension ControlConfiguration {
    fileprivate func validate(_ report: ConfigurationReport) {
        let longest = 107  // sun_path of unix(7), less the zero at its end
        if socket.utf8.first != UInt8(ascii: "/") || socket.utf8.contains(0) {
            report.add(
                "expected an absolute path, such as \"/run/apus/control.sock\", found \(socket.quoted)",
                at: map["socket"])
        } else if socket.utf8.count > longest {
            report.add(
                "the path of a socket may have \(longest) bytes, and this one has \(socket.utf8.count)",
                at: map["socket"])
        }
        // A zero would be the end of it for the C library.
        if let group, group.isEmpty || group.utf8.contains(0) {
            report.add("expected the name of a group, found \(group.quoted)", at: map["group"])
        }
    }
}

extension MetricsConfiguration {
    fileprivate func validate(_ report: ConfigurationReport) {
        if listen.port == 0 {
            report.add("port 0 cannot be listened on; take one from 1 to 65535", at: map["listen"])
        }
        if listen.address.isMulticast || listen.address == .v4(.broadcast) {
            report.add("\(listen.address) is no address that a server can listen on", at: map["listen"])
        }
        if case .v6(let address) = listen.address, address.isLinkLocal {
            report.add(
                "\(address) is an address on each link, and a server can't be told which; take another",
                at: map["listen"])
        }
    }
}

extension WorkerConfiguration {
    fileprivate func validate(_ report: ConfigurationReport) {
        report.check(count, .workers, at: map["count"])
        report.check(spin, .idleTime, at: map["spin"])
        report.check(sleep, .idleTime, at: map["sleep"])
        guard let cpus else { return }
        if cpus.isEmpty { report.add("no core is named; leave \"cpus\" out to use any", at: map["cpus"]) }
        var seen: [Int: Int] = [:]
        for (index, cpu) in cpus.enumerated() {
            report.check(cpu, .cpu, at: map["cpus", index])
            if let earlier = seen.updateValue(index, forKey: cpu) {
                report.add(
                    "core \(cpu) is named twice; each worker needs a core of its own", at: map["cpus", index],
                    notes: [.init("it is named here first", at: map["cpus", earlier])])
            }
        }
        if let count, !cpus.isEmpty, count != cpus.count {
            report.add(
                "\(count) worker\(count == 1 ? "" : "s") and \(cpus.count) core\(cpus.count == 1 ? "" : "s"): "
                    + "name a core for each worker, or leave one of the two out",
                at: map["count"], notes: [.init("the cores are named here", at: map["cpus"])])
        }
    }
}

extension LimitConfiguration {
    fileprivate func validate(_ report: ConfigurationReport) {
        report.check(streams, .streams, at: map["streams"])
        report.check(destinations, .destinations, at: map["destinations"])
        report.check(pendingPackets, .pendingPackets, at: map["pendingPackets"])
    }
}
