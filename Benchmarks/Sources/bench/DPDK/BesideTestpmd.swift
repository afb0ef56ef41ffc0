import ApusBench
import Foundation
import TestpmdChild

/// What is measured beside testpmd: the same device in its process, on the same core, in turn.
final class TestpmdBench {
    private let own, other: Int
    private var (kind, started) = (VirtualDevice.null, [TestpmdDevice]())

    /// `nil` where there is an ``obstacle(_:_:)``.
    init?(_ cores: Cores, _ arguments: Arguments) {
        guard Self.obstacle(cores, arguments) == nil, let other = cores.other else { return nil }
        (own, self.other) = (cores.own, other)
    }

    /// Why testpmd can't stand beside Apus.
    static func obstacle(_ cores: Cores, _ arguments: Arguments) -> String? {
        if arguments.has("same") { return "with --same: there Apus stands beside itself" }
        if arguments.has("one-core") { return "with --one-core: its command line has a core of its own" }
        guard cores.other != nil else { return "here: its command line needs a core of its own" }
        return Testpmd.isInstalled ? nil : "here: dpdk-testpmd is not in PATH: apt-get install dpdk-dev"
    }

    func measure(
        _ name: String, _ kind: VirtualDevice, _ handling: Handling, _ effort: Effort,
        _ progress: (String) -> Void
    ) throws -> [Finding] {
        guard let nanosecondsPerTick = stopwatch.nanosecondsPerTick else {
            throw BenchError("testpmd counts ticks of the time-stamp counter, which changes its speed here")
        }
        var placement = 0
        let comparison = Comparison(name, per: "packet", rounds: 20) { [self] in
            try startDPDK()
            let port = try DevicePort(kind)
            try ready(kind, handling, "Apus", port.send, port.take) { port.forward(handling, $0) }
            let peer = try testpmd(kind, placement)
            placement += 1
            return (
                Competitor("Apus") {
                    let done = port.forwardTimed(handling, TestpmdDevice.passes)
                    _ = checked(TestpmdDevice.passes, done.count)
                    return (done.count, Double(done.ticks) * nanosecondsPerTick)
                },
                Competitor("testpmd \(handling)") { [self] in
                    // The core is testpmd's now.
                    try Cores.move(to: other)
                    defer { try? Cores.move(to: own) }
                    let done = try peer.work(handling)
                    return (done.count, Double(done.ticks) * nanosecondsPerTick)
                }
            )
        }
        do {
            return [try Meter(stopwatch, effort).measure(comparison, progress: progress)]
        } catch {
            // One that has ended, or did not do what it was told, shall not spoil the next comparisons too.
            started = []
            throw error
        }
    }

    /// One of some that sleep in turn: to start one takes longer than to measure with it, and each has memory of its own.
    private func testpmd(_ kind: VirtualDevice, _ placement: Int) throws -> TestpmdDevice {
        if self.kind != kind { (self.kind, started) = (kind, []) }
        let number = placement % Testpmd.most
        if number == started.count { started.append(try TestpmdDevice(kind, commands: other, work: own)) }
        return started[number]
    }
}

/// dpdk-testpmd on one virtual device.
private final class TestpmdDevice {
    /// How many passes of Apus' stand beside a turn of testpmd's, which takes a millisecond.
    static let passes = 1024
    private let process: TestpmdProcess
    private let kind: VirtualDevice
    private var handling: Handling?
    private var isFilled = false

    init(_ kind: VirtualDevice, commands: Int, work: Int) throws {
        self.kind = kind
        process = try TestpmdProcess(
            kind.device("net_\(kind)0"),
            "--burst=\(VirtualDevice.burst) --rxd=\(VirtualDevice.descriptors) --txd=\(VirtualDevice.descriptors) "
                + "--total-num-mbufs=\(VirtualDevice.frames) --mbcache=256 --mbuf-size=2176 --port-topology=loop",
            commands: commands, work: work)
    }

    /// Lets it forward for a millisecond.
    func work(_ handling: Handling) throws -> (count: Int, ticks: Int) {
        if self.handling != handling {
            try process.tell("set fwd \(handling)\nset txpkts \(VirtualDevice.size)")
            self.handling = handling
        }
        // Where a device gives back what it gets, as many bursts of packets are sent first as shall circle there.
        let fills = kind == .ring && !isFilled
        try process.tell(fills ? "start tx_first \(VirtualDevice.circling / VirtualDevice.burst)" : "start")
        isFilled = true
        usleep(1_000)
        let done = try process.stop()
        let answered = done.sent - (fills ? VirtualDevice.circling : 0)
        guard done.received > 0, done.ticks > 0, answered == done.received
        else { throw BenchError("testpmd lost packets at \(handling): \(done.text)") }
        return (done.received, done.ticks)
    }
}
