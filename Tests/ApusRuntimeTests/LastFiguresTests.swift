import ApusConfig
import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// What a port says when it is closed, of packets that take their time.
@Suite("The last figures of a port", .requires(.root), .timeLimit(.minutes(5)))
struct LastFiguresTests {
    /// Fills a port on a bridge with a slow port of its own, closes it, and gives its last figures and how many packets arrived in the end.
    private func close(_ purpose: String, _ open: () throws -> BackendPort) throws -> (PortStatistics, Int) {
        let lab = NetworkLab(purpose)
        defer { lab.close() }
        let a = try lab.namespace("a")
        let b = try lab.namespace("b")
        for space in [a, b] {
            try space.run(
                "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        }
        try lab.link(a, "va", b, "vb")
        try b.run("ip", "link", "add", "slow", "type", "bridge", "mcast_snooping", "0")
        try b.run("ip", "link", "set", "vb", "master", "slow")
        try b.run("ip", "link", "set", "slow", "up")
        // 1414 bytes take 2.3 ms.
        try b.run(
            "tc", "qdisc", "add", "dev", "vb", "root", "tbf", "rate", "5mbit", "burst", "4000", "limit",
            "10000000")
        func arrived() throws -> Int {
            let text = try a.run("cat", "/sys/class/net/va/statistics/rx_packets").standardOutput
            return try #require(Int(text.dropLast()))
        }
        let before = try arrived()
        let statistics = try b.enter {
            switch try open() {
            case .xdp(var port):
                fill(&port)
                return BackendPort.xdp(port).finalStatistics()
            case .packet(var port):
                fill(&port)
                return BackendPort.packet(port).finalStatistics()
            default: preconditionFailure("one of the two was opened, for one worker")
            }
        }
        // All that the kernel has taken arrives, closed or not.
        var (last, now) = (-1, try arrived())
        while last != now {
            usleep(200_000)
            (last, now) = (now, try arrived())
        }
        return (statistics, now - before)
    }

    private func fill<Driver: PortDriver & ~Copyable>(_ port: inout Port<Driver>) {
        var burst = Burst()
        for _ in 0..<400 {
            if burst.room == 0 { port.transmit(&burst) }
            guard burst.room > 0, var packet = port.makePacket() else { break }
            precondition(packet.append(1400))
            burst.append(packet)
        }
        port.transmit(&burst)
        burst.removeAll()
    }

    @Test(arguments: [BackendChoice.xdp, .packet])
    func `what left is sent, what did not is refused, and nothing is pending`(_ backend: BackendChoice) throws
    {
        let (statistics, arrived) = try close("lastfigures") {
            if backend == .xdp {
                var options = XDPOptions()
                options.mode = .generic
                // The kernel takes no more than it has room to say are done.
                options.completionRing = 64
                return .xdp(try XDPInterface(sendingOn: "slow", options).open(queue: 0))
            }
            let pool = try FrameMemory(frames: 1024, frameSize: .bytes2048, hugePages: .never).makePool(
                frames: 1024)
            var options = PacketSocketOptions()
            options.bypassesQueueing = false
            return .packet(try PacketSocketInterface("slow", options: options).makePort(pool: pool))
        }
        #expect(statistics.pending == 0)
        #expect(statistics.sent > 0)
        #expect(Int(statistics.sent) == arrived)
        #expect(statistics.sent + statistics.drops.total == 400, "\(statistics)")
        if backend == .xdp { #expect(statistics.drops[.sendRefused] > 0) }
    }
}
