import ApusPacketSocket
import ApusPorts
import ApusXDP

/// A port of either backend, as it is while no worker uses it.
enum BackendPort: ~Copyable {
    case xdp(Port<XDPDriver>)
    case packet(Port<PacketSocketDriver>)

    /// What was asked for and granted.
    var grant: PortGrant {
        switch self {
        case .xdp(let port): port.grant
        case .packet(let port): port.grant
        }
    }

    /// Closes it and gives its last figures: after what it had taken has left, for which it has 50 ms. What is pending
    /// all the same is lost with the port, and counted as refused.
    consuming func finalStatistics() -> PortStatistics {
        switch consume self {
        case .xdp(var port): return port.driver.finish()
        case .packet(var port): return port.driver.finishSending()
        }
    }
}

/// A driver for which the loop of a worker is compiled.
protocol WorkerDriver: PortDriver, ~Copyable {
    /// Makes a port of one that this driver can be.
    static func port(_ port: consuming BackendPort) -> Port<Self>
    /// Takes it back.
    static func backendPort(_ port: consuming Port<Self>) -> BackendPort
}

extension XDPDriver: WorkerDriver {
    static func port(_ port: consuming BackendPort) -> Port<XDPDriver> {
        switch consume port {
        case .xdp(let port): return port
        case .packet: preconditionFailure("a worker with an AF_PACKET port has a loop for both")
        }
    }

    static func backendPort(_ port: consuming Port<XDPDriver>) -> BackendPort { .xdp(port) }
}

extension PacketSocketDriver: WorkerDriver {
    static func port(_ port: consuming BackendPort) -> Port<PacketSocketDriver> {
        switch consume port {
        case .packet(let port): return port
        case .xdp: preconditionFailure("a worker with an AF_XDP port has a loop for both")
        }
    }

    static func backendPort(_ port: consuming Port<PacketSocketDriver>) -> BackendPort { .packet(port) }
}

extension EitherDriver: WorkerDriver where First == XDPDriver, Second == PacketSocketDriver {
    static func port(_ port: consuming BackendPort) -> Port<EitherDriver<XDPDriver, PacketSocketDriver>> {
        switch consume port {
        case .xdp(let port): return Port(EitherDriver(first: port.intoDriver()))
        case .packet(let port): return Port(EitherDriver(second: port.intoDriver()))
        }
    }

    static func backendPort(
        _ port: consuming Port<EitherDriver<XDPDriver, PacketSocketDriver>>
    ) -> BackendPort {
        let driver = port.intoDriver()
        if driver.isFirst { return .xdp(Port(driver.intoFirst())) }
        return .packet(Port(driver.intoSecond()))
    }
}
