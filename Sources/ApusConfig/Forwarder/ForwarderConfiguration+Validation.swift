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

    private func validateInterfaces(_ report: ConfigurationReport) {
        var first: [String: ConfigurationLocation] = [:]
        for interface in interfaces {
            let place = interface.map["name"]
            validateInterfaceName(interface.name, at: place, report)
            if let earlier = first[interface.name] {
                report.add(
                    "the interface \(interface.name.quoted) is listed twice", at: place,
                    notes: [.init("it is listed here first", at: earlier)])
            } else {
                first[interface.name] = place
            }
            interface.port.validate(report, inheriting: defaults)
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
        let listeners = ListenerTable(streams, report)
        reportLoops(among: streams, listeners, report)
    }

    /// More endpoints than AF_XDP's steering program can be told are AF_PACKET's alone.
    private func validateEndpoints(of ports: [PortConfiguration], _ report: ConfigurationReport) {
        let most = IntegerRule.steeredEndpoints
        guard streams.count > most, ports.contains(where: { $0.backend != .packet }) else { return }
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
