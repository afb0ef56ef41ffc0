/// Where a port stands on a veth pair, one at a time: a queue takes no second AF_XDP socket. Competitors keep the seat
/// and not the port, so that the next ones can be made while those before are still there.
final class Seat<Port> {
    let wire: Wire
    private let network: Network
    private let letGo: (Port) -> Void
    private let make: (_ interface: String) throws -> Port
    private let place = Place<Port>()

    /// One on that pair, in that namespace, for the ports that `make` makes. `letGo` is called before another thread
    /// closes one.
    init(
        _ wire: Wire, _ network: Network, letGo: @escaping (Port) -> Void,
        _ make: @escaping (_ interface: String) throws -> Port
    ) {
        (self.wire, self.network, self.letGo, self.make) = (wire, network, letGo, make)
    }

    deinit { try? leave() }

    /// Closes the port that is there and opens another, in memory of its own. On the thread that works with it.
    func renew() throws {
        try leave()
        place.port = try network.inside { [make, wire] in try make(wire.near) }
    }

    /// The port. There is one after ``renew()``.
    var worker: Port {
        guard let port = place.port else { preconditionFailure("nobody stands on \(wire.near)") }
        return port
    }

    /// In the namespace, since closing it takes the XDP program off an interface that is known by its number.
    private func leave() throws {
        guard place.port != nil else { return }
        place.port.map(letGo)
        try network.inside { [place] in place.port = nil }
    }
}

/// Apart, since the thread that closes the port must not hold a seat that is just going.
private final class Place<Port> { var port: Port? }
