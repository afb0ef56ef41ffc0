import Apus
import Glibc

/// A port to send by, with the backend that was granted.
enum SendingPort: ~Copyable {
    case xdp(Port<XDPDriver>)
    case packet(Port<PacketSocketDriver>)
}

extension Invocation {
    /// The backend that an option names for an interface of the kernel; `auto` without it.
    func kernelBackend(_ option: Option) throws(ExitFailure) -> BackendChoice {
        let backend = try value(option, as: BackendChoice.self) ?? .auto
        guard backend != .dpdk else {
            throw ExitFailure(
                .usage,
                "\(option.name): \(path) opens interfaces of the kernel, which DPDK does not; write "
                    + alternatives(BackendChoice.ofKernel.map(\.rawValue)))
        }
        return backend
    }

    /// The interface that the first argument names, which has to be the kernel's.
    func kernelInterface() throws(ExitFailure) -> String {
        let name = arguments[0]
        guard DPDKDevice.isMeant(by: name), unsafe if_nametoindex(name) == 0 else { return name }
        throw ExitFailure(
            .usage,
            "\(name): \(path) opens interfaces of the kernel; devices of DPDK's are for `apus forward`")
    }
}

/// Opens an interface to send only; nothing is attached to it and nothing received.
///
/// Where `auto` does not get AF_XDP, the reason is logged.
func openToSend(
    on interface: String, _ backend: BackendChoice, _ frameSize: FrameSize, log: Output
) throws(ExitFailure) -> SendingPort {
    if backend.mayBeXDP {
        var options = XDPOptions()
        (options.frameSize, options.framesPerQueue) = (frameSize, 4096)
        // The least that is granted: nothing is received.
        (options.receiveRing, options.fillRing) = (64, 64)
        do throws(XDPError) {
            return .xdp(try XDPInterface(sendingOn: interface, options).open(queue: 0))
        } catch {
            if backend == .xdp { throw ExitFailure(ForwarderError.xdp(error)) }
            log.line("no AF_XDP: \(error); using AF_PACKET".printable)
        }
    }
    var options = PacketSocketOptions()
    options.filter = .nothing
    options.receiveRing = .slots(count: 16)
    return .packet(try openPacketSocket(interface, options, frames: 2048, frameSize))
}

/// Opens one packet socket of an interface.
func openPacketSocket(
    _ interface: String, _ options: PacketSocketOptions, frames: Int, _ frameSize: FrameSize
) throws(ExitFailure) -> Port<PacketSocketDriver> {
    do {
        let opened = try PacketSocketInterface(interface, options: options)
        let memory = try FrameMemory(frames: frames, frameSize: frameSize)
        return try opened.makePort(pool: memory.makePool(frames: frames))
    } catch let error as PacketSocketError {
        throw ExitFailure(ForwarderError.packetSocket(error))
    } catch {
        throw ExitFailure(.unavailable, "\(error)")
    }
}

/// SIGINT, SIGTERM and SIGHUP, which end a tool with its summary.
struct StopSignals {
    private let descriptor: SignalDescriptor

    /// From now on they no longer end the process by themselves.
    init() throws(ExitFailure) {
        do throws(ServiceError) { descriptor = try SignalDescriptor() } catch { throw ExitFailure(error) }
    }

    /// The descriptor that can be read when one has come.
    var number: Int32 { descriptor.descriptor }

    /// Whether one came since the last look.
    var hasCome: Bool { !descriptor.requests().isEmpty }
}

extension ExitFailure {
    /// What the host does not have or does not allow.
    init(_ error: HostError) { self.init(ForwarderError.host(error)) }
}
