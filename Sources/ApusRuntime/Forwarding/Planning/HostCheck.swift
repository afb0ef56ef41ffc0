import ApusConfig
import ApusHost
import ApusWire

/// Holds a configuration against the host it is to run on, before anything is touched.
struct HostCheck {
    let configuration: ForwarderConfiguration
    let host: HostView
    let report: ConfigurationReport

    /// The interfaces to open, those beneath VLAN interfaces in their place.
    ///
    /// Throws all that is wrong: an interface that is missing, or to listen on without Ethernet frames, a listening
    /// address that is not the host's, a VLAN interface to listen on with a link-layer address of its own, a
    /// destination that is the host itself, a broadcast address, or can't be reached by any route. What is right, and has too little of something on this host, such as
    /// queues or cores, is ``ForwarderError/unavailable(_:)``, unless something is wrong too; and ``ForwarderError/missing(_:)`` where
    /// nothing is in the way but that there are no such devices for DPDK.
    static func interfaces(
        for configuration: ForwarderConfiguration, on host: HostView
    ) throws(ForwarderError) -> NeededInterfaces {
        let check = HostCheck(
            configuration: configuration, host: host, report: ConfigurationReport(on: configuration.source))
        let needed = check.interfaces()
        check.checkPorts(needed.names)
        let isRight = check.report.isEmpty
        check.checkMeans(needed.names)
        let isEnough = check.report.isEmpty
        check.checkDevices(needed.names, areMissing: true)
        do throws(ConfigurationErrors) {
            try check.report.check()
        } catch {
            guard isRight else { throw .configuration(error) }
            throw isEnough ? .missing(error) : .unavailable(error)
        }
        return needed
    }

    private func interfaces() -> NeededInterfaces {
        var needed = NeededInterfaces()
        for interface in configuration.interfaces {
            // The kernel has none of the rest, and whether its device is there only DPDK knows.
            guard interface.port.backend != .dpdk else {
                needed.add(interface.name, for: .init(interface))
                checkOwnAddresses(of: interface)
                continue
            }
            do throws(HostError) {
                if let lowest = lowest(try host.link(named: interface.name)) {
                    needed.add(lowest.name, for: .init(interface))
                    if !lowest.isEthernet { report.add(Self.noEthernet(lowest), at: interface.map["name"]) }
                }
            } catch {
                report.add("\(error)", at: interface.map["name"])
            }
        }
        let listed = needed.names
        // Those that are not listed are opened too, as the defaults say.
        func add(_ link: Link, _ place: ConfigurationLocation, _ stream: StreamConfiguration) {
            if let lowest = lowest(link) { needed.add(lowest.name, for: .init(stream, at: place)) }
        }
        for stream in configuration.streams {
            // Of a stream that can't listen the rest makes no sense either, as it would be sent from that address.
            guard let listening = listening(stream) else { continue }
            switch listening {
            case .onAny: needed.listen(on: listed)
            case .onDevice(let name): needed.listen(on: [name])
            case .on(let link):
                add(link, stream.map["listen"], stream)
                if let lowest = lowest(link) {
                    needed.listen(on: [lowest.name])
                    if !lowest.isEthernet {
                        report.add(
                            Self.noEthernet(lowest),
                            at: stream.map[stream.interface == nil ? "listen" : "interface"])
                    }
                }
                if !stream.listen.address.isMulticast, let refusal = macAddressRefusal(of: link) {
                    report.add(refusal, at: stream.map[stream.interface == nil ? "listen" : "interface"])
                }
            }
            for (number, destination) in stream.to.enumerated() {
                let place = stream.map["to", number]
                // The interface is listed, so it is added already.
                if configuration.dpdkWay(of: stream, to: destination.address) != nil { continue }
                if let link = leavingLink(stream, destination, at: place) { add(link, place, stream) }
            }
        }
        if configuration.interfaces.isEmpty { addInterfacesOfAnyAddress(to: &needed) }
        addWarnings(to: &needed)
        return needed
    }

    /// AF_PACKET refuses such an interface; AF_XDP takes it, and receives nothing.
    private static func noEthernet(_ link: Link) -> String {
        "the interface \(link.name) carries no Ethernet frames, so Apus can't receive on it; choose one that does"
    }

    /// The interface that frames really pass.
    func lowest(_ link: Link) -> Link? {
        var link = link
        // Two tags are the most, so three steps are enough to see that there are more.
        for _ in 0..<3 {
            guard link.vlan != nil, let parent = link.parent else { return link }
            guard let below = host.links[parent] else { return nil }
            link = below
        }
        return nil
    }

    private func leavingLink(
        _ stream: StreamConfiguration, _ destination: Endpoint, at place: ConfigurationLocation
    ) -> Link? {
        do throws(HostError) {
            switch try host.resolve(
                PlanBuilder.query(for: destination, of: stream, configuration, host: host))
            {
            case .resolved(let hop), .unresolved(let hop): return host.links[hop.interface]
            case .unreachable(.interfaceDown(let name)): return try host.link(named: name)
            case .unreachable(.noRoute):
                let way =
                    if let name = configuration.dpdkInterface(listening: stream) {
                        "no network, route or gateway of \(name) leads to \(destination.address), and the kernel has no "
                            + "route to it either; give the interface a gateway or a route"
                    } else {
                        "\(UnreachableReason.noRoute(destination.address))"
                    }
                report.add(way, at: place)
                return nil
            case .unreachable(let reason):
                report.add("\(reason)", at: place)
                return nil
            }
        } catch {
            report.add("\(error)", at: place)
            return nil
        }
    }
}
