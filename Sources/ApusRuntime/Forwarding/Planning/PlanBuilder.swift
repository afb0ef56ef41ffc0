import ApusConfig
import ApusHost
import ApusRTP
import ApusWire

/// Makes a ``ForwardingPlan`` of the configuration and of what the host knows at this moment.
struct PlanBuilder {
    let configuration: ForwarderConfiguration
    let places: [StreamDirectory.Place]
    let host: HostView
    /// The number of each open interface, by its index.
    let interfaceNumbers: [Int32: Int]
    /// The devices that the kernel does not have, as their hosts.
    let devices: [String: DeviceHost]
    /// Neighbors that have not answered for so long that nothing is to wait for them.
    let silent: Set<Neighbor.Key>

    /// The neighbors in use, and those of them that are not resolved.
    var neighbors: Set<Neighbor.Key> = []
    var unresolved: Set<Neighbor.Key> { Set(numbers.keys) }
    var numbers: [Neighbor.Key: Int] = [:]
    /// By number of the device, what leaves by it.
    var flows: [Int: Set<NarrowPaths.Flow>] = [:]
    /// Destinations that can't be reached, with the reason, in the order of the configuration.
    var unreachable: [(destination: Endpoint, reason: String)] = []
    /// What the kernel was asked, and what it said.
    private(set) var resolutions: [Route.Query: Resolution] = [:]

    init(
        _ configuration: ForwarderConfiguration, places: [StreamDirectory.Place], host: HostView,
        interfaceNumbers: [Int32: Int], devices: [String: DeviceHost] = [:], silent: Set<Neighbor.Key> = []
    ) {
        self.configuration = configuration
        self.places = places
        self.host = host
        self.interfaceNumbers = interfaceNumbers
        self.devices = devices
        self.silent = silent
    }

    /// What the kernel is asked for the way to a destination: all that a rule may look at (`ip rule`) of what
    /// a socket bound to the listening address would send there.
    static func query(
        for destination: Endpoint, of stream: StreamConfiguration, _ configuration: ForwarderConfiguration,
        host: HostView
    ) -> Route.Query {
        var query = Route.Query(
            to: destination.address, port: destination.port, sourcePort: stream.listen.port)
        query.source = kernelSource(for: destination, of: stream, configuration)
        if isOnInterface(destination.address, of: stream), let name = stream.interface {
            query.interface = try? host.link(named: name).index
        }
        return query
    }

    /// Whether a destination is on the interface of its stream: neighbors without a wider address, and groups,
    /// but for a stream that takes one group to another. What it names is where the first one comes from.
    private static func isOnInterface(_ address: IPAddress, of stream: StreamConfiguration) -> Bool {
        let isRouted = stream.listen.address.isMulticast
        return switch address {
        case .v4(let address): address.isMulticast && !isRouted
        case .v6(let address):
            address.isLinkLocal || address.isMulticast && (!isRouted || address.high >> 48 & 0xf <= 2)
        }
    }

    /// The listening address as the source, as a socket bound to it would send; `nil` where that can't
    /// be: another family, any address, a group.
    static func ownSource(for destination: Endpoint, of stream: StreamConfiguration) -> IPAddress? {
        let listen = stream.listen.address
        guard !listen.isAny, !listen.isMulticast else { return nil }
        switch (listen, destination.address) {
        case (.v4, .v4), (.v6, .v6): return listen
        default: return nil
        }
    }

    /// The same where the kernel has the listening address: of one that only a device of DPDK has it knows no way, and nobody
    /// on its links could answer it.
    private static func kernelSource(
        for destination: Endpoint, of stream: StreamConfiguration, _ configuration: ForwarderConfiguration
    ) -> IPAddress? {
        guard configuration.dpdkInterface(having: stream.listen.address) == nil else { return nil }
        return ownSource(for: destination, of: stream)
    }

    /// Builds the plan.
    mutating func plan() throws(HostError) -> ForwardingPlan {
        var streams: [ForwardingPlan.Stream] = []
        for (stream, place) in zip(configuration.streams, places) {
            var destinations: [Destination] = []
            for endpoint in stream.to {
                destinations.append(Destination(endpoint, path: try path(to: endpoint, of: stream)))
            }
            streams.append(
                ForwardingPlan.Stream(
                    slot: place.slot, generation: place.generation, listen: stream.listen,
                    hopLimit: stream.ttl.map { UInt8(clamping: $0) }, isRTP: stream.rtp,
                    destinations: destinations))
        }
        let own = host.addresses.map(\.address) + devices.values.flatMap(\.addresses)
        return ForwardingPlan(streams: streams, ownAddresses: own)
    }

    private mutating func path(
        to endpoint: Endpoint, of stream: StreamConfiguration
    ) throws(HostError) -> Destination.Path {
        if let way = configuration.dpdkWay(of: stream, to: endpoint.address),
            let device = devices[way.interface]
        {
            return path(by: device, neighbor: way.neighbor ?? endpoint.address, to: endpoint, of: stream)
        }
        let query = Self.query(for: endpoint, of: stream, configuration, host: host)
        let resolution: Resolution
        if let known = resolutions[query] {
            resolution = known
        } else {
            resolution = try host.resolve(query)
            resolutions[query] = resolution
        }
        switch resolution {
        case .resolved(let hop):
            if let neighbor = hop.neighbor { neighbors.insert(neighbor) }
            return path(by: hop, to: endpoint, of: stream)
        case .unresolved(let hop):
            // Only of a neighbor the address can be missing.
            guard let neighbor = hop.neighbor else { return .unreachable }
            neighbors.insert(neighbor)
            let number = numbers[neighbor] ?? numbers.count
            numbers[neighbor] = number
            if silent.contains(neighbor) {
                unreachable.append(
                    (endpoint, "\(neighbor.address) does not answer on \(hop.interfaceName)"))
                return .unreachable
            }
            return .unresolved(neighbor: number)
        case .unreachable(let reason):
            unreachable.append((endpoint, "\(reason)"))
            return .unreachable
        }
    }

    private mutating func path(
        by hop: NextHop, to endpoint: Endpoint, of stream: StreamConfiguration
    ) -> Destination.Path {
        guard let number = interfaceNumbers[hop.interface] else {
            unreachable.append((endpoint, "it leaves by \(hop.interfaceName), which is not open here"))
            return .unreachable
        }
        let source = Endpoint(
            Self.kernelSource(for: endpoint, of: stream, configuration) ?? hop.source,
            port: stream.listen.port)
        guard let mac = hop.destinationMAC,
            var headers = UDPEncapsulation(
                nextHop: mac, interface: hop.sourceMAC, tags: VLANTags(hop.vlans), source: source,
                destination: endpoint)
        else {
            unreachable.append((endpoint, "\(hop.interfaceName) has no address of its family"))
            return .unreachable
        }
        if headers.isIPv6 { headers.flowLabel = Self.flowLabel(from: source, to: endpoint) }
        // The MTU as it is now, which a tag is not part of; what was true when the port was opened may not be.
        let longest = hop.mtu + 14 + headers.tags.byteCount
        return .ready(interface: UInt16(number), headers, maximumPacketSize: longest)
    }
}

extension PlanBuilder {
    /// One label for all packets of a flow, which can't be guessed from outside and is never 0, the sign that there
    /// is none (RFC 6437 section 3): the standard library hashes with secret numbers, new ones in each process.
    static func flowLabel(from source: Endpoint, to destination: Endpoint) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(source)
        hasher.combine(destination)
        return UInt32(UInt(bitPattern: hasher.finalize()) % 0xf_ffff) + 1
    }
}

extension VLANTags {
    /// The tags of VLAN interfaces, the outermost first; at most two.
    init(_ vlans: [Link.VLAN]) {
        let tags = vlans.map { VLANTag(tagProtocol: EtherType(rawValue: $0.tpid), identifier: $0.id) }
        switch tags.count {
        case 0: self.init()
        case 1: self.init(tags[0])
        default: self.init(outer: tags[0], inner: tags[1])
        }
    }
}
