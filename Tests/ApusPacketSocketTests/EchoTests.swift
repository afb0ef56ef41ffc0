import ApusPacketSocket
import ApusPorts
import ApusRings
import Glibc
import NetworkLab
import Synchronization
import Testing

@Suite("Echoing to a real socket", .requires(.root, .program("python3")), .timeLimit(.minutes(5)))
struct EchoTests {
    /// Sends `total` datagrams over a UDP socket of the kernel, at most 64 of them under way, and checks that
    /// each comes back once and as it was.
    private static let peer = """
        import random, socket, sys
        total, seed = int(sys.argv[1]), int(sys.argv[2])
        random.seed(seed)
        lengths = [random.randrange(4, 1400) for _ in range(256)]
        def payload(number): return number.to_bytes(4, "big") * (lengths[number % 256] // 4 + 1)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        s.bind(("192.0.2.1", 4000))
        s.connect(("192.0.2.2", 5004))
        s.settimeout(5)
        waiting, sent, back = set(), 0, 0
        while back < total:
            while sent < total and len(waiting) < 64:
                waiting.add(sent)
                s.send(payload(sent))
                sent += 1
            data = s.recv(2048)
            number = int.from_bytes(data[:4], "big")
            assert data == payload(number), "packet %d is not what it was" % number
            waiting.remove(number)
            back += 1
        print("all", back)
        """

    @Test(
        "a hundred thousand packets of the kernel's UDP come back as they were, none lost or doubled",
        arguments: rings)
    func sustained(ring: PacketSocketReceiveRing) throws {
        let total = 100_000
        let scene = try Scene("echo")
        defer { scene.close() }
        try scene.a.run("ip", "address", "add", "192.0.2.1/24", "dev", "va")
        let mac = try scene.mac("vb", in: scene.b).map { hex([$0]) }.joined(separator: ":")
        try scene.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", mac, "dev", "va")
        var port = try scene.port(frames: 256) {
            $0.receiveRing = ring
            $0.filter = .udpPorts([5004])
        }
        let peer = try scene.a.start(["python3", "-c", Self.peer, "\(total)", "5"])
        var burst = Burst()
        let deadline = ContinuousClock.now + .seconds(100)
        while peer.isRunning, ContinuousClock.now < deadline {
            for _ in 0..<1000 {
                if port.receive(into: &burst) == 0 { port.wait(milliseconds: 5) }
                burst.forEach { swapEnds(&$0) }
                port.transmit(&burst)
                port.flush()
            }
        }
        #expect(peer.waitForExit() == .exited(0), "\(peer.errors)")
        #expect(peer.output == "all \(total)\n")
        burst.removeAll()
        let statistics = port.statistics()
        #expect(statistics.received == UInt64(total))
        #expect(statistics.sent == UInt64(total))
        #expect(statistics.sentBytes == statistics.receivedBytes)
        #expect(statistics.drops.total == 0)
        #expect(port.driver.pool.free == 256)
    }

    /// Ethernet addresses, IPv4 addresses and ports change places, which leaves both checksums right.
    private func swapEnds(_ packet: inout Packet) {
        var bytes = packet.mutableBytes
        for (one, other, count) in [(0, 6, 6), (26, 30, 4), (34, 36, 2)] {
            for index in 0..<count {
                let octet = unsafe bytes.unsafeLoad(fromByteOffset: one + index, as: UInt8.self)
                let opposite = unsafe bytes.unsafeLoad(fromByteOffset: other + index, as: UInt8.self)
                bytes.storeBytes(of: opposite, toByteOffset: one + index, as: UInt8.self)
                bytes.storeBytes(of: octet, toByteOffset: other + index, as: UInt8.self)
            }
        }
    }

    @Test("a peer that is killed in the middle leaves the port as it was for the next one")
    func killedPeer() throws {
        let scene = try Scene("killed")
        defer { scene.close() }
        var port = try scene.port(frames: 256)
        var burst = Burst()
        for _ in 0..<3 {
            let flood = try scene.a.start(["python3", "-c", Self.flood, hex(Datagram().frame)])
            let before = port.statistics().received
            let deadline = ContinuousClock.now + .seconds(20)
            while port.statistics().received < before + 5000, ContinuousClock.now < deadline {
                port.receive(into: &burst)
                port.transmit(&burst)
                port.flush()
            }
            flood.kill()
            let now = port.statistics()
            #expect(now.received >= before + 5000)
            while port.receive(into: &burst) > 0 || !burst.isEmpty {
                port.transmit(&burst)
                port.flush()
            }
            #expect(port.driver.pool.free == 256)
        }
        let statistics = port.statistics()
        #expect(statistics.sent == statistics.received)
    }

    private static let flood = """
        import socket, sys
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind(("va", 0))
        frame = bytes.fromhex(sys.argv[1])
        while True: s.send(frame)
        """
}
