import ApusWire

extension DPDKPortConfiguration {
    /// The keys of an interface that are for DPDK alone.
    private static let keys = ["addresses", "gateway", "routes", "mtu", "mac", "promiscuous"]

    /// Reads the settings of an interface that DPDK opens by `name`; nil if the device or the addresses can't be had,
    /// which is noted then.
    static func read(_ reader: inout ObjectReader, name: String) -> DPDKPortConfiguration? {
        let report = reader.report
        var device: DPDKDevice?
        do {
            device = try DPDKDevice.read(name)
        } catch {
            report.add(error.message, at: reader.map["name"])
        }
        let addresses = reader.array("addresses", of: AddressPrefix.self)
        if addresses == nil, reader.value("addresses") == nil {
            report.add(
                "\"addresses\" is missing: expected those that the host has on \(name.quoted), which the kernel does not "
                    + "have, such as addresses: [\"192.0.2.1/24\"]", at: reader.map.whole)
        }
        let gateways = reader.oneOrMore("gateway", of: IPAddress.self) ?? []
        let routes = reader.objects("routes", RouteConfiguration.read) ?? []
        var mtu = 1500
        reader.read("mtu", into: &mtu)
        let mac = reader.optional("mac", as: MACAddress.self)
        var promiscuous = false
        reader.read("promiscuous", into: &promiscuous)
        guard let device, let addresses else { return nil }
        return DPDKPortConfiguration(
            device: device, addresses: addresses, gateways: gateways, routes: routes, mtu: mtu, mac: mac,
            promiscuous: promiscuous, map: reader.map)
    }

    /// Takes note of the keys where it can't be known whose they are.
    static func pass(_ reader: inout ObjectReader) { for key in keys { _ = reader.value(key) } }

    /// Notes which of the keys were written for an interface that the kernel has.
    static func refuse(_ reader: inout ObjectReader, name: String) {
        // What no interface of the kernel is called is refused for that.
        if DPDKDevice.isMeant(by: name) { return pass(&reader) }
        for key in keys where reader.value(key) != nil {
            let why =
                switch key {
                case "addresses": "the kernel has the addresses of \(name): `ip address add` gives it one"
                case "gateway", "routes": "the kernel has the routes of \(name): `ip route add` adds one"
                case "mtu": "the kernel has the MTU of \(name): `ip link set dev \(name) mtu N` sets it"
                case "mac":
                    "the kernel has the link-layer address of \(name): `ip link set dev \(name) address MAC` sets it"
                default:
                    "the kernel decides what \(name) receives: `ip link set dev \(name) promisc on` sets it"
                }
            reader.report.add(
                "\"\(key)\" is for an interface that DPDK takes from the kernel, and \(why); leave it out",
                at: reader.map[key])
        }
    }
}

extension RouteConfiguration {
    fileprivate static func read(_ reader: inout ObjectReader) -> RouteConfiguration? {
        let to = reader.required("to", as: AddressPrefix.self)
        let via = reader.required("via", as: IPAddress.self)
        guard let to, let via else { return nil }
        return RouteConfiguration(to: to, via: via, map: reader.map)
    }
}
