import ApusPacketSocket
import ApusPorts
import ApusRings
import Glibc
import NetworkLab
import Seeds
import Testing

@Suite("Transmitting", .requires(.root, .program("tcpdump")), .timeLimit(.minutes(5)))
struct TransmitTests {
    /// Frames of a type that nobody answers, with octets by seed.
    private func frames(_ lengths: [Int], seed: UInt64 = 2) -> [[UInt8]] {
        var random = Seeded(seed)
        return lengths.map { length in
            [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 9, 0x88, 0xb5]
                + (14..<max(14, length)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
    }

    @Test("frames of every length leave as they are", arguments: [false, true])
    func bytes(bypass: Bool) throws {
        let scene = try Scene("tx")
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port { $0.bypassesQueueing = bypass }
        var random = Seeded(3)
        let sent = frames(
            [14, 15, 60, 1513, 1514] + (0..<3000).map { _ in Int.random(in: 14...1514, using: &random) })
        port.send(sent)
        expectSame(try capture.frames(sent.count), sent)
        let statistics = port.statistics()
        #expect(statistics.sent == UInt64(sent.count))
        #expect(statistics.sentBytes == UInt64(sent.reduce(0) { $0 + $1.count }))
        #expect(statistics.drops.total == 0)
        #expect(port.driver.framesInside == 0)
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    @Test("what is left to who sends is done: a tag put in, a checksum completed")
    func unfinished() throws {
        let scene = try Scene("txleft")
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        var random = Seeded(6)
        let frames = (0..<60).map { number in
            SeededFrame(&random, tags: number % 2 == 0 ? [] : [(0x8100, 0x2005)], payload: 20...1300)
        }
        var burst = Burst()
        for frame in frames {
            let (octets, tag) = stripped(frame.partial)
            var packet = port.packet(octets)
            (packet.flags, packet.vlan) = (.checksumPartial, tag)
            burst.append(packet)
        }
        let taken = port.transmit(&burst)
        port.flush()
        #expect(taken == 60)
        expectSame(try capture.frames(60), frames.map(\.whole))
    }

    @Test("too long and too short ones are counted and hold nobody up; a VLAN tag is not part of the MTU")
    func lengths() throws {
        let scene = try Scene("txlengths")
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        #expect(port.driver.maximumPacketSize == 1514)
        let tagged = Datagram(tags: [(0x8100, 5)], payload: [UInt8](repeating: 1, count: 1472)).frame
        let service = Datagram(tags: [(0x88a8, 5)], payload: [UInt8](repeating: 1, count: 1472)).frame
        #expect(tagged.count == 1518)
        let good = frames([100, 200, 300])
        var burst = Burst()
        for frame in [
            good[0], frames([1515])[0], tagged, tagged + [0], service, [1, 2, 3], [], good[1], good[2],
        ] {
            burst.append(port.packet(frame))
        }
        #expect(port.transmit(&burst) == 9)
        #expect(burst.count == 0)
        port.flush()
        expectSame(try capture.frames(4), [good[0], tagged, good[1], good[2]])
        let statistics = port.statistics()
        #expect(statistics.sent == 4)
        #expect(statistics.drops[.tooLong] == 3)
        #expect(statistics.drops[.sendRefused] == 2)
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    @Test("a packet in several segments leaves as one")
    func segments() throws {
        let scene = try Scene("segments", mtu: 9000)
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        let sent = frames([9014, 4000, 9015])
        var burst = Burst()
        for frame in sent {
            let pieces = stride(from: 0, to: frame.count, by: 1700).map {
                Array(frame[$0..<min($0 + 1700, frame.count)])
            }
            burst.append(chain(pieces, of: &port))
        }
        #expect(port.transmit(&burst) == 3)
        port.flush()
        expectSame(try capture.frames(2), Array(sent[..<2]))
        #expect(port.statistics().drops[.tooLong] == 1)
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    /// A packet of several frames, as a driver for jumbo frames makes it.
    private func chain(_ pieces: [[UInt8]], of port: inout Port<PacketSocketDriver>) -> Packet {
        var last: UnsafeMutablePointer<FrameHeader>?
        for piece in pieces.reversed() {
            let frame = unsafe port.packet(piece).takeFrame()
            unsafe frame.header.pointee.next = last
            unsafe last = frame.header
        }
        return unsafe Packet(adopting: Frame(header: last!))
    }

    @Test("a full ring takes what it has room for and leaves the rest in order")
    func fullRing() throws {
        let scene = try Scene("fullring")
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port { $0.transmitSlots = 16 }
        let sent = frames((0..<64).map { 100 + $0 })
        var burst = Burst()
        for frame in sent {
            burst.append(port.packet(frame))
        }
        // The ring fills, the kernel is woken once and takes the sixteen, and the ring fills again.
        #expect(port.transmit(&burst) == 32)
        #expect(burst.count == 32)
        #expect(burst[0].array == sent[32])
        #expect(port.statistics().sent == 16)
        #expect(port.statistics().pending == 16)
        port.flush()
        #expect(port.statistics().sent == 32)
        #expect(port.statistics().pending == 0)
        while !burst.isEmpty {
            #expect(port.transmit(&burst) > 0)
            port.flush()
        }
        expectSame(try capture.frames(64), sent)
        #expect(port.statistics().sent == 64)
    }

    @Test("packets that wait when the interface goes down are dropped and counted, and later ones leave")
    func down() throws {
        let scene = try Scene("txdown")
        defer { scene.close() }
        var port = try scene.port { $0.transmitSlots = 16 }
        let sent = frames([100, 101, 102, 103, 104, 105, 106, 107, 108, 109])
        // Away from the ring's start, so that taking back wraps around.
        port.send(frames([UInt8](repeating: 90, count: 13).map(Int.init)))
        try scene.b.run("ip", "link", "set", "vb", "down")
        port.send(sent)
        #expect(port.statistics().drops[.linkDown] == 10)
        try scene.b.run("ip", "link", "set", "vb", "up")
        let capture = try Capture(on: "va", in: scene.a)
        port.send(sent)
        expectSame(try capture.frames(10), sent)
        let statistics = port.statistics()
        #expect(statistics.sent == 23)
        #expect(statistics.drops.total == 10)
    }

    @Test("when the MTU shrinks, what waits and is too long is taken out, and the rest leaves in order")
    func shrunkMTU() throws {
        let scene = try Scene("mtu")
        defer { scene.close() }
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        let sent = frames([100, 1014, 1015, 1514, 200, 1500, 300])
        var burst = Burst()
        for frame in sent {
            burst.append(port.packet(frame))
        }
        #expect(port.transmit(&burst) == 7)
        try scene.b.run("ip", "link", "set", "vb", "mtu", "1000")
        port.flush()
        expectSame(try capture.frames(4), [sent[0], sent[1], sent[4], sent[6]])
        #expect(port.driver.maximumPacketSize == 1014)
        #expect(port.statistics().sent == 4)
        #expect(port.statistics().drops[.tooLong] == 3)
        // And when it grows again the first long one is not dropped.
        try scene.b.run("ip", "link", "set", "vb", "mtu", "1500")
        let later = try Capture(on: "va", in: scene.a)
        let before = port.statistics().drops.total
        // The MTU is asked for once in 256 packets that are too long.
        port.send((0..<300).map { _ in sent[3] })
        let statistics = port.statistics()
        #expect(statistics.sent + statistics.drops.total - before == 304)
        #expect(try later.frames(1).count == Int(statistics.sent) - 4)
        #expect(statistics.sent > 4)
        #expect(port.driver.maximumPacketSize == 1514)
    }

    @Test("a queueing discipline that is full loses nothing that was taken")
    func backpressure() throws {
        let scene = try Scene("qdisc")
        defer { scene.close() }
        // Two packets of queue at 10 Mbit/s: the kernel says ENOBUFS most of the time.
        try scene.b.run(
            "tc", "qdisc", "add", "dev", "vb", "root", "tbf", "rate", "20mbit", "burst", "3000", "limit",
            "3000")
        let capture = try Capture(on: "va", in: scene.a)
        var port = try scene.port()
        let sent = frames((0..<300).map { _ in 1000 })
        var burst = Burst()
        var next = 0
        let deadline = ContinuousClock.now + .seconds(10)
        while port.statistics().sent < 300, ContinuousClock.now < deadline {
            while burst.room > 0, next < 300 {
                burst.append(port.packet(sent[next]))
                next += 1
            }
            port.transmit(&burst)
            port.flush()
            usleep(100)
        }
        expectSame(try capture.frames(300), sent)
        #expect(port.statistics().sent == 300)
        #expect(port.statistics().drops.total == 0)
    }
}
