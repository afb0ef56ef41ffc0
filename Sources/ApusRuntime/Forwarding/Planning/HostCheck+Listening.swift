import ApusConfig
import ApusHost
import ApusWire

/// Where a stream listens.
extension HostCheck {
    enum Listening {
        /// On one interface.
        case on(Link)
        /// On one that the kernel does not have.
        case onDevice(String)
        /// On each interface that has an address of the family, or those that the configuration lists and streams
        /// leave by.
        case onAny
    }

    /// Where it listens; nil when it can't, which is noted then.
    func listening(_ stream: StreamConfiguration) -> Listening? {
        if let name = configuration.dpdkInterface(listening: stream) {
            return listening(stream, onDevice: name)
        }
        var named: Link?
        if let name = stream.interface {
            do throws(HostError) {
                named = try host.link(named: name)
            } catch {
                report.add("\(error)", at: stream.map["interface"])
                return nil
            }
        }
        let address = stream.listen.address
        if address.isAny || address.isMulticast { return named.map(Listening.on) ?? .onAny }
        guard !address.isLoopback else {
            report.add(
                "\(address) is a loopback address: no packet from a network arrives there",
                at: stream.map["listen"])
            return nil
        }
        guard let own = host.link(having: address) else {
            reportForeign(address, at: stream.map["listen"])
            return nil
        }
        guard named != nil || !own.isLoopback else {
            report.add(
                "\(address) is on the loopback interface \(own.name), where no packet from a network arrives; say with "
                    + "\(stream.map.name(of: "interface")) where they come in",
                at: stream.map["listen"])
            return nil
        }
        return .on(named ?? own)
    }

    private func listening(_ stream: StreamConfiguration, onDevice name: String) -> Listening? {
        let address = stream.listen.address
        guard !address.isAny, !address.isMulticast,
            let own = configuration.port(on: name).dpdk?.addresses.map(\.address), !own.contains(address)
        else { return .onDevice(name) }
        let list = own.map(\.description).joined(separator: ", ")
        report.add(
            "\(address) is not an address of \(name); it has: \(list)", at: stream.map["listen"],
            notes: [.init("the interface is named here", at: stream.map["interface"])])
        return nil
    }

    /// Notes the addresses that the kernel has as well: it would answer for them on other links.
    func checkOwnAddresses(of interface: InterfaceConfiguration) {
        guard let port = interface.port.dpdk else { return }
        for (index, prefix) in port.addresses.enumerated() {
            guard let theirs = host.addresses.first(where: { $0.address == prefix.address }),
                let link = host.links[theirs.interface]
            else { continue }
            report.add(
                "\(prefix.address) is an address of \(link.name), which the kernel has; take it from there with "
                    + "`ip address del \(prefix.address)/\(theirs.prefixLength) dev \(link.name)`, or give \(interface.name) another",
                at: port.map["addresses", index])
        }
    }

    private func reportForeign(_ address: IPAddress, at place: ConfigurationLocation) {
        let others = configuration.dpdkInterfaces.flatMap { $0.port.addresses.map(\.address) }
        let own = (others + host.addresses.map(\.address)).filter {
            $0.isOfFamily(of: address) && !$0.isLoopback
        }
        let list = own.prefix(8).map(\.description).joined(separator: ", ")
        report.add(
            "\(address) is not an address of this host"
                + (own.isEmpty ? ", which has none of that family" : "; it has: \(list)"), at: place)
    }

    /// Adds the interfaces of streams that listen at any address and name none: as a UDP socket would, they take
    /// what comes in by each that is up and has an address of their family.
    func addInterfacesOfAnyAddress(to needed: inout NeededInterfaces) {
        for stream in configuration.streams where stream.interface == nil && stream.listen.address.isAny {
            var found = false
            for link in host.linksByIndex where mayReceive(link, stream.listen.address) {
                let refusal =
                    link.isEthernet
                    ? macAddressRefusal(of: link)
                    : "what comes in by \(link.name), which carries no Ethernet frames, is not received"
                if let refusal {
                    needed.warnings.append(configuration.error(refusal, at: stream.map["listen"]))
                }
                guard refusal == nil, let lowest = lowest(link) else { continue }
                found = true
                needed.addOptional(lowest.name)
            }
            if !found {
                report.add(
                    "no interface that is up has an address of the family of \(stream.listen.address), so that no "
                        + "packet could arrive; name one with \(stream.map.name(of: "interface"))",
                    at: stream.map["listen"])
            }
        }
    }

    /// What comes for a VLAN interface comes by the lowest interface beneath, and is known there by the address of
    /// that one: AF_PACKET and the relay take what goes to another for another host's.
    func macAddressRefusal(of link: Link) -> String? {
        guard link.vlan != nil, let lowest = lowest(link), let theirs = lowest.macAddress,
            theirs != link.macAddress
        else { return nil }
        return """
            the VLAN interface \(link.name) has a link-layer address of its own, and packets are received by \
            \(lowest.name) beneath it, where those to another address than its own are not taken; \
            give both the same: `ip link set dev \(link.name) address \(theirs)`
            """
    }

    /// Whether the host takes packets of a family that come in by an interface.
    private func mayReceive(_ link: Link, _ family: IPAddress) -> Bool {
        guard link.isUp, !link.isLoopback, link.kind != "vrf" else { return false }
        // What comes in by a port of a bridge or bond comes in by that one.
        if let controller = link.controller.flatMap({ host.links[$0] }), controller.kind != "vrf" {
            return false
        }
        return host.addresses.contains { $0.interface == link.index && $0.address.isOfFamily(of: family) }
    }

    private func has(_ link: Link, _ address: IPAddress) -> Bool {
        host.addresses.contains { $0.interface == link.index && $0.address == address }
    }

    /// Warns of addresses whose own interface is not listened on.
    func addWarnings(to needed: inout NeededInterfaces) {
        for stream in configuration.streams {
            guard let name = stream.interface, !stream.listen.address.isAny,
                let named = try? host.link(named: name), !has(named, stream.listen.address),
                let own = host.link(having: stream.listen.address), !own.isLoopback,
                let lowest = lowest(own), !needed.names.contains(lowest.name)
            else { continue }
            let option = stream.map.name(of: "interface")
            needed.warnings.append(
                configuration.error(
                    "\(stream.listen.address) is an address of \(own.name), and what comes in there is not received; "
                        + "leave \(option) out, unless what is sent there comes in by \(name)",
                    at: stream.map["interface"]))
        }
    }
}

extension IPAddress {
    /// Whether both are IPv4 or both are IPv6.
    func isOfFamily(of other: IPAddress) -> Bool {
        switch (self, other) {
        case (.v4, .v4), (.v6, .v6): true
        default: false
        }
    }

    fileprivate var isLoopback: Bool {
        switch self {
        case .v4(let address): address.isLoopback
        case .v6(let address): address == .loopback
        }
    }
}
