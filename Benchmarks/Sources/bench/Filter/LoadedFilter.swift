import Apus
import ApusBench
import CTraffic
import Foundation
import Relays

/// What an XDP program says of a packet: XDP_DROP and XDP_PASS of linux/bpf.h.
enum XDPAction: UInt32 {
    case drop = 1
    case pass = 2
}

/// A filter on a veth interface in a namespace of its own, with which it goes.
final class LoadedFilter {
    /// Packets of a round. The system call that runs a program on them takes some two microseconds, which is then
    /// less than a tenth of a nanosecond a packet.
    static let count = 32_768
    private static let interface = "guarded"
    private static let farEnd = "far"

    private let space: Space
    private let frame: [UInt8]
    /// What sits on the interface.
    let program: Int32

    /// Apus with these rules.
    ///
    /// - Parameter frame: what it judges.
    convenience init(apus rules: FilterRules, judging frame: [UInt8] = judgedFrame) throws {
        try self.init(frame) { space in
            _ = try space.enter { try RateLimitFilter.load(rules, on: Self.interface, mode: .native) }
        }
    }

    /// xdp-filter with all its features and with something on each list.
    ///
    /// - Parameters:
    ///   - policy: what becomes of packets that no list names, in its word.
    ///   - listed: what of its commands put more on the lists.
    convenience init(xdpFilterWith policy: String, _ listed: [String] = []) throws {
        try self.init(judgedFrame) { space in
            try space.run("xdp-filter load \(Self.interface) --features all --policy \(policy)")
            let others = [
                "ip --mode src 203.0.113.1", "port --mode dst --proto udp 9",
                "ether --mode src 02:00:00:00:00:77",
            ]
            for entry in others + listed { try space.run("xdp-filter \(entry)") }
        }
    }

    private init(_ frame: [UInt8], _ load: (Space) throws -> Void) throws {
        let space = try Space("filter")
        try space.run("ip link add \(Self.interface) type veth peer name \(Self.farEnd)")
        for name in [Self.interface, Self.farEnd] { try space.run("ip link set \(name) up") }
        try load(space)
        let found = try space.enter { unsafe traffic_program(Self.interface) }
        guard found >= 0 else {
            throw BenchError("no program is on the interface: \(unsafe String(cString: strerror(-found)))")
        }
        (self.space, self.frame, program) = (space, frame, found)
    }

    deinit { close(program) }

    /// What writes other addresses into packets and jumps to the filter: at the far end, which goes with the namespace.
    func spray() throws -> OpaquePointer {
        let program = program
        let (spray, code) = try unsafe space.enter {
            unsafe (traffic_spray_open(Self.farEnd, program), errno)
        }
        guard let spray = unsafe spray else {
            throw BenchError("the program that sprays: \(unsafe String(cString: strerror(code)))")
        }
        return unsafe spray
    }

    /// What Apus says of itself.
    func status() throws -> FilterStatus {
        try space.enter { try RateLimitFilter(on: Self.interface).status() }
    }

    /// That Apus judges packets so.
    func check(_ expected: FilterVerdict) throws {
        func judged(_ status: FilterStatus) -> UInt64 {
            switch expected {
            case .reason(let reason): status.reasons[reason]!.packets
            case .limit(let index): status.limits[index].dropped.packets
            }
        }
        let verdict: XDPAction = expected.passes ? .pass : .drop
        // The first may be within a limit.
        try runOnPackets(program, 1, nil, frame)
        let before = judged(try status())
        try runOnPackets(program, Self.count, verdict, frame)
        let count = judged(try status()) - before
        guard count == Self.count else {
            throw BenchError("of \(Self.count) packets \(count) were judged so: \(expected)")
        }
    }

    /// A round on packets of one source.
    ///
    /// - Parameter count: how many.
    func competitor(_ name: String, _ verdict: XDPAction, count: Int = count) -> Competitor {
        Competitor(name) {
        } run: { [self] in
            try runOnPackets(program, count, verdict, frame)
            return count
        }
    }
}

/// Runs a program on packets on this core, all of the same frame.
func runOnPackets(
    _ program: Int32, _ count: Int, _ verdict: XDPAction?, _ frame: [UInt8] = judgedFrame
) throws {
    var found: UInt32 = 0
    let code = unsafe traffic_judge(program, frame, frame.count, UInt32(count), &found)
    guard code == 0 else { throw BenchError("running a program: \(unsafe String(cString: strerror(code)))") }
    guard verdict == nil || found == verdict!.rawValue else {
        throw BenchError("the program says \(found) of a packet in place of \(verdict!.rawValue)")
    }
}

/// A UDP datagram over IPv4 in a frame of 64 octets.
let judgedFrame = Probe.arriving(64)
