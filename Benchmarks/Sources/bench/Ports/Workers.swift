import Apus
import ApusBench
import CTwins
import Foundation

/// Who works on the measuring thread: a port of Apus, or a twin.
protocol Working: AnyObject {
    /// The way of moving packets that was granted.
    var backend: String { get }
    /// Works off `count` packets, and says how many it did.
    func work(_ direction: Direction, _ frame: [UInt8], _ count: Int) -> Int
    /// Packets it was to send that the kernel has not taken, as far as it says so.
    var untaken: Int { get }
    /// It is another thread that closes it.
    func letGo()
}

extension Working {
    // The twins count what was taken.
    var untaken: Int { 0 }
    // The twins' pools are whoever's calls them.
    func letGo() {}
}

/// Apus over AF_XDP.
final class ApusXDPPort: Working {
    private let worker: Worker<XDPDriver>

    init(_ name: String, isGeneric: Bool) throws {
        worker = Worker(try Self.open(name, isGeneric: isGeneric, for: [Probe.listen]))
        worker.handOver()
    }

    /// The port, which gets what is for these endpoints.
    static func open(
        _ name: String, isGeneric: Bool, for endpoints: [Endpoint]
    ) throws -> Apus.Port<XDPDriver> {
        var options = XDPOptions()
        options.mode = isGeneric ? .generic : .native
        (options.zeroCopy, options.multiBuffer, options.hugePages) = (.never, .never, .never)
        (options.receiveRing, options.transmitRing, options.completionRing) = (
            Sizes.ring, Sizes.ring, Sizes.ring
        )
        (options.fillRing, options.framesPerQueue) = (2 * Sizes.ring, Sizes.frames)
        let opened = try XDPInterface(name, options)
        for endpoint in endpoints { try opened.add(endpoint) }
        return try opened.open(queue: 0)
    }

    var backend: String { Self.backend(worker.grant) }

    /// What was granted, in a few words.
    static func backend(_ grant: PortGrant) -> String {
        let features = Dictionary(uniqueKeysWithValues: grant.features.map { ($0.name, $0.granted) })
        return "AF_XDP \(features["XDP mode"]!), \(features["zero-copy"] == "yes" ? "zero-copy" : "copy")"
    }

    func work(_ direction: Direction, _ frame: [UInt8], _ count: Int) -> Int {
        switch direction {
        case .receive: worker.drain(count)
        case .transmit: worker.send(frame, count)
        case .echo: worker.echo(count)
        }
    }

    var untaken: Int { worker.pending }
    func letGo() { worker.handOver() }
}

/// Apus over AF_PACKET.
final class ApusPacket: Working {
    private let worker: Worker<PacketSocketDriver>
    private var offered = 0

    init(_ name: String) throws {
        var options = PacketSocketOptions()
        options.receiveRing = .slots(count: Sizes.ring)
        options.transmitSlots = Sizes.ring
        options.bypassesQueueing = true
        let opened = try PacketSocketInterface(name, options: options)
        let memory = try FrameMemory(frames: Sizes.frames, hugePages: .never)
        worker = Worker(try opened.makePort(pool: memory.makePool(frames: Sizes.frames)))
        worker.handOver()
    }

    var backend: String {
        "AF_PACKET, " + (worker.grant.features.first { $0.name == "receive ring" }?.granted ?? "")
    }

    func work(_ direction: Direction, _ frame: [UInt8], _ count: Int) -> Int {
        switch direction {
        case .receive: return worker.drain(count)
        case .transmit, .echo:
            let done = direction == .echo ? worker.echo(count) : worker.send(frame, count)
            offered += done
            return done
        }
    }

    var untaken: Int { offered - worker.taken }
    func letGo() { worker.handOver() }
}

/// C over AF_XDP.
@safe final class TwinXDP: Working {
    let backend: String
    private let port: OpaquePointer

    init(_ name: String, isGeneric: Bool) throws {
        guard let port = unsafe xdp_open(name, isGeneric ? 1 : 0, Sizes.frames, UInt32(Sizes.ring)) else {
            throw BenchError("the twin can't open \(name): \(unsafe String(cString: strerror(errno)))")
        }
        backend = "AF_XDP \(isGeneric ? "generic" : "native"), copy"
        unsafe self.port = port
    }

    deinit { unsafe xdp_close(port) }

    func work(_ direction: Direction, _ frame: [UInt8], _ count: Int) -> Int {
        switch direction {
        case .receive: Int(unsafe xdp_drain(port, count))
        case .transmit: Int(unsafe xdp_send(port, frame, frame.count, count))
        case .echo: Int(unsafe xdp_echo(port, count))
        }
    }
}

/// C over AF_PACKET.
@safe final class TwinPacket: Working {
    let backend = "AF_PACKET, TPACKET_V2, \(Sizes.ring) slots"
    private let port: OpaquePointer

    init(_ name: String) throws {
        guard let port = unsafe packet_open(name, Sizes.frames, Sizes.ring) else {
            throw BenchError("the twin can't open \(name): \(unsafe String(cString: strerror(errno)))")
        }
        unsafe self.port = port
    }

    deinit { unsafe packet_close(port) }

    func work(_ direction: Direction, _ frame: [UInt8], _ count: Int) -> Int {
        switch direction {
        case .receive: Int(unsafe packet_drain(port, count))
        case .transmit: Int(unsafe packet_send(port, frame, frame.count, count))
        case .echo: Int(unsafe packet_echo(port, count))
        }
    }
}
