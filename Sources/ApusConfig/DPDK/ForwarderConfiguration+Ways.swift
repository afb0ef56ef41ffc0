public import ApusWire

/// The interfaces that no kernel has: which addresses are the host's there, and what leaves by them.
extension ForwarderConfiguration {
    /// The interfaces over DPDK, in the order they are listed.
    public var dpdkInterfaces: [(name: String, port: DPDKPortConfiguration)] {
        interfaces.compactMap { interface in interface.port.dpdk.map { (interface.name, $0) } }
    }

    /// The interface over DPDK that has an address of its own, if one has.
    public func dpdkInterface(having address: IPAddress) -> String? {
        dpdkInterfaces.first { $0.port.has(address) }?.name
    }

    /// The interface over DPDK that a stream listens on: the one it names, or that has its address; nil where it
    /// listens on one of the kernel's, or on several.
    public func dpdkInterface(listening stream: StreamConfiguration) -> String? {
        if let name = stream.interface { return dpdkInterfaces.first { $0.name == name }?.name }
        return dpdkInterface(having: stream.listen.address)
    }

    /// The interface over DPDK by which a stream leaves for `destination`, and the neighbor it goes to first, which is
    /// nil for a group; nil where the kernel's routes say the way.
    ///
    /// The longest prefix of all DPDK interfaces decides, and of equal ones that of the interface the stream listens on.
    /// What only a gateway or another route of length 0 leads to goes by DPDK if the stream listens there or at any
    /// address, else by the kernel. Groups and link-local addresses are on the link that the stream listens on. It
    /// takes time in proportion to the routes: for the control plane.
    public func dpdkWay(
        of stream: StreamConfiguration, to destination: IPAddress
    ) -> (interface: String, neighbor: IPAddress?)? {
        let own = dpdkInterface(listening: stream)
        if destination.isMulticast || destination.isLinkLocalIPv6 {
            return own.map { ($0, destination.isMulticast ? nil : destination) }
        }
        var best: (interface: String, neighbor: IPAddress, length: Int)?
        for (name, port) in dpdkInterfaces {
            guard let route = port.route(to: destination) else { continue }
            if route.length > best?.length ?? -1 || route.length == best?.length && name == own {
                best = (name, route.neighbor, route.length)
            }
        }
        let isAnywhere = stream.interface == nil && stream.listen.address.isAny
        guard let best, best.length > 0 || best.interface == own || isAnywhere else { return nil }
        return (best.interface, best.neighbor)
    }
}
