import ApusConfig
import ApusHost
import ApusWire

/// Holds a configuration against the host it is to run on, before anything is touched.
struct HostCheck {
    let configuration: ForwarderConfiguration
    let host: HostView
    let report: ConfigurationReport

    /// The names of the interfaces to open, those beneath VLAN interfaces in their place.
    ///
    /// Throws all that is wrong: an interface that is missing, a listening address that is not the host's, a VLAN
    /// interface to listen on with a link-layer address of its own, a destination that is the host itself or can't be reached by any route.
    static func interfaces(
        for configuration: ForwarderConfiguration, on host: HostView
    ) throws(ConfigurationErrors) -> [String] {
        let check = HostCheck(
            configuration: configuration, host: host, report: ConfigurationReport(on: configuration.source))
        let names = check.interfaces()
        check.checkPorts(names)
        try check.report.check()
        return names
    }

    private func interfaces() -> [String] {
        var names: [String] = []
        func add(_ link: Link) {
            guard let lowest = lowest(link), !names.contains(lowest.name) else { return }
            names.append(lowest.name)
        }
        for interface in configuration.interfaces {
            do throws(HostError) {
                add(try host.link(named: interface.name))
            } catch {
                report.add("\(error)", at: interface.map["name"])
            }
        }
        let isGiven = !configuration.interfaces.isEmpty
        for stream in configuration.streams {
            if let link = listeningLink(stream) {
                addFound(link, stream.map["listen"], stream)
                checkMACAddress(link, stream)
            } else if stream.interface != nil || !stream.listen.address.isAny {
                // It can't listen, and the rest makes no sense either, as it would be sent from that address.
                continue
            }
            for (number, destination) in stream.to.enumerated() {
                if let link = leavingLink(stream, destination, at: stream.map["to", number]) {
                    addFound(link, stream.map["to", number], stream)
                }
            }
        }
        func addFound(_ link: Link, _ place: ConfigurationLocation, _ stream: StreamConfiguration) {
            guard let lowest = lowest(link) else { return }
            if isGiven, !names.contains(lowest.name) {
                report.add(
                    """
                    the stream "\(stream.name)" uses the interface \(lowest.name), which is not among \
                    "interfaces"; add { name: "\(lowest.name)" }
                    """, at: place)
            } else {
                add(link)
            }
        }
        if names.isEmpty, report.isEmpty {
            report.add(
                "no interface follows from the streams, since they listen on any address; name one in \"interfaces\"",
                at: configuration.streams.first?.map["listen"] ?? .unknown)
        }
        return names
    }

    /// The interface that frames really pass.
    private func lowest(_ link: Link) -> Link? {
        var link = link
        // Two tags are the most, so three steps are enough to see that there are more.
        for _ in 0..<3 {
            guard link.vlan != nil, let parent = link.parent else { return link }
            guard let below = host.links[parent] else { return nil }
            link = below
        }
        return nil
    }

    private func listeningLink(_ stream: StreamConfiguration) -> Link? {
        let place = stream.map["listen"]
        if let name = stream.interface {
            do throws(HostError) {
                return try host.link(named: name)
            } catch {
                report.add("\(error)", at: stream.map["interface"])
                return nil
            }
        }
        let address = stream.listen.address
        if address.isAny { return nil }
        if let link = host.link(having: address) {
            if link.isLoopback {
                report.add(
                    "\(address) is a loopback address: no packet from a network arrives there", at: place)
                return nil
            }
            return link
        }
        let own = host.addresses.map(\.address).filter { address in
            switch (address, stream.listen.address) {
            case (.v4(let own), .v4): !own.isLoopback
            case (.v6(let own), .v6): own != .loopback
            default: false
            }
        }
        let list = own.prefix(8).map(\.description).joined(separator: ", ")
        report.add(
            "\(address) is not an address of this host"
                + (own.isEmpty ? ", which has none of that family" : "; it has: \(list)"), at: place)
        return nil
    }

    /// What comes for a VLAN interface comes by the lowest interface beneath, and is known there by the address of
    /// that one: AF_PACKET and the relay take what goes to another for another host's.
    private func checkMACAddress(_ link: Link, _ stream: StreamConfiguration) {
        guard link.vlan != nil, let lowest = lowest(link), let theirs = lowest.macAddress,
            theirs != link.macAddress, !stream.listen.address.isMulticast
        else { return }
        report.add(
            """
            the VLAN interface \(link.name) has a link-layer address of its own, and packets are received by \
            \(lowest.name) beneath it, where those to another address than its own are not taken; \
            give both the same: `ip link set dev \(link.name) address \(theirs)`
            """, at: stream.interface == nil ? stream.map["listen"] : stream.map["interface"])
    }

    private func leavingLink(
        _ stream: StreamConfiguration, _ destination: Endpoint, at place: ConfigurationLocation
    ) -> Link? {
        do throws(HostError) {
            switch try host.resolve(PlanBuilder.query(for: destination, of: stream, host: host)) {
            case .resolved(let hop), .unresolved(let hop): return host.links[hop.interface]
            case .unreachable(.interfaceDown(let name)): return try host.link(named: name)
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
