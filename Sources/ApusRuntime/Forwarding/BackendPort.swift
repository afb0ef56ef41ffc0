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
    case sharedXDP(Port<SharedDriver<XDPDriver>>)
    /// The same of a device that the kernel does not have.
    case sharedDPDK(Port<SharedDriver<DeviceDriver<DPDKDriver>>>)

    /// What was asked for and granted.
    var grant: PortGrant {
        switch self {
        case .xdp(let port): port.grant
        case .packet(let port): port.grant
        case .dpdk(let port): port.grant
        case .sharedXDP(let port): port.grant
        case .sharedDPDK(let port): port.grant
        }
    }

    /// Whether its worker shares queues with others.
    var isShared: Bool {
        switch self {
        case .sharedXDP: true
        case .sharedDPDK: true
        default: false
        }
    }

    /// Closes it and gives its last figures: after what it had taken has left, for which it has 50 ms. What is pending
    /// all the same is lost with the port, and counted as refused.
    consuming func finalStatistics() -> PortStatistics {
        var port = self
        return port.finish()
    }

    /// The same of one that is closed by who has it, when others have finished as well.
    mutating func finish() -> PortStatistics {
        let last: PortStatistics
        switch consume self {
        case .xdp(var port):
            last = port.driver.finish()
            self = .xdp(port)
        case .packet(var port):
            last = port.driver.finish()
            self = .packet(port)
        case .dpdk(var port):
            last = port.driver.finish()
            self = .dpdk(port)
        case .sharedXDP(var port):
            last = port.driver.finish()
            self = .sharedXDP(port)
        case .sharedDPDK(var port):
            last = port.driver.finish()
            self = .sharedDPDK(port)
        }
        return last
    }
}

/// A driver that gives its last figures before it is closed.
protocol FinishingDriver: PortDriver, ~Copyable {
    /// The last figures: after what it had taken has left, for which it has until `deadline` (``Clock/monotonic``). What has
    /// not left by then is counted as refused, for it never does.
    mutating func finish(by deadline: UInt64) -> PortStatistics
}

extension FinishingDriver where Self: ~Copyable {
    /// The same within 50 ms, however many drivers lie one in the other.
    mutating func finish() -> PortStatistics { finish(by: Clock.monotonic &+ 50_000_000) }
}

extension PacketSocketDriver: FinishingDriver {
    mutating func finish(by deadline: UInt64) -> PortStatistics { finishSending(by: deadline) }
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

/// A driver of a queue that workers may share.
protocol QueueDriver: WorkerDriver, FinishingDriver, ~Copyable {
    /// The share, where it is one of such a queue.
    static func share(_ port: consuming BackendPort) -> Port<SharedDriver<Self>>
    /// Takes it back.
    static func backendPort(ofShare port: consuming Port<SharedDriver<Self>>) -> BackendPort
}

extension XDPDriver: QueueDriver {
    static func share(_ port: consuming BackendPort) -> Port<SharedDriver<XDPDriver>> {
        switch consume port {
        case .sharedXDP(let port): return port
        case .xdp(let port): return Port(SharedDriver(alone: port))
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(ofShare port: consuming Port<SharedDriver<XDPDriver>>) -> BackendPort {
        .sharedXDP(port)
    }
}

extension DeviceDriver: QueueDriver where Own == DPDKDriver {
    static func share(_ port: consuming BackendPort) -> Port<SharedDriver<DeviceDriver<DPDKDriver>>> {
        switch consume port {
        case .sharedDPDK(let port): return port
        case .dpdk(let port): return Port(SharedDriver(alone: port))
        default: preconditionFailure("a worker with a port of another kind has a loop for that too")
        }
    }

    static func backendPort(
        ofShare port: consuming Port<SharedDriver<DeviceDriver<DPDKDriver>>>
    ) -> BackendPort { .sharedDPDK(port) }
}

extension SharedDriver: WorkerDriver where Own: QueueDriver & ~Copyable {
    static var backends: Set<Backend> { Own.backends }

    static func port(_ port: consuming BackendPort) -> Port<SharedDriver<Own>> { Own.share(port) }

    static func backendPort(_ port: consuming Port<SharedDriver<Own>>) -> BackendPort {
        if port.driver.isShared { return Own.backendPort(ofShare: port) }
        return Own.backendPort(port.intoDriver().intoOwn())
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
