import ApusWire

extension DPDKPortConfiguration {
    /// Checks the addresses and the ways of one interface.
    func validate(_ report: ConfigurationReport) {
        validateAddresses(report)
        validateGateways(report)
        validateRoutes(report)
        validateLink(report)
    }

    private func validateAddresses(_ report: ConfigurationReport) {
        if addresses.isEmpty {
            report.add(
                "the interface has no address; add one, such as "
                    + (map.name(of: "addresses").hasPrefix("-")
                        ? "--address 192.0.2.1/24" : "\"192.0.2.1/24\""),
                at: map["addresses"])
        }
        if addresses.count > Self.mostAddresses {
            report.add(
                "an interface has at most \(Self.mostAddresses) addresses, and this one \(addresses.count)",
                at: map["addresses", Self.mostAddresses])
        }
        var first: [IPAddress: Int] = [:]
        for (index, prefix) in addresses.enumerated() {
            let place = map["addresses", index]
            if let refusal = refusal(of: prefix) { report.add(refusal, at: place) }
            if let earlier = first.updateValue(index, forKey: prefix.address) {
                report.add(
                    "\(prefix.address) is there twice", at: place,
                    notes: [.init("the first is here", at: map["addresses", earlier])])
            }
        }
    }

    private func refusal(of prefix: AddressPrefix) -> String? {
        if let refusal = hostRefusal(of: prefix.address) { return refusal }
        if prefix.length == 0 {
            return "a prefix of 0 bits would make a neighbor of everybody; write that of the network"
        }
        if prefix.address == prefix.broadcast {
            return "\(prefix.address) is the broadcast address of \(prefix.network); give one of a host"
        }
        if case .v4 = prefix.address, prefix.length < 31, prefix.address == prefix.network.address {
            return
                "\(prefix.address) is the network \(prefix.network) itself; give an address of a host in it"
        }
        return nil
    }

    private func validateGateways(_ report: ConfigurationReport) {
        for (index, gateway) in gateways.enumerated() {
            let place = map["gateway", index]
            if let refusal = routerRefusal(of: gateway) { report.add(refusal, at: place) }
            if let earlier = gateways[..<index].firstIndex(where: { $0.bitCount == gateway.bitCount }) {
                report.add(
                    "there are two gateways for \(gateway.familyName), \(gateways[earlier]) and \(gateway); write a route "
                        + "for what goes by one of them",
                    at: place, notes: [.init("the first is here", at: map["gateway", earlier])])
            }
        }
    }

    private func validateRoutes(_ report: ConfigurationReport) {
        guard routes.count <= Self.mostRoutes else {
            report.add(
                "an interface has at most \(Self.mostRoutes) routes, and this one \(routes.count)",
                at: routes[Self.mostRoutes].map.whole)
            return
        }
        for (index, route) in routes.enumerated() {
            let place = route.map["to"]
            if route.to.address != route.to.network.address {
                report.add(
                    "\(route.to) is an address in a network; did you mean the network \"\(route.to.network)\"?",
                    at: place)
            } else if route.to.address.isMulticast {
                report.add(
                    "\(route.to) is of groups, which have no router; leave it out", at: place)
            }
            if route.to.address.bitCount != route.via.bitCount {
                report.add(
                    "the way to \(route.to) is by a router of the same IP version, and \(route.via) is of the other",
                    at: route.map["via"])
            } else if let refusal = routerRefusal(of: route.via) {
                report.add(refusal, at: route.map["via"])
            }
            if let earlier = routes[..<index].first(where: { $0.to == route.to }) {
                report.add(
                    "there are two routes to \(route.to)", at: place,
                    notes: [.init("the first is here", at: earlier.map["to"])])
            } else if route.to.length == 0,
                let gateway = gateways.firstIndex(where: { $0.bitCount == route.to.address.bitCount })
            {
                report.add(
                    "\(route.to) is what the gateway \(gateways[gateway]) is for; leave one of them out",
                    at: place,
                    notes: [.init("the gateway is here", at: map["gateway", gateway])])
            }
        }
    }

    /// Why an address can't be a router on the link.
    private func routerRefusal(of address: IPAddress) -> String? {
        if has(address) { return "\(address) is the interface's own address; give that of the router" }
        if let refusal = hostRefusal(of: address) { return refusal }
        if address.isLinkLocalIPv6 { return nil }
        let networks = addresses.filter { $0.address.bitCount == address.bitCount }.map(\.network)
        guard !networks.isEmpty else {
            return "the interface has no \(address.familyName) address to reach \(address) from; add one"
        }
        if let network = networks.first(where: { $0.broadcast == address }) {
            return "\(address) is the broadcast address of \(network); give the router's"
        }
        guard !networks.contains(where: { $0.contains(address) }) else { return nil }
        let list = networks.map(\.description).joined(separator: ", ")
        return
            "the router \(address) is on none of the interface's networks, which are \(list); it has to be a neighbor"
    }

    /// Why an address can't be a host's.
    private func hostRefusal(of address: IPAddress) -> String? {
        let isNone: Bool =
            switch address {
            case .v4(let address): address.bits >> 24 == 0 || address.bits >> 28 == 0xf || address.isLoopback
            case .v6(let address): address == .any || address == .loopback
            }
        if case .v6(let address) = address, address.isIPv4Mapped {
            return "\(address) is an IPv4 address in the guise of IPv6; write it as one"
        }
        guard isNone || address.isMulticast else { return nil }
        return "\(address) is no address that a host can have on a link"
    }

    private func validateLink(_ report: ConfigurationReport) {
        report.check(mtu, .mtu, at: map["mtu"])
        if (68..<1280).contains(mtu), addresses.contains(where: { $0.address.bitCount == 128 }) {
            report.add(
                "IPv6 needs an MTU of 1280 bytes (RFC 8200 section 5), found \(mtu); write more, or no IPv6 address",
                at: map["mtu"])
        }
        if let mac, mac.isGroup || mac == .zero {
            report.add(
                "\(mac) is no address that an interface can have; "
                    + (mac.isGroup
                        ? "the lowest bit of its first octet is for groups" : "all zeros stand for none"),
                at: map["mac"])
        }
    }
}

extension IPAddress {
    fileprivate var familyName: String { bitCount == 32 ? "IPv4" : "IPv6" }
}
