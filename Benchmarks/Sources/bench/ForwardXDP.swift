@_spi(Benchmarks) import Apus
import ApusBench
import CTwins
import Foundation
import Relays

// The forwarder of Forward.swift over one AF_XDP port, native on veth, by which packets come and leave. A round is some
// backlogs, as in the suite `ports`: the far end puts as many packets as the batch has into the receive ring, on the
// other core, and then they are forwarded, until the kernel has taken all; only that is timed. The twin is
// Twins/forward_xdp.c with worker.h and xdp.h.

/// The part `forward-xdp` of the suite `tax`, or why it can't be measured.
///
/// - Parameter line: what measures it as root.
func forwardXDP(_ cores: Cores, asRoot line: String) -> (trials: [Trial], leftOut: [String]) {
    func leftOut(_ reason: String) -> (trials: [Trial], leftOut: [String]) {
        ([], ["tax/forward-xdp can't be measured here: \(reason)"])
    }
    guard let other = cores.other else {
        return leftOut("there is one core only, and who sends needs one of its own")
    }
    guard geteuid() == 0 else { return leftOut("it needs root, for a network namespace: \(line)") }
    guard isInstalled("ip") else { return leftOut("ip is not in PATH: apt-get install iproute2") }
    let bench = PortBench(own: cores.own, other: other)
    let trials = [1, 4].flatMap { fanOut in
        var made: (ours: Side, twin: Side)?
        return [1, 8, 32, 256].map { batch in
            let name = "tax/forward-xdp-to-\(fanOut)/batch-\(batch)"
            return Trial(name) { effort, progress in
                if made == nil { made = try sides(bench, fanOut) }
                let (ours, twin) = made!
                // So many that a round is longer than what disturbs it for a moment.
                let backlogs = min(32, max(4, 256 / batch))
                let comparison = Comparison(name, per: "packet", cores: 2) {
                    (
                        Competitor("Apus") { try ours.round(batch, backlogs) },
                        Competitor("C") { try twin.round(batch, backlogs) }
                    )
                }
                var finding = try Meter(Stopwatch(), effort).measure(comparison, progress: progress)
                finding.apus.backend = ours.forwarder.backend
                finding.peer?.backend = twin.forwarder.backend
                return [finding]
            }
        }
    }
    return (trials, [])
}

/// Both, which have sent the same octets.
private func sides(_ bench: PortBench, _ fanOut: Int) throws -> (ours: Side, twin: Side) {
    let setup = ForwardSetup(fanOut: fanOut, leavingBy: 0)
    let (first, second) = (try bench.wire("a\(fanOut)"), try bench.wire("c\(fanOut)"))
    let ours = try bench.network().inside { try XDPForwarder(first.near, setup) }
    let twin = try bench.network().inside { try TwinForwarder(second.near, setup) }
    let sides = (Side(bench, first, ours, setup), Side(bench, second, twin, setup))
    let count = 16
    for _ in 0..<3 * ForwardSetup.streams / count {
        let (one, other) = (try sides.0.frames(from: count), try sides.1.frames(from: count))
        guard one == other, one.allSatisfy({ $0.count == setup.size }) else {
            throw BenchError("Apus and C don't forward to the same \(count * fanOut) frames over AF_XDP")
        }
    }
    return sides
}

/// Who forwards, on the measuring thread.
private protocol Forwarding: AnyObject {
    var backend: String { get }
    /// Forwards so many packets, and says how many came.
    func work(_ wanted: Int) -> Int
    /// Packets sent so far.
    var sent: Int { get }
}

/// One of the two, with its veth pair and the camera at the far end.
private final class Side {
    let forwarder: any Forwarding
    private let bench: PortBench
    private let wire: Wire
    private let setup: ForwardSetup
    private let stopwatch = Stopwatch()
    private var sequences = [UInt16](repeating: 0, count: ForwardSetup.streams)
    private var next = 0

    init(_ bench: PortBench, _ wire: Wire, _ forwarder: any Forwarding, _ setup: ForwardSetup) {
        (self.bench, self.wire, self.forwarder, self.setup) = (bench, wire, forwarder, setup)
    }

    /// So many backlogs, one after the other: how many packets, and how long it took to forward them.
    func round(_ count: Int, _ backlogs: Int) throws -> (count: Int, nanoseconds: Double) {
        var time = 0.0
        for _ in 0..<backlogs { time += try forward(count) }
        return (count * backlogs, time)
    }

    /// What comes of so many packets, at the far end.
    func frames(from count: Int) throws -> [[UInt8]] {
        try wire.frames(count * setup.fanOut, inside: bench.network()) { _ = try forward(count) }
    }

    private func forward(_ count: Int) throws -> Double {
        try bench.fill(wire, packets(count), count, size: setup.size)
        let before = forwarder.sent
        var came = 0
        let time = stopwatch.measure { came = forwarder.work(count) }.nanoseconds
        let sent = forwarder.sent - before
        guard came == count, sent == count * setup.fanOut else {
            throw BenchError("on \(wire.near) \(came) of \(count) packets came, and \(sent) were sent")
        }
        return time
    }

    /// A packet of the next stream, and so on, one behind the other; made as by the camera of Forward.swift.
    private func packets(_ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        for position in 0..<count {
            all += setup.templates[next * setup.size..<(next + 1) * setup.size]
            let head = 2 << 62 | UInt64(sequences[next]) << 32 | UInt64(UInt32(sequences[next]) * 160)
            let place = position * setup.size + 42
            unsafe all.withUnsafeMutableBytes {
                unsafe $0.storeBytes(of: head.bigEndian, toByteOffset: place, as: UInt64.self)
                unsafe $0.storeBytes(of: ~head.bigEndian, toByteOffset: place + 16, as: UInt64.self)
            }
            sequences[next] &+= 1
            next = (next + 1) % ForwardSetup.streams
        }
        return all
    }
}

/// The forwarder of Apus.
private final class XDPForwarder: Forwarding {
    let backend: String
    private var worker: SteppedXDPForwarder

    init(_ interface: String, _ setup: ForwardSetup) throws {
        var port = try ApusXDPPort.open(interface, isGeneric: false, for: setup.endpoints)
        port.handOver()
        backend = ApusXDPPort.backend(port.grant)
        worker = SteppedXDPForwarder(
            port, interface: ForwardSetup.interfaces[0], plan: setup.plan, slots: ForwardSetup.streams)
    }

    var sent: Int { Int(worker.counters.sent.value) }
    func work(_ wanted: Int) -> Int { worker.forward(wanted, idleLimit: IDLE_LIMIT) }
}

/// The twin.
@safe private final class TwinForwarder: Forwarding {
    let backend = "AF_XDP native, copy"
    private let twin: OpaquePointer

    init(_ interface: String, _ setup: ForwardSetup) throws {
        guard let port = unsafe xdp_open(interface, 0, Sizes.frames, UInt32(Sizes.ring)) else {
            throw BenchError("the twin can't open \(interface): \(unsafe String(cString: strerror(errno)))")
        }
        unsafe twin = setup.withTwins { unsafe forward_xdp_make($0, port) }
    }

    var sent: Int { Int(unsafe forward_xdp_sent(twin)) }
    func work(_ wanted: Int) -> Int { Int(unsafe forward_xdp_work(twin, wanted)) }
}
