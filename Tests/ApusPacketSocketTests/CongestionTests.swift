import ApusPorts
import CLinux
import Glibc
import NetworkLab
import Testing

@testable import ApusPacketSocket

/// Queues that are full for moments, and errors that are none of the queue's.
@Suite("Packets that the kernel takes a little later", .requires(.root), .timeLimit(.minutes(5)))
struct CongestionTests {
    /// Flushes until nothing waits, for that many seconds at most.
    private func drain(_ port: inout Port<PacketSocketDriver>, within seconds: Int = 5) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while port.statistics().pending > 0, ContinuousClock.now < deadline {
            port.flush()
            usleep(100)
        }
    }

    @Test(
        "flat out into a full queue nothing is lost, however long others have the core in between",
        .requires(.program("taskset"), .program("python3")))
    func sharedCore() throws {
        let scene = try Scene("congested")
        defer { scene.close() }
        try scene.b.run(
            "tc", "qdisc", "add", "dev", "vb", "root", "tbf", "rate", "50mbit", "burst", "3000", "limit",
            "30000")
        // Eight others take turns with us: 20 ms and more pass between two of our instructions now and then.
        let spin = "import time\nend = time.monotonic() + 10\nwhile time.monotonic() < end: pass"
        for _ in 0..<8 {
            _ = try scene.b.start(["taskset", "-c", "0", "python3", "-c", spin])
        }
        // A thread of its own, of which the core is no longer that of others.
        let statistics = try scene.b.enter {
            var port = try scene.port()
            try scene.b.run("taskset", "-cp", "0", "\(try threadIdentifier())")
            let packet = frame(1000)
            var burst = Burst()
            let end = ContinuousClock.now + .seconds(4)
            while ContinuousClock.now < end {
                while burst.room > 0, var next = port.makePacket() {
                    let fits = unsafe next.replaceBytes(with: packet.span.bytes)
                    precondition(fits)
                    burst.append(next)
                }
                port.transmit(&burst)
                port.flush()
            }
            burst.removeAll()
            drain(&port)
            return port.statistics()
        }
        #expect(statistics.sent > 1000)
        #expect(statistics.drops.total == 0, "\(statistics.drops[.sendRefused]) refused")
        #expect(statistics.pending == 0)
    }

    /// Of the thread that asks, as its own namespace of processes has it.
    private func threadIdentifier() throws -> Int {
        var path = [CChar](repeating: 0, count: 64)
        let count = unsafe readlink("/proc/thread-self", &path, path.count - 1)
        try #require(count > 0)
        let text = path.prefix(count).map { Character(Unicode.Scalar(UInt8($0))) }
        return try #require(Int(String(String(text).split(separator: "/").last!)))
    }

    @Test("who flushes every 20 ms loses nothing by a queue that is full for 60 ms")
    func seldomFlushed() throws {
        let scene = try Scene("seldom")
        defer { scene.close() }
        // 1000 bytes take 60 ms each.
        try scene.b.run(
            "tc", "qdisc", "add", "dev", "vb", "root", "tbf", "rate", "133kbit", "burst", "1000", "limit",
            "2000")
        var port = try scene.port()
        port.send((0..<8).map { _ in frame(1000) })
        for _ in 0..<50 where port.statistics().pending > 0 {
            usleep(20_000)
            port.flush()
        }
        let statistics = port.statistics()
        #expect(statistics.sent == 8 && statistics.drops.total == 0 && statistics.pending == 0)
    }

    @Test("an error that is none of the interface's costs one packet, and not those behind it")
    func otherError() throws {
        let scene = try Scene("othererror")
        defer { scene.close() }
        try scene.b.run("ip", "link", "set", "lo", "up")
        var port = try scene.port()
        // In place of its socket one of UDP, which is told by ICMP that nobody listens: with the next packet.
        let other = try scene.b.enter {
            let descriptor = socket(AF_INET, APUS_SOCK_DGRAM, 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = UInt16(9).bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let connected = unsafe withUnsafePointer(to: &address) { pointer in
                unsafe connect(
                    descriptor, UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                    socklen_t(MemoryLayout<sockaddr_in>.size))
            }
            try #require(connected == 0)
            return descriptor
        }
        try #require(dup2(other, port.driver.transmitSocket) >= 0)
        close(other)
        port.send([frame(100)])
        usleep(20_000)
        port.send((0..<3).map { _ in frame(100) })
        drain(&port)
        let statistics = port.statistics()
        #expect(statistics.sent == 3)
        #expect(statistics.drops[.sendRefused] == 1 && statistics.drops.total == 1)
    }
}
