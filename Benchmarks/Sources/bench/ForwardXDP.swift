@_spi(Benchmarks) import Apus
import ApusBench
import CTwins
import Foundation
import Relays

// The forwarder of Forward.swift over one AF_XDP port, native on veth, by which packets come and leave. A round is some
// backlogs, as in the suite `ports`: the far end puts as many packets as the batch has into the receive ring, on the
// other core, and then they are forwarded, until the kernel has taken all; only that is timed. In each placement of memory
// both open their ports anew. The twin is Twins/forward_xdp.c with worker.h and xdp.h.

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
        let setup = ForwardSetup(fanOut: fanOut, leavingBy: 0)
        return [1, 8, 32, 256].map { batch in
            let name = "tax/forward-xdp-to-\(fanOut)/batch-\(batch)"
            return Trial(name) { effort, progress in
                // So many that a round is longer than what disturbs it for a moment.
                let backlogs = min(32, max(4, 256 / batch))
                var backends: [String: String] = [:]
                let comparison = Comparison(name, per: "packet", cores: 2) {
                    let ours = try Side(bench, "a", setup) { try XDPForwarder($0, setup) }
                    let twin = try Side(bench, "c", setup) { try TwinForwarder($0, setup) }
                    try check(ours, beside: twin, setup)
                    backends = ["Apus": ours.backend, "C": twin.backend]
                    return (
                        Competitor("Apus") { try ours.round(batch, backlogs) },
                        Competitor("C") { try twin.round(batch, backlogs) }
                    )
                }
                var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
                finding.set(\.backend, backends)
                return [finding]
            }
        }
    }
    return (trials, [])
}

/// That both send the same octets.
private func check(_ ours: Side, beside twin: Side, _ setup: ForwardSetup) throws {
    let count = 16
    for _ in 0..<3 * ForwardSetup.streams / count {
        let (one, other) = (try ours.frames(from: count), try twin.frames(from: count))
        guard one == other, one.allSatisfy({ $0.count == setup.size }) else {
            throw BenchError(
                "Apus and C don't forward to the same \(count * setup.fanOut) frames over AF_XDP")
        }
    }
}

/// Who forwards, on the measuring thread.
private protocol Forwarding: AnyObject {
    var backend: String { get }
    /// Forwards so many packets, and says how many came.
    func work(_ wanted: Int) -> Int
    /// Packets that the kernel has taken so far.
    var sent: Int { get }
    /// It is another thread that closes its port.
    func letGo()
}

/// One of the two, on a veth pair with the camera at the far end. Its port is closed when it goes.
private final class Side {
    private let seat: Seat<any Forwarding>
    private let bench: PortBench
    private let setup: ForwardSetup
    private var camera: ForwardSetup.Camera

    init(
        _ bench: PortBench, _ wire: String, _ setup: ForwardSetup,
        _ make: @escaping (_ interface: String) throws -> any Forwarding
    ) throws {
        (self.bench, self.setup, camera) = (bench, setup, ForwardSetup.Camera(setup))
        seat = Seat(try bench.wire(wire), try bench.network(), letGo: { $0.letGo() }, make)
        try seat.renew()
    }

    var backend: String { seat.worker.backend }

    /// So many backlogs, one after the other: how many packets, and how long it took to forward them.
    func round(_ count: Int, _ backlogs: Int) throws -> (count: Int, nanoseconds: Double) {
        var time = 0.0
        for _ in 0..<backlogs { time += try forward(count) }
        return (count * backlogs, time)
    }

    /// What comes of so many packets, at the far end.
    func frames(from count: Int) throws -> [[UInt8]] {
        try seat.wire.frames(count * setup.fanOut, inside: bench.network()) { _ = try forward(count) }
    }

    private func forward(_ count: Int) throws -> Double {
        var frames: [UInt8] = []
        for _ in 0..<count { camera.append(to: &frames) }
        try bench.fill(seat.wire, frames, count, size: setup.size)
        let forwarder = seat.worker
        let before = forwarder.sent
        var came = 0
        let time = stopwatch.measure { came = forwarder.work(count) }.nanoseconds
        let sent = forwarder.sent - before
        guard came == count, sent == count * setup.fanOut else {
            throw BenchError("on \(seat.wire.near) \(came) of \(count) packets came, and \(sent) were sent")
        }
        return time
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

    var sent: Int { Int(worker.counters.sent.value) - worker.pending() }
    func work(_ wanted: Int) -> Int { worker.forward(wanted, idleLimit: IDLE_LIMIT) }
    func letGo() { worker.handOver() }
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

    deinit { unsafe forward_xdp_free(twin) }

    var sent: Int { Int(unsafe forward_xdp_sent(twin)) }
    func work(_ wanted: Int) -> Int { Int(unsafe forward_xdp_work(twin, wanted)) }
    // Its pool is whoever's calls it.
    func letGo() {}
}
