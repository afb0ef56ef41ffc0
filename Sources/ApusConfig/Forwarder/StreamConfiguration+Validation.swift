import ApusWire

extension StreamConfiguration {
    /// Checks what concerns this stream alone.
    func validate(
        _ report: ConfigurationReport, limits: LimitConfiguration, interfaces: [InterfaceConfiguration]
    ) {
        report.check(name: name, at: map["name"])
        report.check(ttl, .ttl, at: map["ttl"])
        validateInterface(interfaces, report)
        if let refusal = listeningRefusal { report.add(refusal, at: map["listen"]) }
        validateDestinations(report, limits: limits, interfaces: interfaces)
    }

    private func validateInterface(_ interfaces: [InterfaceConfiguration], _ report: ConfigurationReport) {
        guard let interface, !interfaces.contains(where: { $0.name == interface }) else { return }
        let listed = interfaces.filter { $0.port.dpdk != nil }.map(\.name)
        let name = String(interface.prefix { $0 != "," })
        let near = DPDKDevice.isMeant(by: interface) ? nearestName(to: name, among: listed) : nil
        guard near != nil || interface.contains(where: { $0 == ":" || $0 == "," }) else {
            return validateInterfaceName(interface, at: map["interface"], report)
        }
        report.add(
            "the interface \(interface.quoted) is none of those that \"interfaces\" lists, as one over DPDK has to be"
                + (near.map { "; did you mean \"\($0)\"?" } ?? ", with its addresses; add it there"),
            at: map["interface"])
    }

    private var listeningRefusal: String? {
        if listen.port == 0 { return "port 0 cannot be listened on; take one from 1 to 65535" }
        if listen.address.isAny { return nil }
        if case .v6(let group) = listen.address, group.isMulticast, group.high >> 48 & 0xf < 2 {
            return "\(group) is a group within one host (RFC 4291 section 2.7); nothing arrives there"
        }
        if listen.address.isMulticast, interface == nil {
            let name = map.name(of: "interface")
            return "say with \(name) on which link the group \(listen.address) is to be joined"
        }
        return nonsense(listen, is: "no address that a host can have; give one of this host")
    }

    private func validateDestinations(
        _ report: ConfigurationReport, limits: LimitConfiguration, interfaces: [InterfaceConfiguration]
    ) {
        if to.count > limits.destinations {
            report.add(
                "the stream has \(to.count) destinations, and \"limits.destinations\" permits \(limits.destinations)",
                at: map["to", limits.destinations])
            return
        }
        var first: [Endpoint: Int] = [:]
        for (index, destination) in to.enumerated() {
            if let refusal = refusal(of: destination, interfaces: interfaces) {
                report.add(refusal, at: map["to", index])
            }
            if let earlier = first.updateValue(index, forKey: destination) {
                report.add(
                    "\(destination) is there twice, and would get each packet twice", at: map["to", index],
                    notes: [.init("the first is here", at: map["to", earlier])])
            }
        }
        // Of a stream from a file its reader has said so, in the same words.
        if to.isEmpty, map.whole.position == nil {
            report.add("the stream has no destination; add one, such as 198.51.100.7:5004", at: map["to"])
        }
    }

    private func refusal(of destination: Endpoint, interfaces: [InterfaceConfiguration]) -> String? {
        if destination.port == 0 { return "nothing can be sent to port 0; take one from 1 to 65535" }
        if destination.address.isAny {
            return
                "nothing can be sent to \(destination.address), which means any address; give the receiver's"
        }
        if destination.address == .v4(.broadcast) {
            return "nothing is relayed to the broadcast address; give the receiver's, or a multicast group"
        }
        if case .v6(let group) = destination.address, group.isMulticast, group.high >> 48 & 0xf < 2 {
            let what =
                group.high >> 48 & 0xf == 1
                ? "a group within one host (RFC 4291 section 2.7), and nothing is sent there"
                : "a group of scope 0, which is reserved (RFC 4291 section 2.7)"
            return "\(group) is \(what); give a wider one"
        }
        if case .v6(let address) = destination.address, address.isLinkLocal, interface == nil,
            interfaces.count != 1
        {
            return "\(address) is link-local: say with \(map.name(of: "interface")) on which link it is"
        }
        return nonsense(destination, is: "no address that a host can have; give the receiver's")
    }

    private func nonsense(_ endpoint: Endpoint, is what: String) -> String? {
        switch endpoint.address {
        case .v4(let address):
            // 0.0.0.0/8 and 240.0.0.0/4 of RFC 6890.
            return address.bits >> 24 == 0 || address.bits >> 28 == 0xf ? "\(address) is \(what)" : nil
        case .v6(let address):
            guard address.isIPv4Mapped else { return nil }
            let inner = Endpoint(
                .v4(IPv4Address(bits: UInt32(truncatingIfNeeded: address.low))), port: endpoint.port)
            return "\(address) is an IPv4 address in the guise of IPv6; write \"\(inner)\""
        }
    }
}
