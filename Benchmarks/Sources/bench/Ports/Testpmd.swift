import ApusBench
import CTwins
import Foundation
import Relays
import TestpmdChild

/// dpdk-testpmd on one interface (``TestpmdProcess``).
final class Testpmd {
    /// How many are started for a backend at most: each takes a second or two.
    static let most = 3
    /// What it stands on.
    let wire: Wire
    private let process: TestpmdProcess
    private let nanosecondsPerTick: Double
    private var setting: (direction: Direction, size: Int)?
    /// The way of moving packets that it got.
    let backend: String

    /// Whether there is such a program.
    static var isInstalled: Bool { Relays.isInstalled("dpdk-testpmd") }

    /// Starts it in the namespace: its commands on one core, its work on another.
    init(
        _ network: Network, _ wire: Wire, _ backend: Backend, commands: Int, work: Int,
        nanosecondsPerTick: Double
    ) throws {
        (self.wire, self.nanosecondsPerTick) = (wire, nanosecondsPerTick)
        // It opens its socket with the program that is there, or loads one in native mode.
        if backend == .generic {
            let error = try network.inside { unsafe xdp_default_program(wire.near, 1) }
            guard error == 0 else {
                throw BenchError("no generic XDP program on \(wire.near): error \(-error)")
            }
        }
        // By default it would poll the interface from within each system call (`busy_budget=64`), as the others do not.
        let device =
            backend.isXDP
            ? "net_af_xdp0,iface=\(wire.near),force_copy=1,busy_budget=0"
            : "net_af_packet0,iface=\(wire.near),framesz=2048,framecnt=\(Sizes.ring),qdisc_bypass=1"
        process = try TestpmdProcess(
            device,
            "--burst=64 --rxd=\(Sizes.ring) --txd=\(Sizes.ring) --total-num-mbufs=\(Sizes.frames) "
                + "--eth-peer=0,\(Probe.peer)", commands: commands, work: work,
            start: { try network.inside($0) })
        self.backend =
            backend.isXDP
            ? "AF_XDP \(backend == .generic ? "generic" : "native"), copy"
            : "AF_PACKET, TPACKET_V2, \(Sizes.ring) slots"
        if backend.isXDP {
            let mode = try network.inside { unsafe xdp_mode(wire.near) }
            guard mode == (backend == .generic ? 2 : 1) else {
                throw BenchError("testpmd's XDP program is not \(backend.rawValue)")
            }
        }
    }

    /// Lets it work off what lies in its receive ring, `count` packets, or send for a moment.
    ///
    /// - Returns: how many packets it did, and in what time.
    func work(_ direction: Direction, _ size: Int, _ count: Int) throws -> (count: Int, nanoseconds: Double) {
        if setting.map({ $0 != (direction, size) }) ?? true {
            let mode = ["rx": "rxonly", "tx": "txonly", "echo": "5tswap"][direction.rawValue]!
            try process.tell("set fwd \(mode)\nset txpkts \(size)")
            setting = (direction, size)
        }
        var (packets, ticks) = (0, 0.0)
        // On a busy machine it may take more than one turn.
        for attempt in 0..<10 {
            try process.tell("start")
            usleep(attempt == 0 ? 3_000 : 30_000)
            let done = try process.stop()
            guard direction != .echo || done.received == done.sent else {
                throw BenchError("testpmd lost packets: \(done.text)")
            }
            packets += direction == .transmit ? done.sent : done.received
            ticks += Double(done.ticks)
            if packets >= (direction == .transmit ? 1 : count) { break }
        }
        guard packets > 0, direction == .transmit || packets == count else {
            throw BenchError("testpmd did \(packets) of \(count) packets of \(size) at \(direction.rawValue)")
        }
        return (packets, ticks * nanosecondsPerTick)
    }
}
