import ApusPacketSocket
import ApusPorts
import ApusXDP

#if DPDK
    import ApusDPDK
#endif

/// A port of any backend, as it is while no worker uses it.
enum BackendPort: ~Copyable {
    case xdp(Port<XDPDriver>)
    case packet(Port<PacketSocketDriver>)
    case dpdk(Port<DeviceDriver<DPDKDriver>>)
    /// A share of an AF_XDP interface that has fewer queues than there are workers.
    case shared(Port<SharedDriver<XDPDriver>>)

    /// What was asked for and granted.
    var grant: PortGrant {
        switch self {
        case .xdp(let port): port.grant
        case .packet(let port): port.grant
        case .dpdk(let port): port.grant
        case .shared(let port): port.grant
        }
    }

    /// Whether its worker shares queues with others.
    var isShared: Bool {
        switch self {
        case .shared: true
        default: false
        }
    }

    /// Closes it and gives its last figures: after what it had taken has left, for which it has 50 ms. What is pending
    /// all the same is lost with the port, and counted as refused.
    consuming func finalStatistics() -> PortStatistics {
        switch consume self {
        case .xdp(var port): return port.driver.finish()
        case .packet(var port): return port.driver.finishSending()
        case .dpdk(var port): return port.driver.finishSending()
        case .shared(var port): return port.driver.finish()
        }
    }
}

/// A driver for which the loop of a worker is compiled.
protocol WorkerDriver: PortDriver, ~Copyable {
    /// The backends of which it can be a port.
    static var backends: Set<Backend> { get }
    /// Makes a port of one of those.
    static func port(_ port: consuming BackendPort) -> Port<Self>
    /// Takes it back.
    static func backendPort(_ port: consuming Port<Self>) -> BackendPort
}

extension XDPDriver: WorkerDriver {
    static var backends: Set<Backend> { [.xdp] }

    static func port(_ port: consuming BackendPort) -> Port<XDPDriver> {
        switch consume port {
        case .xdp(let port): return port
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(_ port: consuming Port<XDPDriver>) -> BackendPort { .xdp(port) }
}

extension PacketSocketDriver: WorkerDriver {
    static var backends: Set<Backend> { [.packet] }

    static func port(_ port: consuming BackendPort) -> Port<PacketSocketDriver> {
        switch consume port {
        case .packet(let port): return port
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(_ port: consuming Port<PacketSocketDriver>) -> BackendPort { .packet(port) }
}

extension DeviceDriver: WorkerDriver where Own == DPDKDriver {
    static var backends: Set<Backend> { [.dpdk] }

    static func port(_ port: consuming BackendPort) -> Port<DeviceDriver<DPDKDriver>> {
        switch consume port {
        case .dpdk(let port): return port
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(_ port: consuming Port<DeviceDriver<DPDKDriver>>) -> BackendPort { .dpdk(port) }
}

extension SharedDriver: WorkerDriver where Own == XDPDriver {
    // The share of a worker without a queue is rings in memory.
    static var backends: Set<Backend> { [.xdp, .memory] }

    static func port(_ port: consuming BackendPort) -> Port<SharedDriver<XDPDriver>> {
        switch consume port {
        case .shared(let port): return port
        case .xdp(let port): return Port(SharedDriver(alone: port))
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(_ port: consuming Port<SharedDriver<XDPDriver>>) -> BackendPort {
        if port.driver.isShared { return .shared(port) }
        return .xdp(port.intoDriver().intoOwn())
    }
}

extension EitherDriver: WorkerDriver where First: WorkerDriver & ~Copyable, Second: WorkerDriver & ~Copyable {
    static var backends: Set<Backend> { First.backends.union(Second.backends) }

    static func port(_ port: consuming BackendPort) -> Port<EitherDriver<First, Second>> {
        if First.backends.contains(port.grant.backend) {
            return Port(EitherDriver(first: First.port(port).intoDriver()))
        }
        return Port(EitherDriver(second: Second.port(port).intoDriver()))
    }

    static func backendPort(_ port: consuming Port<EitherDriver<First, Second>>) -> BackendPort {
        let driver = port.intoDriver()
        if driver.isFirst { return First.backendPort(Port(driver.intoFirst())) }
        return Second.backendPort(Port(driver.intoSecond()))
    }
}
