public import ApusConfig
import ApusHost
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
/// - Parameters:
///   - interface: its name.
///   - ports: the UDP ports whose datagrams are wanted, at any address of the host. Over AF_XDP they are
///     taken out of the kernel's hands; all other traffic goes to the kernel as before. Over AF_PACKET the
///     port gets copies.
///   - backend: `.auto` for the best; `.xdp` or `.packet` for that one or an error.
///   - queue: the receive queue to open. `nil` requires that the interface has only one, since a port
///     is one queue, and what other queues receive would be missed; see ``XDPInterface`` for all of them.
///   - frames: frames of its pool.
/// - Throws: ``OpenPortError``, which says what each backend refused it for.
public func openPort(
    _ interface: String, udp ports: [UInt16], backend: BackendChoice = .auto, queue: Int? = nil,
    frames: Int = 8192
) throws(OpenPortError) -> KernelPort {
    do throws(HostError) {
        _ = try HostView().link(named: interface)
    } catch {
        // Said once, not for each backend; whatever else there is they find out themselves.
        if case .noSuchInterface(_, let existing) = error {
            throw OpenPortError(
                interface: interface,
                reasons: ["there is no such interface; there are: \(existing.joined(separator: ", "))"])
        }
    }
    var refusal = OpenPortError(interface: interface)
    if backend != .packet {
        do throws(OpenPortError) {
            return try openXDPPort(interface, ports, queue: queue, frames: frames, requested: backend)
        } catch {
            refusal.reasons += error.reasons
        }
    }
    if backend != .xdp {
        do throws(OpenPortError) {
            return try openPacketPort(
                interface, ports, frames: frames, requested: backend, insteadOfXDP: refusal.reasons.first)
        } catch {
            refusal.reasons += error.reasons
        }
    }
    throw refusal
}

private func openXDPPort(
    _ interface: String, _ ports: [UInt16], queue: Int?, frames: Int, requested: BackendChoice
) throws(OpenPortError) -> KernelPort {
    let queues: Int
    do throws(XDPError) {
        var options = XDPOptions()
        options.framesPerQueue = frames
        let opened = try XDPInterface(interface, options)
        queues = opened.queueCount
        if queue != nil || queues <= 1 {
            for port in ports {
                try opened.add(Endpoint(.v4(.any), port: port))
                try opened.add(Endpoint(.v6(.any), port: port))
            }
            let choice = PortGrant.Feature("backend", requested: requested.rawValue, granted: "xdp")
            return Port(EitherDriver(first: try opened.open(queue: queue ?? 0).intoDriver(), choice: choice))
        }
    } catch {
        throw OpenPortError(interface: interface, reasons: ["no AF_XDP: \(error)"])
    }
    throw OpenPortError(
        interface: interface,
        reasons: [
            """
            no AF_XDP: it has \(queues) receive queues and a port is one of them; name the queue, or: \
            ethtool -L \(interface) combined 1
            """
        ])
}

private func openPacketPort(
    _ interface: String, _ ports: [UInt16], frames: Int, requested: BackendChoice,
    insteadOfXDP reason: String?
) throws(OpenPortError) -> KernelPort {
    do {
        var options = PacketSocketOptions()
        options.filter = .udpPorts(ports)
        let opened = try PacketSocketInterface(interface, options: options)
        let pool = try FrameMemory(frames: frames).makePool(frames: frames)
        let choice = PortGrant.Feature(
            "backend", requested: requested.rawValue, granted: "packet", reason: reason)
        return Port(EitherDriver(second: try opened.makePort(pool: pool).intoDriver(), choice: choice))
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

    init(interface: String, reasons: [String] = []) { (self.interface, self.reasons) = (interface, reasons) }

    /// The interface, and each reason.
    public var description: String { "\(interface) can't be opened; \(reasons.joined(separator: "; "))" }
}
