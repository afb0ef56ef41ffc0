import ApusPacketSocket
import ApusPorts
import Glibc
import NetworkLab
import Testing

/// Packets that the kernel drops instead of sending: it says ENOBUFS, as it does when its queue is full.
@Suite("Packets that the kernel refuses", .requires(.root, .program("tcpdump")), .timeLimit(.minutes(5)))
struct RefusedTests {
    /// Offers frames at once and then flushes, for fifteen seconds at most, until each was sent or dropped.
    private func send(_ frames: [[UInt8]], over port: inout Port<PacketSocketDriver>) -> PortStatistics {
        var burst = Burst()
        var taken: UInt64 = 0
        var left = frames[...]
        let deadline = ContinuousClock.now + .seconds(15)
        repeat {
            while burst.room > 0, let frame = left.popFirst() { burst.append(port.packet(frame)) }
            taken += UInt64(port.transmit(&burst))
            port.flush()
            let now = port.statistics()
            if now.sent + now.drops.total == UInt64(frames.count) { break }
            usleep(100)
        } while ContinuousClock.now < deadline
        let statistics = port.statistics()
        #expect(taken == frames.count)
        #expect(taken == statistics.sent + statistics.drops.total)
        return statistics
    }

    @Test("one that is too long for the peer holds nobody up", arguments: [false, true])
    func peerMTU(bypass: Bool) throws {
        let scene = try Scene("peermtu")
        defer { scene.close() }
        try scene.b.run("ip", "link", "set", "vb", "mtu", "9000")
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port(size: .bytes4096) { $0.bypassesQueueing = bypass }
        let good = (0..<10).map { frame(100, $0) }
        let statistics = send([frame(2000)] + good, over: &port)
        expectSame(try capture.frames(10), good)
        #expect(statistics.sent == 10)
        #expect(statistics.sentBytes == 1000)
        #expect(statistics.drops[.sendRefused] == 1)
        #expect(statistics.drops.total == 1)
    }

    @Test("one that is longer than a queueing discipline ever sends holds nobody up")
    func queueing() throws {
        let scene = try Scene("tooburst")
        defer { scene.close() }
        try scene.b.run(
            "tc", "qdisc", "add", "dev", "vb", "root", "tbf", "rate", "100mbit", "burst", "1000", "limit",
            "100000")
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        let good = (0..<10).map { frame(100, $0) }
        let statistics = send(Array(good[..<5]) + [frame(1400)] + good[5...], over: &port)
        expectSame(try capture.frames(10), good)
        #expect(statistics.sent == 10)
        #expect(statistics.drops[.sendRefused] == 1)
    }

    @Test("where most are refused, the others wait for moments only", arguments: [false, true])
    func most(bypass: Bool) throws {
        let time = try undisturbed(beyond: .milliseconds(100)) {
            try sendMost(bypass)
        } isRight: {
            $0 < .seconds(1)
        }
        #expect(time < .seconds(1))
    }

    /// How long it takes until the kernel has sent or refused all of many packets, two of three of which it refuses.
    private func sendMost(_ bypass: Bool) throws -> Duration {
        let scene = try Scene("most")
        defer { scene.close() }
        try scene.b.run("ip", "link", "set", "vb", "mtu", "9000")
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port(size: .bytes4096) { $0.bypassesQueueing = bypass }
        let frames = (0..<900).map { frame($0 % 3 == 0 ? 100 : 2000, UInt8($0 % 251)) }
        let start = ContinuousClock.now
        let statistics = send(frames, over: &port)
        let time = ContinuousClock.now - start
        expectSame(try capture.frames(300), frames.filter { $0.count == 100 })
        #expect(statistics.sent == 300)
        #expect(statistics.drops[.sendRefused] == 600)
        return time
    }

    @Test("without a carrier nothing waits until there is one again")
    func noCarrier() throws {
        let scene = try Scene("dark")
        defer { scene.close() }
        var port = try scene.port { $0.bypassesQueueing = true }
        try scene.a.run("ip", "link", "set", "va", "down")
        let stale = (0..<100).map { frame(100, $0) }
        let dark = send(stale, over: &port)
        #expect(dark.sent == 0)
        #expect(dark.drops[.sendRefused] == 100)
        try scene.a.run("ip", "link", "set", "va", "up")
        let capture = try Capture(on: "va", in: scene.a)
        let fresh = (0..<100).map { frame(200, $0) }
        port.send(fresh)
        expectSame(try capture.frames(100), fresh)
        #expect(port.statistics().sent == 100)
    }

    /// The kernel has taken them, and does not tell that there was no carrier: see ``PortStatistics/sent``.
    @Test("without a carrier the queueing discipline takes what it drops, and nothing leaves later")
    func noCarrierBehindQueue() throws {
        let scene = try Scene("darkqueue")
        defer { scene.close() }
        var port = try scene.port()
        try scene.a.run("ip", "link", "set", "va", "down")
        // Until the kernel has put its queueing discipline out of work.
        usleep(1_500_000)
        let dark = send((0..<100).map { frame(100, $0) }, over: &port)
        #expect(dark.sent == 100 && dark.drops.total == 0)
        try scene.a.run("ip", "link", "set", "va", "up")
        usleep(1_500_000)
        let capture = try Capture(on: "va", in: scene.a)
        let fresh = (0..<100).map { frame(200, $0) }
        port.send(fresh)
        expectSame(try capture.frames(100), fresh)
    }
}
