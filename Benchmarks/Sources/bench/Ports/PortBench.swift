import Apus
import ApusBench
import CTwins
import Foundation

/// What all comparisons of the suite share.
final class PortBench {
    let own: Int
    let other: Int
    private var opened: Result<Network, any Error>?
    private var ends: [String: Wire] = [:]
    private var seats: [String: Seat<any Working>] = [:]
    private var testpmds: (backend: Backend, started: [Testpmd]) = (.native, [])
    /// How many were started in all.
    private var testpmdCount = 0

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
        let (ours, twin) = (try apus(backend), try twin(backend))
        let comparison = Comparison("\(name)/c", per: "packet", cores: 2) { [self] in
            try ours.renew()
            try twin.renew()
            try check(ours, beside: twin, direction, size)
            return (
                competitor("Apus", ours, direction, size) { Sizes.count },
                competitor("C", twin, direction, size) { Sizes.count }
            )
        }
        var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
        finding.set(\.backend, ["Apus": ours.worker.backend, "C": twin.worker.backend])
        return [finding]
    }

    func besideTestpmd(
        _ name: String, _ backend: Backend, _ direction: Direction, _ size: Int, _ effort: Effort,
        _ progress: (String) -> Void
    ) throws -> [Finding] {
        let (ours, frame) = (try apus(backend), Probe.arriving(size))
        // Who only sends can't be told how much: Apus sends as much as testpmd did in its turn before.
        var (placement, count, found) = (0, Sizes.count, "")
        let comparison = Comparison("\(name)/testpmd", per: "packet", cores: 2, rounds: 20) { [self] in
            try ours.renew()
            let peer = try testpmd(backend, placement)
            placement += 1
            (count, found) = (Sizes.count, peer.backend)
            return (
                competitor("Apus", ours, direction, size) { count },
                Competitor("testpmd") { [self] in
                    if direction != .transmit { try fill(peer.wire, frame, Sizes.count) }
                    // The core is testpmd's now.
                    try Cores.move(to: other)
                    defer { try? Cores.move(to: own) }
                    let done = try peer.work(direction, size, Sizes.count)
                    if direction == .transmit { count = max(1, done.count / Burst.capacity) * Burst.capacity }
                    return done
                }
            )
        }
        do {
            var finding = try Meter(stopwatch, effort).measure(comparison, progress: progress)
            finding.set(\.backend, ["Apus": ours.worker.backend, "testpmd": found])
            return [finding]
        } catch {
            // One that has ended, or did not do what it was told, shall not spoil the next comparisons too.
            testpmds.started = []
            throw error
        }
    }

    /// One of some that sleep in turn: to start one takes longer than to measure with it, and each has memory of its own.
    private func testpmd(_ backend: Backend, _ placement: Int) throws -> Testpmd {
        if testpmds.backend != backend { testpmds = (backend, []) }
        let number = placement % Testpmd.most
        if number < testpmds.started.count { return testpmds.started[number] }
        guard let nanosecondsPerTick = stopwatch.nanosecondsPerTick else {
            throw BenchError("testpmd counts ticks of the time-stamp counter, which changes its speed here")
        }
        // None stands where another one stood: one that was killed leaves its XDP program there.
        let wire = try wire("d\(testpmdCount)")
        testpmdCount += 1
        testpmds.started.append(
            try Testpmd(
                network(), wire, backend, commands: other, work: own, nanosecondsPerTick: nanosecondsPerTick))
        return testpmds.started[number]
    }

    private func apus(_ backend: Backend) throws -> Seat<any Working> {
        try seat("a\(backend.rawValue)") {
            if backend == .packet { return try ApusPacket($0) }
            return try ApusXDPPort($0, isGeneric: backend == .generic)
        }
    }

    private func twin(_ backend: Backend) throws -> Seat<any Working> {
        try seat("c\(backend.rawValue)") {
            if backend == .packet { return try TwinPacket($0) }
            return try TwinXDP($0, isGeneric: backend == .generic)
        }
    }

    private func seat(
        _ name: String, _ make: @escaping (String) throws -> any Working
    ) throws -> Seat<any Working> {
        if let seat = seats[name] { return seat }
        let seat = Seat(try wire(name), try network(), letGo: { $0.letGo() }, make)
        seats[name] = seat
        return seat
    }

    /// A round of who works on this thread.
    private func competitor(
        _ name: String, _ seat: Seat<any Working>, _ direction: Direction, _ size: Int,
        _ count: @escaping () -> Int
    ) -> Competitor {
        let frame = direction == .transmit ? Probe.leaving(size) : Probe.arriving(size)
        return Competitor(name) { [self] in
            guard seat.worker.untaken == 0 else {
                throw BenchError(
                    "\(name) on \(seat.wire.near): the kernel has not taken \(seat.worker.untaken) packets")
            }
            if direction != .transmit { try fill(seat.wire, frame, count()) }
        } run: {
            let (wanted, done) = (count(), seat.worker.work(direction, frame, count()))
            guard done == wanted else {
                throw BenchError("\(name) on \(seat.wire.near): \(done) of \(wanted) packets of \(size)")
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
        _ ours: Seat<any Working>, beside twin: Seat<any Working>, _ direction: Direction, _ size: Int
    ) throws {
        if direction == .receive { return }
        let (one, other) = (try result(ours, direction, size), try result(twin, direction, size))
        guard one == other, one.count == size else {
            throw BenchError("\(ours.wire.near) and \(twin.wire.near) do not send the same frame of \(size)")
        }
    }

    private func result(_ seat: Seat<any Working>, _ direction: Direction, _ size: Int) throws -> [UInt8] {
        let (count, wire) = (Burst.capacity, seat.wire)
        let frame = direction == .transmit ? Probe.leaving(size) : Probe.arriving(size)
        if direction == .echo { try fill(wire, frame, count) }
        return try wire.frames(1, inside: network()) {
            let done = seat.worker.work(direction, frame, count)
            guard done == count else { throw BenchError("\(wire.near): \(done) of \(count) packets") }
        }[0]
    }
}
