import ApusConfig
import ApusEndHost
import ApusHost
import ApusRTP
import ApusWire

extension PlanBuilder {
    /// The path to a destination by an interface that the kernel does not have.
    mutating func path(
        by device: DeviceHost, neighbor: IPAddress, to endpoint: Endpoint, of stream: StreamConfiguration
    ) -> Destination.Path {
        if device.has(endpoint.address) {
            unreachable.append((endpoint, "\(UnreachableReason.ourselves(endpoint.address))"))
            return .unreachable
        }
        flows[device.number, default: []].insert(
            NarrowPaths.Flow(source: stream.listen.port, destination: endpoint))
        // Below 0, as no interface of the kernel's has it.
        let key = Neighbor.Key(interface: -1 - Int32(device.number), address: neighbor)
        neighbors.insert(key)
        switch device.resolve(neighbor) {
        case .ready(let mac): return path(by: device, at: mac, to: endpoint, of: stream)
        case .pending:
            let number = numbers[key] ?? numbers.count
            numbers[key] = number
            return .unresolved(neighbor: number)
        case .unreachable(.noAnswer):
            unreachable.append((endpoint, "\(neighbor) does not answer on \(device.name)"))
        case .unreachable(.tooManyNeighbors):
            unreachable.append((endpoint, "\(device.name) has as many neighbors in use as it keeps"))
        case .unreachable(.noRoute):
            unreachable.append((endpoint, "\(neighbor) is on no network of \(device.name)"))
        }
        return .unreachable
    }

    private mutating func path(
        by device: DeviceHost, at mac: MACAddress, to endpoint: Endpoint, of stream: StreamConfiguration
    ) -> Destination.Path {
        // The listening address where it is one of the device's: of another link nobody there could answer it.
        var address = Self.ownSource(for: endpoint, of: stream).flatMap { device.has($0) ? $0 : nil }
        address = address ?? device.source(to: endpoint.address)
        guard let address,
            var headers = UDPEncapsulation(
                nextHop: mac, interface: device.mac, tags: VLANTags(),
                source: Endpoint(address, port: stream.listen.port), destination: endpoint)
        else {
            unreachable.append((endpoint, "\(device.name) has no address of its family"))
            return .unreachable
        }
        if headers.isIPv6 {
            headers.flowLabel = Self.flowLabel(
                from: Endpoint(address, port: stream.listen.port), to: endpoint)
        }
        return .ready(
            interface: UInt16(device.number), headers,
            maximumPacketSize: device.mtu(to: endpoint.address) + 14)
    }
}
