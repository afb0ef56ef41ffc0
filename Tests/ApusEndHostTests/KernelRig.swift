import ApusEndHost
import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusWire
import Foundation
import NetworkLab
import Synchronization
import Testing

/// A kernel with va (192.0.2.1, 2001:db8::1), and at the other end of its link an interface, vb, of which the kernel there does
/// nothing: no address, no ARP, no IPv6. An `EndHost` over AF_PACKET serves it from a thread.
final class KernelRig: Sendable {
    let lab: NetworkLab
    let kernel: Namespace
    let bare: Namespace
    private let shared = Mutex(Shared())
    private let isOver = Atomic<Bool>(false)
    private let ended = DispatchSemaphore(value: 0)

    struct Shared: Sendable {
        var wanted: Set<IPAddress> = []
        var events: [EndHostEvent] = []
        var neighbors: [IPAddress: NeighborStatus] = [:]
        var sent: [EndHostFrame: UInt64] = [:]
        var paths: [PathReport] = []
        var failure: String?
    }

    init(_ purpose: String, prepare: (Namespace) throws -> Void = { _ in }) throws {
        lab = NetworkLab(purpose)
        kernel = try lab.namespace("kernel")
        bare = try lab.namespace("bare")
        try bare.run(
            "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        try lab.link(kernel, "va", ["192.0.2.1/24", "2001:db8::1/64"], bare, "vb", [])
        try bare.run("ip", "link", "set", "dev", "vb", "arp", "off")
        try prepare(kernel)
    }

    /// Serves vb until `close`; returns when it has begun.
    func serve(_ change: @escaping @Sendable (inout EndHostConfiguration) -> Void = { _ in }) {
        Thread.detachNewThread { [self] in
            defer { ended.signal() }
            do {
                try bare.enter(timeout: .seconds(120)) { try run(change) }
            } catch {
                shared.withLock { $0.failure = "\(error)" }
            }
        }
        while shared.withLock({ $0.sent[.announcement] ?? 0 == 0 && $0.failure == nil }) { usleep(1000) }
    }

    func close() {
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        if let failure = shared.withLock({ $0.failure }) { Issue.record("\(failure)") }
        lab.close()
    }

    /// Has the host find these neighbors, and keep them.
    func want(_ addresses: String...) {
        shared.withLock { $0.wanted.formUnion(addresses.map { IPAddress($0)! }) }
    }

    var now: Shared { shared.withLock { $0 } }

    private func run(_ change: (inout EndHostConfiguration) -> Void) throws {
        let text = try String(contentsOfFile: "/sys/class/net/vb/address", encoding: .utf8)
        var configuration = Rig.configuration
        configuration.mac = MACAddress(text.trimmingCharacters(in: .whitespacesAndNewlines))!
        configuration.addresses.append(AddressPrefix("198.51.100.2/24")!)
        change(&configuration)
        let pool = try FrameMemory(frames: 1024, frameSize: .bytes2048, hugePages: .never).makePool(
            frames: 1024)
        var port = try PacketSocketInterface("vb").makePort(number: 0, pool: pool)
        var host = try EndHost(configuration, at: Self.clock())
        let counters = EndHostCounters()
        var buffer = [UInt8](repeating: 0, count: 2048)
        var arrived = Burst()
        var leaving = Burst()
        while !isOver.load(ordering: .relaxed) {
            if port.receive(into: &arrived) == 0 { port.wait(milliseconds: 2) }
            while let packet = arrived.popFirst() {
                var count: Int?
                var report: PathReport?
                write(&buffer) { answer in
                    switch host.receive(packet.bytes, at: Self.clock(), answer: &answer, counters: counters) {
                    case .answer(let length): count = length
                    case .path(let told): report = told
                    case .taken: break
                    case .notMine:
                        // Nobody has any port here.
                        guard (try? FlowHeaders(checking: packet.bytes)) != nil else { break }
                        count = host.error(
                            .portUnreachable, about: packet.bytes, at: Self.clock(), answer: &answer,
                            counters: counters)
                    }
                }
                if let report { shared.withLock { $0.paths.append(report) } }
                if let count { Self.send(buffer, count, &port, &leaving) }
            }
            for neighbor in now.wanted { _ = host.resolve(neighbor, at: Self.clock(), counters: counters) }
            while true {
                var count: Int?
                write(&buffer) { count = host.advance(to: Self.clock(), frame: &$0, counters: counters) }
                guard let count else { break }
                Self.send(buffer, count, &port, &leaving)
            }
            port.transmit(&leaving)
            port.flush()
            publish(&host, counters)
        }
    }

    private func publish(_ host: inout EndHost, _ counters: borrowing EndHostCounters) {
        var events: [EndHostEvent] = []
        while let event = host.nextEvent() { events.append(event) }
        var neighbors: [IPAddress: NeighborStatus] = [:]
        host.forEachNeighbor { neighbors[$0.address] = $0 }
        var sent: [EndHostFrame: UInt64] = [:]
        for frame in EndHostFrame.allCases { sent[frame] = counters.sent[frame.rawValue].value }
        shared.withLock {
            $0.events += events
            ($0.neighbors, $0.sent) = (neighbors, sent)
        }
    }

    private static func send(
        _ buffer: [UInt8], _ count: Int, _ port: inout ApusPorts.Port<PacketSocketDriver>,
        _ leaving: inout Burst
    ) {
        guard leaving.room > 0, var packet = port.makePacket(),
            packet.replaceBytes(with: buffer.raw.extracting(0..<count))
        else { return }
        leaving.append(packet)
    }

    private static func clock() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * second + UInt64(time.tv_nsec)
    }
}
