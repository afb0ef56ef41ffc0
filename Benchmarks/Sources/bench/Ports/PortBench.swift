import Apus
import ApusBench
import CTwins
import Foundation

/// What all comparisons of the suite share.
final class PortBench {
    let own: Int
    let other: Int
    private lazy var stopwatch = Stopwatch()
    private var opened: Result<Network, any Error>?
    private var ends: [String: Wire] = [:]
    private var workers: [Backend: any Working] = [:]
    private var testpmds: [Backend: Testpmd] = [:]
    private var twins: [Backend: any Working] = [:]

    init(own: Int, other: Int) { (self.own, self.other) = (own, other) }

    /// The namespace, made when it is first asked for.
    func network() throws -> Network {
        if opened == nil { opened = Result { try Network() } }
        return try opened!.get()
    }

    /// A veth pair of that name.
    func wire(_ name: String) throws -> Wire {
        if let wire = ends[name] { return wire }
        let wire = try Wire(name, network())
        ends[name] = wire
        return wire
    }

    func besideC(
        _ name: String, _ backend: Backend, _ direction: Direction, _ size: Int, _ effort: Effort,
        _ progress: (String) -> Void
    ) throws -> [Finding] {
        let wires = (try wire("a\(backend.rawValue)"), try wire("c\(backend.rawValue)"))
        let ours = try apus(backend, wires.0), twin = try twin(backend, wires.1)
        try check(ours, wires.0, beside: twin, wires.1, direction, size)
        let comparison = Comparison("\(name)/c", per: "packet", cores: 2) { [self] in
            (
                competitor("Apus", ours, wires.0, direction, size),
                competitor("C", twin, wires.1, direction, size)
            )
        }
        var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
        finding.apus.backend = ours.backend
        finding.peer?.backend = twin.backend
        return [finding]
    }

    func besideTestpmd(
        _ name: String, _ backend: Backend, _ direction: Direction, _ size: Int, _ effort: Effort,
        _ progress: (String) -> Void
    ) throws -> [Finding] {
        let wires = (try wire("a\(backend.rawValue)"), try wire("d\(backend.rawValue)"))
        let ours = try apus(backend, wires.0), peer = try testpmd(backend, wires.1)
        let frame = Probe.arriving(size)
        let comparison = Comparison("\(name)/testpmd", per: "packet", cores: 2, rounds: 20) { [self] in
            (
                competitor("Apus", ours, wires.0, direction, size),
                Competitor("testpmd") { [self] in
                    if direction != .transmit { try fill(wires.1, frame, Sizes.count) }
                    // The core is testpmd's now.
                    try Cores.move(to: other)
                    defer { try? Cores.move(to: own) }
                    return try peer.work(direction, size, Sizes.count)
                }
            )
        }
        var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
        finding.apus.backend = ours.backend
        finding.peer?.backend = peer.backend
        return [finding]
    }

    private func testpmd(_ backend: Backend, _ wire: Wire) throws -> Testpmd {
        if let known = testpmds[backend] { return known }
        guard let nanosecondsPerTick = stopwatch.nanosecondsPerTick else {
            throw BenchError("testpmd counts ticks of the time-stamp counter, which changes its speed here")
        }
        let made = try Testpmd(
            network(), wire, backend, commands: other, work: own,
            nanosecondsPerTick: nanosecondsPerTick)
        testpmds[backend] = made
        return made
    }

    private func apus(_ backend: Backend, _ wire: Wire) throws -> any Working {
        if let known = workers[backend] { return known }
        let made: any Working = try network().inside {
            if backend == .packet { return try ApusPacket(wire.near) }
            return try ApusXDPPort(wire.near, isGeneric: backend == .generic)
        }
        workers[backend] = made
        return made
    }

    private func twin(_ backend: Backend, _ wire: Wire) throws -> any Working {
        if let known = twins[backend] { return known }
        let made: any Working = try network().inside {
            if backend == .packet { return try TwinPacket(wire.near) }
            return try TwinXDP(wire.near, isGeneric: backend == .generic)
        }
        twins[backend] = made
        return made
    }

    /// A round of who works on this thread.
    private func competitor(
        _ name: String, _ worker: any Working, _ wire: Wire, _ direction: Direction, _ size: Int
    ) -> Competitor {
        let frame = direction == .transmit ? Probe.leaving(size) : Probe.arriving(size)
        return Competitor(name) { [self] in
            guard worker.untaken == 0 else {
                throw BenchError(
                    "\(name) on \(wire.near): the kernel has not taken \(worker.untaken) packets")
            }
            if direction != .transmit { try fill(wire, frame, Sizes.count) }
        } run: {
            let done = worker.work(direction, frame, Sizes.count)
            guard done == Sizes.count else {
                throw BenchError("\(name) on \(wire.near): \(done) of \(Sizes.count) packets of \(size)")
            }
            return done
        }
    }

    /// Puts frames into the receive ring at the near end, from the other core: one over and over, or those of `size` octets
    /// that lie in a row.
    func fill(_ wire: Wire, _ frames: [UInt8], _ count: Int, size: Int? = nil) throws {
        try Cores.move(to: other)
        let sent = unsafe veth_send(wire.sender, frames, size ?? frames.count, size ?? 0, count)
        // What the kernel has put off until its own thread runs on that core.
        usleep(50)
        try Cores.move(to: own)
        guard sent == count else { throw BenchError("the sender at \(wire.far) sent \(sent) of \(count)") }
    }

    /// That both do the same to a frame.
    private func check(
        _ ours: any Working, _ first: Wire, beside twin: any Working, _ second: Wire, _ direction: Direction,
        _ size: Int
    ) throws {
        if direction == .receive { return }
        let one = try result(ours, first, direction, size)
        let other = try result(twin, second, direction, size)
        guard one == other, one.count == size else {
            throw BenchError("\(ours.interface) and \(twin.interface) do not send the same frame of \(size)")
        }
    }

    private func result(_ worker: any Working, _ wire: Wire, _ direction: Direction, _ size: Int) throws
        -> [UInt8]
    {
        let count = Burst.capacity
        let frame = direction == .transmit ? Probe.leaving(size) : Probe.arriving(size)
        if direction == .echo { try fill(wire, frame, count) }
        return try wire.frames(1, inside: network()) {
            let done = worker.work(direction, frame, count)
            guard done == count else { throw BenchError("\(worker.interface): \(done) of \(count) packets") }
        }[0]
    }
}
