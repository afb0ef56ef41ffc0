import ApusPacketSocket
import ApusPorts
import ApusRings
import Glibc
import NetworkLab
import Seeds
import Testing

/// Both layouts of the receive ring, to be tried by each test.
let rings: [PacketSocketReceiveRing] = [
    .slots(count: 4096), .blocks(size: 65536, count: 64, timeout: 1),
    .blocks(size: 4096, count: 64, timeout: 1),
]

@Suite("Receiving", .requires(.root, .program("python3")), .timeLimit(.minutes(5)))
struct ReceiveTests {
    @Test("frames of every length arrive as they were sent", arguments: rings)
    func bytes(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("bytes")
        defer { scene.close() }
        var port = try scene.port { $0.receiveRing = ring }
        var random = Seeded(1)
        // From a bare Ethernet header to the MTU; the type is one that nobody answers.
        let sent =
            ([14, 15, 16, 17, 60, 61, 1513, 1514]
            + (0..<200).map { _ in Int.random(in: 14...1514, using: &random) })
            .map { length in
                [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 9, 0x88, 0xb5]
                    + (14..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
        try scene.send(sent)
        expectSame(port.frames(sent.count), sent)
        let statistics = port.statistics()
        #expect(statistics.received == UInt64(sent.count))
        #expect(statistics.receivedBytes == UInt64(sent.reduce(0) { $0 + $1.count }))
        #expect(statistics.drops.total == 0)
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    @Test("a frame that was used before carries no tag and no hash of that packet", arguments: rings)
    func reuse(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("reuse")
        defer { scene.close() }
        var port = try scene.port(frames: 256) { $0.receiveRing = ring }
        // Those that go back last are taken first.
        var burst = Burst()
        while burst.room > 0, var packet = port.makePacket() {
            packet.vlan = 7
            unsafe packet.rawFrame.header.pointee.flowHash = 9
            packet.flags.insert(.flowHash)
            burst.append(packet)
        }
        burst.removeAll()
        try scene.send([Datagram(tags: [(0x8100, 5)]).frame, Datagram().frame])
        let count = port.receive(2) { #expect($0.vlan == nil && $0.flowHash == nil) }
        #expect(count == 2)
    }

    @Test("VLAN tags, 802.1Q and 802.1ad, one and two, are where they were on the wire", arguments: rings)
    func tags(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("tags")
        defer { scene.close() }
        var port = try scene.port { $0.receiveRing = ring }
        var sent: [[UInt8]] = []
        for tags: [(UInt16, UInt16)] in [
            [(0x8100, 100)], [(0x88a8, 7)], [(0x8100, 0xefff)], [(0x8100, 0)],
            [(0x88a8, 200), (0x8100, 300)], [(0x8100, 200), (0x8100, 300)], [],
        ] {
            for length in [4, 1000] {
                sent.append(Datagram(tags: tags, payload: [UInt8](repeating: 7, count: length)).frame)
            }
        }
        try scene.send(sent)
        expectSame(port.frames(sent.count), sent)
    }

    @Test("a full ring loses exactly what it counts", arguments: [rings[0], rings[1]])
    func overflow(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("overflow")
        defer { scene.close() }
        var port = try scene.port { $0.receiveRing = ring }
        // More than either ring holds, with nobody receiving.
        let frame = Datagram(payload: [UInt8](repeating: 0, count: 900)).frame
        try scene.flood(frame, count: 12000)
        var numbers: Set<[UInt8]> = []
        let received = port.receive(12000) { numbers.insert(Array($0.array[42..<46])) }
        #expect(received < 12000)
        #expect(numbers.count == received)
        // The kernel's counters start anew with each reading, ours don't.
        for _ in 0..<2 {
            let statistics = port.statistics()
            #expect(statistics.received == UInt64(received))
            #expect(statistics.drops[.receiveRingFull] == UInt64(12000 - received))
        }
        try scene.flood(frame, count: 10)
        #expect(port.receive(10) { _ in } == 10)
        #expect(port.statistics().received == UInt64(received + 10))
    }

    @Test("packets that the application holds do not stall the ring; an empty pool leaves the rest in it")
    func emptyPool() throws {
        let scene = try Scene("pool")
        defer { scene.close() }
        var port = try scene.port(frames: 40)
        try scene.flood(Datagram().frame, count: 100)
        var held = Burst()
        #expect(port.receive(into: &held) == 40)
        #expect(port.receive(into: &held) == 0)
        #expect(port.driver.framesInside == 0)
        #expect(port.driver.pool.free == 0)
        held.removeAll()
        #expect(port.driver.pool.free == 40)
        #expect(port.frames(100).map { $0[45] } == Array(40..<100))
        #expect(port.statistics().drops.total == 0)
    }

    @Test("a burst with little room is not overfilled, and nothing is lost between calls", arguments: rings)
    func littleRoom(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("room")
        defer { scene.close() }
        var port = try scene.port { $0.receiveRing = ring }
        try scene.flood(Datagram().frame, count: 200)
        var burst = Burst()
        // 57 stay in the burst, so that each call has room for seven.
        for _ in 0..<57 { burst.append(port.makePacket()!) }
        var numbers: [UInt8] = []
        let deadline = ContinuousClock.now + .seconds(3)
        while numbers.count < 200, ContinuousClock.now < deadline {
            #expect(port.receive(into: &burst) <= 7)
            var kept = Burst()
            for position in 0..<burst.count {
                let packet = burst.popFirst()!
                if position < 57 { kept.append(packet) } else { numbers.append(packet.array[45]) }
            }
            burst = kept
        }
        #expect(numbers == Array(0..<200))
    }

    @Test("packets longer than a frame are counted as too long; larger frames take them", arguments: rings)
    func jumbo(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("jumbo", mtu: 9000)
        defer { scene.close() }
        let sent = [1, 1686, 1687, 3734, 3735, 8972, 2].map { length in
            Datagram(payload: [UInt8](repeating: 5, count: length)).frame
        }
        var small = try scene.port { $0.receiveRing = ring }
        try scene.send(sent)
        #expect(small.frames(10).map(\.count) == [43, 1728, 44])
        #expect(small.statistics().drops[.tooLong] == 4)
        var large = try scene.port(size: .bytes4096) { $0.receiveRing = ring }
        try scene.send(sent)
        let received = large.frames(10)
        expectSame(received, sent.filter { $0.count <= 3776 })
        #expect(large.statistics().drops[.tooLong] == UInt64(sent.count - received.count))
    }

    @Test("what we send, and what others send from our interface, does not come back", arguments: [1, 2])
    func ownTransmissions(workers: Int) throws {
        let scene = try Scene("own")
        defer { scene.close() }
        let interface = try scene.open {
            $0.workers = workers
            $0.promiscuous = true
        }
        for worker in 0..<workers {
            var port = try interface.makePort(
                worker: worker, pool: FrameMemory(frames: 256, hugePages: .never).makePool(frames: 256))
            port.send([[UInt8]](repeating: Datagram().frame, count: 50))
            #expect(port.statistics().sent == 50)
            try scene.send([Datagram().frame], from: "vb", in: scene.b)
            expectSame(port.frames(1), [])
            #expect(port.statistics().received == 0)
        }
    }

    @Test("packets for other hosts come only to a promiscuous port", arguments: [false, true])
    func otherHosts(promiscuous: Bool) throws {
        let scene = try Scene("others")
        defer { scene.close() }
        var port = try scene.port { $0.promiscuous = promiscuous }
        let other = Datagram(to: [2, 0, 0, 0, 0, 0x55]).frame
        let ours = try Datagram(to: scene.mac("vb", in: scene.b)).frame
        let group = Datagram(to: [1, 0, 0x5e, 0, 0, 1]).frame
        let all = Datagram().frame
        try scene.send([other, ours, group, all])
        expectSame(port.frames(4), promiscuous ? [other, ours, group, all] : [ours, group, all])
    }

    @Test("what this host sends comes when it is asked for", arguments: [PacketSocketDirection.sent, .both])
    func direction(_ direction: PacketSocketDirection) throws {
        let scene = try Scene("direction")
        defer { scene.close() }
        let ports: PacketSocketFilter = .udpPorts([5004])
        var port = try scene.port {
            $0.direction = direction
            $0.filter = ports
        }
        let other = Datagram(to: [2, 0, 0, 0, 0, 0x55], port: 5006).frame
        let out = Datagram(to: [2, 0, 0, 0, 0, 0x55], port: 5004).frame
        let come = Datagram(port: 5004).frame
        try scene.send([other, out], from: "vb", in: scene.b)
        try scene.send([come])
        expectSame(port.frames(direction == .both ? 2 : 1), direction == .both ? [out, come] : [out])
        #expect(port.grant.features.first { $0.name == "direction" }?.granted == direction.rawValue)
    }

    @Test("timestamps are of now, rise, and are said to be software's", arguments: rings)
    func timestamps(ring: PacketSocketReceiveRing) throws {
        let scene = try Scene("timestamps")
        defer { scene.close() }
        var port = try scene.port {
            $0.receiveRing = ring
            $0.timestamps = .hardware
        }
        let stamps = try #require(port.grant.features.first { $0.name == "timestamps" })
        #expect(stamps.requested == "hardware")
        #expect(stamps.granted == "software")
        #expect(stamps.reason?.contains("hwstamp_ctl -i vb -r 1") == true)
        let before = now()
        try scene.flood(Datagram().frame, count: 100)
        let after = now()
        var last = before
        let received = port.receive(100) { packet in
            let (timestamp, flags) = (packet.timestamp, packet.flags)
            #expect(timestamp >= last)
            #expect(timestamp <= after)
            #expect(!flags.contains(.hardwareTimestamp))
            last = timestamp
        }
        #expect(received == 100)
    }

    private func now() -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    @Test(
        "a checksum that the sender left to its device is flagged, a complete one is not",
        arguments: [true, false])
    func checksums(offloads: Bool) throws {
        let scene = try Scene("checksums", offloads: offloads)
        defer { scene.close() }
        var port = try scene.port { $0.filter = .udpPorts([5004]) }
        try scene.a.run("ip", "address", "add", "192.0.2.1/24", "dev", "va")
        let mac = try scene.mac("vb", in: scene.b).map { hex([$0]) }.joined(separator: ":")
        try scene.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", mac, "dev", "va")
        try scene.a.run(
            "python3", "-c",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'apus', ('192.0.2.2', 5004))"
        )
        var flags: [FrameFlags] = []
        _ = port.receive(1) { flags.append($0.flags) }
        #expect(flags.map { $0.contains(.checksumPartial) } == [offloads])
    }

    @Test("received packets carry the port's number and the worker's")
    func numbers() throws {
        let scene = try Scene("numbers")
        defer { scene.close() }
        var port = try scene.port(number: 17)
        try scene.send([Datagram().frame])
        let received = port.receive(1) { packet in
            let (port, queue, headroom, segments) = (
                packet.port, packet.queue, packet.headroom, packet.segmentCount
            )
            #expect((port, queue, headroom, segments) == (17, 0, 256, 1))
        }
        #expect(received == 1)
    }
}
