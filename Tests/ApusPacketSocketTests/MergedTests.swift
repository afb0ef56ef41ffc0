import ApusPacketSocket
import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

/// Datagrams that the kernel merges before a tap sees them: those of one send(2) with UDP_SEGMENT, and those that
/// generic receive offload joins.
@Suite("Merged datagrams", .requires(.root, .program("python3")), .timeLimit(.minutes(5)))
struct MergedTests {
    /// A link with all offloads, and addresses of both versions.
    private func scene(_ purpose: String) throws -> Scene {
        let scene = try Scene(purpose, offloads: true)
        let mac = try scene.mac("vb", in: scene.b).map { hex([$0]) }.joined(separator: ":")
        for command in [
            "sysctl -qw net.ipv6.conf.va.disable_ipv6=0", "ip address add 192.0.2.1/24 dev va",
            "ip address add 2001:db8::1/64 dev va nodad", "ip neighbor add 192.0.2.2 lladdr \(mac) dev va",
            "ip neighbor add 2001:db8::2 lladdr \(mac) dev va",
        ] { try scene.a.run(command.split(separator: " ").map(String.init)) }
        return scene
    }

    /// Sends `count` datagrams of `size` octets, and one of `last` if that is not 0, in one call. Each is filled with
    /// its number.
    private func send(
        _ scene: Scene, _ count: Int, of size: Int, last: Int = 0, to address: String = "192.0.2.2"
    ) throws {
        let program = """
            import socket, sys
            count, size, last, to = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
            s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM)
            s.setsockopt(17, 103, size)  # SOL_UDP, UDP_SEGMENT
            s.sendto(b''.join(bytes([n]) * size for n in range(count)) + bytes([count]) * last, (to, 5004))
            """
        try scene.a.run("python3", "-c", program, "\(count)", "\(size)", "\(last)", address)
    }

    /// Sees that frames are those datagrams, each with right lengths and checksums.
    private func expect(
        _ frames: [[UInt8]], _ count: Int, of size: Int, last: Int = 0,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        var identifications: Set<[UInt8]> = []
        let payloads = try frames.map { frame in
            let headers = try unsafe FlowHeaders(checking: frame.span.bytes)
            let state = unsafe headers.udpChecksumState(in: frame.span.bytes)
            #expect(state == .valid, sourceLocation: location)
            #expect(frame.count == headers.payloadOffset + headers.payloadLength, sourceLocation: location)
            let network = Int(headers.networkOffset)
            if !headers.isIPv6 { identifications.insert(Array(frame[network + 4..<network + 6])) }
            return Array(frame[headers.payloadOffset...])
        }
        let expected =
            (0..<count).map { [UInt8](repeating: UInt8($0), count: size) }
            + (last > 0 ? [[UInt8](repeating: UInt8(count), count: last)] : [])
        #expect(frames.count == expected.count, sourceLocation: location)
        #expect(payloads == expected, sourceLocation: location)
        // As the kernel numbers the packets it cuts of one (inet_gso_segment).
        #expect(identifications.isEmpty || identifications.count == frames.count, sourceLocation: location)
    }

    @Test("nine datagrams of one send are nine packets", arguments: rings, ["192.0.2.2", "2001:db8::2"])
    func small(ring: PacketSocketReceiveRing, address: String) throws {
        let scene = try scene("segments")
        defer { scene.close() }
        var port = try scene.port {
            $0.receiveRing = ring
            $0.filter = .udpPorts([5004])
        }
        try send(scene, 9, of: 160, to: address)
        try expect(port.frames(10), 9, of: 160)
        try send(scene, 9, of: 160, last: 3, to: address)
        try expect(port.frames(11), 9, of: 160, last: 3)
        // One alone is not merged: its checksum stays with the device that it was left to.
        try send(scene, 1, of: 160, to: address)
        #expect(port.frames(2).map(\.count) == [address.contains(":") ? 222 : 202])
        let statistics = port.statistics()
        #expect(statistics.received == 20 && statistics.drops.total == 0, "\(statistics)")
        #expect(port.driver.pool.free == port.driver.pool.capacity)
    }

    @Test(
        "what is longer than a slot of the ring is parted too; what a block can't hold is counted as merged")
    func large() throws {
        let scene = try scene("large")
        defer { scene.close() }
        for ring in rings {
            var port = try scene.port {
                $0.receiveRing = ring
                $0.filter = .udpPorts([5004])
            }
            try send(scene, 40, of: 1200, last: 700)
            if ring == .blocks(size: 4096, count: 64, timeout: 1) {
                #expect(port.frames(10).isEmpty)
                #expect("\(port.statistics().drops)" == "merged 41")
            } else {
                try expect(port.frames(42), 40, of: 1200, last: 700)
                #expect(port.statistics().drops.total == 0)
            }
            // What follows is in step.
            try send(scene, 5, of: 100)
            try expect(port.frames(6), 5, of: 100)
        }
    }

    @Test("a burst with little room gets them one call after the other, and so does a pool with few frames")
    func littleRoom() throws {
        let scene = try scene("room")
        defer { scene.close() }
        var port = try scene.port(frames: 5) { $0.filter = .udpPorts([5004]) }
        try send(scene, 9, of: 160)
        try send(scene, 30, of: 1400)
        var frames: [[UInt8]] = []
        var burst = Burst()
        let deadline = ContinuousClock.now + .seconds(3)
        while frames.count < 39, ContinuousClock.now < deadline {
            let received = port.receive(into: &burst)
            #expect(received <= 5)
            burst.forEach { frames.append($0.array) }
            burst.removeAll()
        }
        try expect(Array(frames.prefix(9)), 9, of: 160)
        try expect(Array(frames.dropFirst(9)), 30, of: 1400)
        #expect(port.driver.pool.free == 5)
        #expect(port.statistics().drops.total == 0)
    }

    @Test("each has the VLAN tag of the whole, which the kernel has taken off")
    func tagged() throws {
        let scene = try scene("tagged")
        defer { scene.close() }
        // What a VLAN interface on va would send: PACKET_VNET_HDR, VIRTIO_NET_HDR_GSO_UDP_L4.
        let program = """
            import socket, struct, sys
            size = int(sys.argv[1])
            def sum16(data):
                total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
                while total > 0xffff: total = (total & 0xffff) + (total >> 16)
                return total
            source, target = bytes([198, 51, 100, 1]), bytes([198, 51, 100, 2])
            payload = b''.join(bytes([n]) * size for n in range(9))
            length = 8 + len(payload)
            pseudo = sum16(source + target + struct.pack('!HH', 17, length))
            udp = struct.pack('!HHHH', 4000, 5004, length, pseudo) + payload
            ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + length, 7, 0, 64, 17, 0, source, target)
            ip = ip[:10] + struct.pack('!H', ~sum16(ip) & 0xffff) + ip[12:]
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.setsockopt(263, 15, 1)
            s.bind(('va', 0))
            header = struct.pack('<BBHHHH', 1, 5, 46, size, 38, 6)
            s.send(header + b'\\xff' * 6 + bytes([2, 0, 0, 0, 0, 9, 0x81, 0, 0, 5, 8, 0]) + ip + udp)
            """
        var port = try scene.port { $0.filter = .udpPorts([5004]) }
        for size in [160, 1400] {
            try scene.a.run("python3", "-c", program, "\(size)")
            let frames = port.frames(10)
            try expect(frames, 9, of: size)
            #expect(frames.allSatisfy { $0[12..<18] == [0x81, 0, 0, 5, 8, 0] })
        }
    }

    @Test(
        "what the receiving interface merges is parted", arguments: ["rx-udp-gro-forwarding", "rx-gro-list"])
    func received(feature: String) throws {
        let scene = try scene("gro")
        defer { scene.close() }
        // The sender cuts them itself, in one go.
        try scene.a.run("ethtool", "-K", "va", "tx-udp-segmentation", "off")
        try scene.b.run("ethtool", "-K", "vb", "gro", "on", feature, "on")
        var port = try scene.port { $0.filter = .udpPorts([5004]) }
        for size in [160, 1200] {
            try send(scene, 20, of: size, last: 50)
            try expect(port.frames(22), 20, of: size, last: 50)
        }
        #expect(port.statistics().drops.total == 0)
    }

    @Test("frames that are too small for a datagram lose it as too long, each")
    func tooLong() throws {
        let lab = try scene("toolong")
        defer { lab.close() }
        for name in ["va", "vb"] {
            try (name == "va" ? lab.a : lab.b).run("ip", "link", "set", name, "mtu", "9000")
        }
        var port = try lab.port { $0.filter = .udpPorts([5004]) }
        try send(lab, 4, of: 5000, last: 100)
        #expect(port.frames(5).isEmpty)
        #expect("\(port.statistics().drops)" == "too_long 5")
        let longest = try #require(port.grant.features.first { $0.name == "longest packet" })
        #expect(longest.granted == "1728" && longest.requested == "9018")
        #expect(longest.reason?.contains("MTU is 9000") == true)
    }

    @Test("a packet of an unknown kind of merging does not end reception")
    func unknownKind() throws {
        let scene = try Scene("ufo")
        defer { scene.close() }
        // UDP fragmentation offload, which a guest's interface may hand on: the kernel has no name for it in what it
        // tells a packet socket, and keeps a slot of the ring for good.
        let script = """
            import fcntl, os, signal, struct, time
            signal.signal(signal.SIGUSR1, lambda *_: None)
            tap = os.open('/dev/net/tun', os.O_RDWR)
            fcntl.ioctl(tap, 0x400454ca, struct.pack('16sH22x', b'tp0', 0x0002 | 0x1000 | 0x4000))
            fcntl.ioctl(tap, 0x400454d0, 0x11)
            os.system('ip link set tp0 up')
            print('up', flush=True)
            signal.pause()
            def put(number, length, flags=0, kind=0):
                udp = struct.pack('!HHHH', 1, 5004, 8 + length, 0) + bytes([number]) * length
                ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]))
                header = struct.pack('<BBHHHH', flags, kind, 42 if kind else 0, 100 if kind else 0, 34, 6)
                os.write(tap, header + b'\\xff' * 6 + bytes([2, 0, 0, 0, 0, 9, 8, 0]) + ip + udp)
            for number in range(200):
                put(number, 50)
                if number == 10: put(99, 1000, 1, 3)
                time.sleep(0.02)
            """
        let tap = try scene.b.start(["python3", "-c", script])
        try tap.waitForLine(containing: "up")
        var options = PacketSocketOptions()
        options.filter = .udpPorts([5004])
        let interface = try scene.b.enter { [options] in try PacketSocketInterface("tp0", options: options) }
        var port = try interface.makePort(
            pool: FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64))
        tap.send(SIGUSR1)
        var numbers: [UInt8] = []
        let deadline = ContinuousClock.now + .seconds(10)
        while numbers.last != 199, ContinuousClock.now < deadline {
            numbers += port.frames(8, quietAfter: 200).map { $0[42] }
            _ = port.statistics()
        }
        #expect(numbers.prefix(11) == Array(0...10)[...])
        #expect(numbers.last == 199, "\(numbers)")
        #expect(numbers == numbers.sorted())
        #expect(port.statistics().drops.total > 0)
    }
}
