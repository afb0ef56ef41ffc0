import ApusBench
import CTwins
import Foundation
import Relays

/// dpdk-testpmd on one interface, driven by its own command line.
///
/// It takes the time itself: with `record-core-cycles` it adds up the time-stamp counter's ticks of those passes through
/// its loop that received or sent packets, the send call and its system calls with them (`get_end_cycles` in
/// app/test-pmd of 22.11: a pass that finds nothing returns before). That is what the others are timed for, but
/// without the loop around it. It sleeps while it is not started.
final class Testpmd {
    /// How many are started for a backend at most: each takes a second or two.
    static let most = 3
    /// What it stands on.
    let wire: Wire
    private let child: Int32
    private var (input, output): (Int32, Int32) = (-1, -1)
    private let nanosecondsPerTick: Double
    private var text = ""
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
        // Line by line, or it would keep what it has to say.
        let command = """
            exec stdbuf -oL dpdk-testpmd -l \(commands),\(work) --main-lcore=\(commands) --no-huge -m 256 --no-pci \
            --no-telemetry --no-shconf --vdev=\(device) -- -i --no-flush-rx --burst=64 --nb-cores=1 --rxd=\(Sizes.ring) \
            --txd=\(Sizes.ring) --total-num-mbufs=\(Sizes.frames) --eth-peer=0,\(Probe.peer)
            """
        var (input, output): (Int32, Int32) = (-1, -1)
        child = try network.inside { unsafe child_start(command, &input, &output) }
        guard child > 0 else { throw BenchError("testpmd can't be started: error \(-child)") }
        (self.input, self.output) = (input, output)
        self.backend =
            backend.isXDP
            ? "AF_XDP \(backend == .generic ? "generic" : "native"), copy"
            : "AF_PACKET, TPACKET_V2, \(Sizes.ring) slots"
        _ = try answer(to: "set record-core-cycles on", endingWith: "testpmd> set record-core-cycles on")
        if backend.isXDP {
            let mode = try network.inside { unsafe xdp_mode(wire.near) }
            guard mode == (backend == .generic ? 2 : 1) else {
                throw BenchError("testpmd's XDP program is not \(backend.rawValue)")
            }
        }
    }

    deinit {
        // The end of its input ends it.
        child_end(child, input, output)
    }

    /// Lets it work off what lies in its receive ring, `count` packets, or send for a moment.
    ///
    /// - Returns: how many packets it did, and in what time.
    func work(_ direction: Direction, _ size: Int, _ count: Int) throws -> (count: Int, nanoseconds: Double) {
        if setting.map({ $0 != (direction, size) }) ?? true {
            let mode = ["rx": "rxonly", "tx": "txonly", "echo": "5tswap"][direction.rawValue]!
            try tell("set fwd \(mode)\nset txpkts \(size)")
            setting = (direction, size)
        }
        var (packets, ticks) = (0, 0.0)
        // On a busy machine it may take more than one turn.
        for attempt in 0..<10 {
            try tell("start")
            usleep(attempt == 0 ? 3_000 : 30_000)
            let said = try answer(to: "stop", endingWith: "\nDone.")
            let (received, sent) = (
                number(behind: "RX-packets:", in: said), number(behind: "TX-packets:", in: said)
            )
            guard direction != .echo || received == sent else {
                throw BenchError("testpmd lost packets: \(said)")
            }
            packets += direction == .transmit ? sent : received
            ticks += Double(number(behind: "(total cycles=", in: said))
            if packets >= (direction == .transmit ? 1 : count) { break }
        }
        guard packets > 0, direction == .transmit || packets == count else {
            throw BenchError("testpmd did \(packets) of \(count) packets of \(size) at \(direction.rawValue)")
        }
        return (packets, ticks * nanosecondsPerTick)
    }

    private func tell(_ command: String) throws {
        let bytes = Array("\(command)\n".utf8)
        let error = unsafe child_tell(input, bytes, bytes.count)
        guard error == 0 else {
            throw BenchError(
                "testpmd on \(wire.near) is not there any more: \(unsafe String(cString: strerror(-error)))")
        }
    }

    /// All that it says until that.
    private func answer(to command: String, endingWith end: String) throws -> String {
        try tell(command)
        while true {
            if let range = text.range(of: end) {
                let said = String(text[..<range.upperBound])
                text.removeSubrange(..<range.upperBound)
                return said
            }
            let data = unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                count = unsafe max(0, read(output, buffer.baseAddress, 4096))
            }
            guard !data.isEmpty else { throw BenchError("testpmd has ended:\n\(text)") }
            text += String(decoding: data, as: UTF8.self)
        }
    }

    /// The number behind the last such words; 0 when there is none.
    private func number(behind words: String, in text: String) -> Int {
        guard let range = text.range(of: words, options: .backwards) else { return 0 }
        return Int(text[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }) ?? 0
    }
}
