import Apus
import Foundation

/// Camera, relay and screen, three namespaces joined by veth pairs: what sends in the first and counts in the
/// last, with a second way between them on which no relay stands.
final class Stage {
    let relay: Space
    /// The relay's core, with all that the kernel does for what it sends.
    let relayCore: Int
    private let camera: Space
    private let screen: Space
    private let senderCore: Int
    private let through: Way
    private let direct: Way

    /// A stage whose relays have that core.
    ///
    /// - Parameter farEnd: the core on which the kernel receives and drops what reaches the screen. By default that is
    ///   the relay's, as veth receives where was sent; on a wire it is another host's.
    init(relayCore: Int, senderCore: Int, farEnd: Int? = nil) throws {
        (self.relayCore, self.senderCore) = (relayCore, senderCore)
        camera = try Space("camera")
        relay = try Space("relay")
        screen = try Space("screen")
        try Self.link(camera, "eth0", Flows.cameraMAC, relay, "in0", Flows.relayInMAC)
        try Self.link(screen, "eth0", Flows.screenMAC, relay, "out0", Flows.relayOutMAC)
        try Self.link(camera, "direct0", "02:00:00:00:03:01", screen, "direct0", Flows.screenMAC)
        for (space, name, address) in [
            (camera, "eth0", Flows.camera), (relay, "in0", Flows.relayIn), (relay, "out0", Flows.relayOut),
            (screen, "eth0", Flows.screen),
        ] { try space.ip("address add \(address)/24 dev \(name)") }
        // Nobody has to ask for an address while it is measured.
        for (space, name, address, link) in [
            (camera, "eth0", Flows.relayIn, Flows.relayInMAC),
            (relay, "in0", Flows.camera, Flows.cameraMAC),
            (relay, "out0", Flows.screen, Flows.screenMAC),
            (screen, "eth0", Flows.relayOut, Flows.relayOutMAC),
        ] { try space.ip("neighbor add \(address) lladdr \(link) dev \(name) nud permanent") }
        // An interface to which XDP frames are sent takes them with NAPI, which GRO turns on.
        for (space, name) in [(relay, "in0"), (screen, "direct0")] {
            try Child.run(["ethtool", "-K", name, "gro", "on"], in: space.pid)
        }
        if let farEnd {
            let file = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
            try Child.run(["sh", "-c", "printf %x $((1 << \(farEnd))) >\(file)"], in: screen.pid)
        }
        through = try Way("eth0", from: camera, to: screen)
        direct = try Way("direct0", from: camera, to: screen)
    }

    private static func link(
        _ first: Space, _ name: String, _ address: String, _ second: Space, _ otherName: String,
        _ otherAddress: String
    ) throws {
        try first.ip(
            "link add \(name) address \(address) type veth peer name \(otherName) address \(otherAddress) "
                + "netns \(second.pid)")
        try first.ip("link set \(name) up")
        try second.ip("link set \(otherName) up")
    }

    /// Gives the kernel the addresses of the relay's interfaces, or takes them from it, for a relay that answers for them itself.
    func setKernelAddresses(_ isKernel: Bool) throws {
        for (name, address) in [("in0", Flows.relayIn), ("out0", Flows.relayOut)] {
            try relay.ip(
                isKernel ? "address replace \(address)/24 dev \(name)" : "address flush dev \(name)")
        }
    }

    /// Packets that go straight to the screen, by the way on which no relay stands.
    func directFlows(payload: Int) throws -> Flows {
        try Flows(
            payload: payload, to: Flows.screen, nextHop: Flows.screenMAC,
            ports: (0..<Flows.count).map(Flows.screenPort))
    }

    /// Packets to a relay that listens at these ports.
    func flows(payload: Int, ports: [UInt16]) throws -> Flows {
        try Flows(payload: payload, to: Flows.relayIn, nextHop: Flows.relayInMAC, ports: ports)
    }

    /// As many packets as 50 microseconds hold, at most 32: fewer a burst take the sender too long, and longer bursts
    /// are less like a wire.
    private static func burst(_ rate: Double) -> Int { min(32, max(1, Int(rate * 50e-6))) }

    /// How long after the last packet was sent all must have arrived, in milliseconds. What takes longer was waiting in the
    /// buffers of a relay that can't keep up, or is lost.
    private static var patience: Int { 50 }

    /// Sends at a rate, in bursts, and says what was offered and what did not arrive in time.
    func offer(
        _ flows: inout Flows, rate: Double, seconds: Double, isDirect: Bool = false
    ) throws -> Bisection.Trial {
        let way = isDirect ? direct : through
        let before = way.arrived
        let burst = Self.burst(rate)
        let bursts = max(Flows.count, Int(rate * seconds)) / burst
        let offered = try way.send(&flows, bursts: bursts, of: burst, rate: rate, core: senderCore)
        var arrived = way.arrived - before
        for _ in 0..<Self.patience where arrived < offered.packets {
            usleep(1000)
            arrived = way.arrived - before
        }
        guard arrived <= offered.packets else { throw RelayError("more packets arrived than were sent") }
        return Bisection.Trial(
            offered: Double(offered.packets) * 1e9 / Double(offered.nanoseconds),
            lost: Int(offered.packets - arrived))
    }

    /// Sends one packet of each flow and compares what arrives: each RTP packet as it was sent, at the port of
    /// its flow. False when not all arrive; what is not as it was sent is an error.
    func verify(_ flows: inout Flows) throws -> Bool {
        var lost = 0
        let frames = try through.keeping {
            lost = try offer(&flows, rate: 1000, seconds: 0).lost
        }
        guard lost == 0, frames.count == Flows.count else { return false }
        var seen = Set<Int>()
        for frame in frames {
            guard frame.count == flows.frameSize else {
                throw RelayError("a frame of \(frame.count) octets arrived instead of \(flows.frameSize)")
            }
            let port = Int(frame[36]) << 8 | Int(frame[37])
            let flow = (port - Int(Flows.screenPort(0))) / 2
            guard seen.insert(flow).inserted, flow < Flows.count,
                flows.isPacket(Array(frame[42...]), of: flow, number: flows.sent - Flows.count + flow)
            else { throw RelayError("what arrived at port \(port) is not what was sent") }
        }
        return true
    }

    /// Sends for some seconds and gives the nanoseconds from the sender to the end of the way.
    func latencies(
        _ flows: inout Flows, rate: Double, seconds: Double, isDirect: Bool = false
    ) throws -> (latencies: [UInt32], lost: Int) {
        var lost = 0
        let latencies = try (isDirect ? direct : through).timing {
            lost = try offer(&flows, rate: rate, seconds: seconds, isDirect: isDirect).lost
        }
        return (latencies, lost)
    }
}
