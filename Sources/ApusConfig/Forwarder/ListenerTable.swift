import ApusWire

/// Which stream takes what arrives at an address and port: finds two that claim the same, and the one that a
/// destination leads to. Each question takes constant time.
struct ListenerTable {
    /// An address and port on one interface, on the interface that has the address, or on any.
    private struct Claim: Hashable {
        enum Scope: Hashable {
            case named(String)
            case unnamed
            case every
        }
        enum Place: Hashable {
            case exactly(Endpoint)
            /// Anything in the family at the port; the second of each port is a wildcard address.
            case family(isIPv6: Bool, port: UInt16)
        }
        var place: Place
        var scope: Scope
    }

    private var first: [Claim: Int] = [:]
    /// Addresses of this host that the configuration knows of.
    private let own: Set<IPAddress>

    /// Enters the streams in turn, and reports those that claim what an earlier one has.
    ///
    /// - Parameter own: the addresses that the configuration gives this host.
    init(_ streams: [StreamConfiguration], own: Set<IPAddress>, _ report: ConfigurationReport) {
        self.own = own
        first.reserveCapacity(4 * streams.count)
        for (index, stream) in streams.enumerated() {
            if let earlier = rival(of: stream) {
                let other = streams[earlier]
                report.add(
                    clash(stream.listen, other.listen),
                    at: stream.map["listen"],
                    notes: [.init("stream \(other.name.quoted) listens here", at: other.map["listen"])])
            }
            let scopes: [Claim.Scope] = [.every, stream.interface.map { .named($0) } ?? .unnamed]
            for place in [Claim.Place.exactly(stream.listen), family(of: stream.listen)] {
                for scope in scopes where first[Claim(place: place, scope: scope)] == nil {
                    first[Claim(place: place, scope: scope)] = index
                }
            }
        }
    }

    /// The stream whose listening address is `destination`, if the configuration alone can tell.
    func listener(at destination: Endpoint) -> Int? {
        if let exact = first[Claim(place: .exactly(destination), scope: .every)] { return exact }
        guard destination.isLoopback || own.contains(destination.address) else { return nil }
        return first[Claim(place: .exactly(destination.wildcard), scope: .every)]
    }

    private func rival(of stream: StreamConfiguration) -> Int? {
        let scopes: [Claim.Scope] = stream.interface.map { [.unnamed, .named($0)] } ?? [.every]
        var places: [Claim.Place] = [.exactly(stream.listen), .exactly(stream.listen.wildcard)]
        if stream.listen.address.isAny { places.append(family(of: stream.listen)) }
        for place in places {
            for scope in scopes {
                if let index = first[Claim(place: place, scope: scope)] { return index }
            }
        }
        return nil
    }

    private func clash(_ later: Endpoint, _ earlier: Endpoint) -> String {
        if later == earlier {
            return
                "two streams listen on \(later); give each a port of its own, or one stream all destinations"
        }
        let (wildcard, inside) = later.address.isAny ? (later, earlier) : (earlier, later)
        return
            "two streams listen on \(inside), as \(wildcard) means each address; give each a port of its own"
    }

    private func family(of endpoint: Endpoint) -> Claim.Place {
        .family(isIPv6: endpoint.wildcard.address == .v6(.any), port: endpoint.port)
    }
}

extension Endpoint {
    /// The same port at any address of the same family.
    fileprivate var wildcard: Endpoint {
        switch address {
        case .v4: Endpoint(.v4(.any), port: port)
        case .v6: Endpoint(.v6(.any), port: port)
        }
    }

    fileprivate var isLoopback: Bool {
        switch address {
        case .v4(let address): address.isLoopback
        case .v6(let address): address == .loopback
        }
    }
}
