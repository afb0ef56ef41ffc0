public import ApusConfig
public import ApusHost
public import ApusPacketSocket
public import ApusPorts
import ApusRings
import ApusWire
public import ApusXDP

/// A port of an interface that the kernel has: over AF_XDP or AF_PACKET.
///
/// What is special to either is had from its driver:
///
/// ```swift
/// var port = try openPort("eth0", udp: [7])
/// if let kernel = port.driver.withFirst({ $0.kernelStatistics }) { print(kernel.fillRingEmpty) }
/// if let times = port.driver.withSecond({ $0.timesDown }) { print(times) }
/// ```
public typealias KernelPort = Port<EitherDriver<XDPDriver, PacketSocketDriver>>

/// Opens an interface of this host in one call, with the best backend that can be had.
///
/// It tries AF_XDP in native mode, with and without zero-copy, then in generic mode, then AF_PACKET;
/// `port.grant` says what it got, and why not more.
///
/// ```swift
/// var port = try openPort("eth0", udp: [7])
/// print(port.grant)
/// ```
///
/// An AF_XDP port is one receive queue, and most cards have several (`ethtool -l eth0`): without a `queue` such
/// an interface is opened over AF_PACKET, which gets what all of them receive. For AF_XDP make them one,
/// `ethtool -L eth0 combined 1`, or open a port of each, which may go to a thread of its own:
///
/// ```swift
/// let interface = try XDPInterface("eth0"), held = try PortGuard(Endpoint("0.0.0.0:7")!)
/// try interface.add(held.endpoint)
/// let ports = try FixedArray(count: interface.queueCount) { try interface.open(queue: $0) }
/// ```
///
/// The UDP ports are this process's for as long as the port lives, on all interfaces: nobody else can bind them,
/// and the kernel does not answer "port unreachable" to what AF_PACKET gets a copy of. To watch ports that
/// another program has, open a ``PacketSocketInterface`` with a filter.
///
/// - Parameters:
///   - interface: its name.
///   - ports: the UDP ports whose datagrams are wanted, at any address of the host; those below 1024 need
///     CAP_NET_BIND_SERVICE. Over AF_XDP the datagrams are taken out of the kernel's hands, and all other
///     traffic goes to the kernel as before. Over AF_PACKET the port gets copies.
///   - backend: `.auto` for the best; `.xdp` or `.packet` for that one or an error.
///   - queue: the receive queue to open over AF_XDP; what others receive the port does not get. `nil` is all that
///     the interface receives: over AF_PACKET where it has several queues, which `.xdp` refuses.
///   - frames: frames of its pool.
/// - Throws: ``OpenPortError``, which says what each backend refused it for, or that a UDP port is in use,
///   and whose.
public func openPort(
    _ interface: String, udp ports: [UInt16], backend: BackendChoice = .auto, queue: Int? = nil,
    frames: Int = 8192
) throws(OpenPortError) -> KernelPort {
    let held = try hold(ports, for: interface)
    var refusal = OpenPortError(interface: interface)
    if backend == .dpdk { refusal.reasons.append("what the kernel has is not opened over DPDK") }
    if backend.mayBeXDP {
        do throws(OpenPortError) {
            return try openXDPPort(interface, ports, held, queue: queue, frames: frames, requested: backend)
        } catch {
            refusal.reasons += error.reasons
        }
    }
    if backend.mayBePacket {
        do throws(OpenPortError) {
            return try openPacketPort(
                interface, ports, held, frames: frames, requested: backend,
                insteadOfXDP: refusal.reasons.first)
        } catch {
            refusal.reasons += error.reasons
        }
    }
    throw refusal
}

/// What would be refused over any backend, said once.
private func hold(_ ports: [UInt16], for interface: String) throws(OpenPortError) -> HeldPorts {
    do throws(HostError) {
        _ = try HostView().link(named: interface)
    } catch {
        // Whatever else there is the backends find out themselves.
        if case .noSuchInterface(_, let existing) = error {
            let text = "there is no such interface; there are: \(existing.joined(separator: ", "))"
            throw OpenPortError(interface: interface, reasons: [text], cause: error)
        }
    }
    do throws(HostError) {
        return try HeldPorts(ports)
    } catch {
        var cause = error
        if case .missingCapabilities(let missing, let purpose) = error, !Capabilities.current().has(.netRaw) {
            // Either backend would refuse it next for this one.
            cause = .missingCapabilities([.netRaw] + missing, purpose: purpose)
        }
        throw OpenPortError(interface: interface, reasons: ["\(cause)"], cause: cause)
    }
}

private func openXDPPort(
    _ interface: String, _ ports: [UInt16], _ held: HeldPorts, queue: Int?, frames: Int,
    requested: BackendChoice
) throws(OpenPortError) -> KernelPort {
    let queues = XDPInterface.queueCount(of: interface)
    guard queue != nil || queues <= 1 else {
        let text = """
            no AF_XDP: it has \(queues) receive queues and a port is one of them; name the queue, or: \
            ethtool -L \(interface) combined 1
            """
        throw OpenPortError(interface: interface, reasons: [text])
    }
    do throws(XDPError) {
        var options = XDPOptions()
        options.framesPerQueue = frames
        let opened = try XDPInterface(interface, options)
        for port in ports {
            try opened.add(Endpoint(.v4(.any), port: port))
            try opened.add(Endpoint(.v6(.any), port: port))
        }
        let choice = PortGrant.Feature("backend", requested: requested.rawValue, granted: "xdp")
        let driver = try opened.open(queue: queue ?? 0).intoDriver()
        return Port(EitherDriver(first: driver, choice: choice, keeping: held))
    } catch {
        throw OpenPortError(interface: interface, reasons: ["no AF_XDP: \(error)"])
    }
}

private func openPacketPort(
    _ interface: String, _ ports: [UInt16], _ held: HeldPorts, frames: Int, requested: BackendChoice,
    insteadOfXDP reason: String?
) throws(OpenPortError) -> KernelPort {
    do {
        var options = PacketSocketOptions()
        options.filter = .udpPorts(ports)
        let opened = try PacketSocketInterface(interface, options: options)
        let pool = try FrameMemory(frames: frames).makePool(frames: frames)
        let choice = PortGrant.Feature(
            "backend", requested: requested.rawValue, granted: "packet", reason: reason)
        let driver = try opened.makePort(pool: pool).intoDriver()
        return Port(EitherDriver(second: driver, choice: choice, keeping: held))
    } catch {
        throw OpenPortError(interface: interface, reasons: ["no AF_PACKET: \(error)"])
    }
}

/// Why no port of an interface could be opened.
public struct OpenPortError: Error, CustomStringConvertible {
    /// The interface's name.
    public let interface: String
    /// What each backend that was tried refused it for.
    public internal(set) var reasons: [String] = []
    /// What it was refused for before any backend was tried, such as ``HostError/portInUse(_:holder:)``; nil when
    /// the backends refused it.
    public let cause: HostError?

    init(interface: String, reasons: [String] = [], cause: HostError? = nil) {
        (self.interface, self.reasons, self.cause) = (interface, reasons, cause)
    }

    /// The interface, and each reason.
    public var description: String { "\(interface) can't be opened; \(reasons.joined(separator: "; "))" }
}
