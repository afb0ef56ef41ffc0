import ApusPacketSocket
import ApusPorts
import ApusRings
import NetworkLab
import Seeds
import Testing

@Suite("The filter in the kernel", .requires(.root, .program("python3")), .timeLimit(.minutes(5)))
struct FilterTests {
    /// What a port with this filter receives of the frames.
    private func passed(_ frames: [[UInt8]], _ filter: PacketSocketFilter) throws -> [[UInt8]] {
        let scene = try Scene("filter")
        defer { scene.close() }
        var port = try scene.port { $0.filter = filter }
        let feature = try #require(port.grant.features.first { $0.name == "filter" })
        #expect(feature.reason == nil)
        try scene.send(frames)
        return port.frames(frames.count)
    }

    @Test("only UDP to the ports passes: IPv4 with options, IPv6, and up to two VLAN tags of either kind")
    func ports() throws {
        var (good, bad): ([[UInt8]], [[UInt8]]) = ([], [])
        for tags: [(UInt16, UInt16)] in [
            [], [(0x8100, 5)], [(0x88a8, 5)], [(0x8100, 5), (0x8100, 6)], [(0x88a8, 5), (0x8100, 6)],
        ] {
            for isIPv6 in [false, true] {
                var datagram = Datagram(tags: tags, isIPv6: isIPv6)
                for port: UInt16 in [1, 5004, 5005, 65535] {
                    datagram.port = port
                    good.append(datagram.frame)
                }
                if !isIPv6 {
                    datagram.options = [UInt8](repeating: 1, count: 40)
                    good.append(datagram.frame)
                    datagram.options = []
                }
                for port: UInt16 in [0, 2, 5003, 5006, 5036, 4972, 65534] {
                    datagram.port = port
                    bad.append(datagram.frame)
                }
                // The source port does not count.
                datagram.sourcePort = 5004
                bad.append(datagram.frame)
                datagram.port = 5004
                datagram.proto = 6
                bad.append(datagram.frame)
            }
        }
        // ARP, a type below which is UDP all the same, a bare header, and one cut in the IP header.
        bad.append(
            [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 9, 8, 6] + [UInt8](repeating: 0, count: 46))
        bad.append(Array(good[0][..<12]) + [0x88, 0xb5] + Array(good[0][14...]))
        bad.append(Array(good[0][..<14]))
        bad.append(Array(good[0][..<30]))
        bad.append(Array(good[0][..<36]))
        // One of each in turn.
        var mixed: [[UInt8]] = []
        for index in 0..<max(good.count, bad.count) {
            if index < good.count { mixed.append(good[index]) }
            if index < bad.count { mixed.append(bad[index]) }
        }
        expectSame(try passed(mixed, .udpPorts([5004, 5005, 1, 65535])), good)
    }

    @Test("of a fragmented datagram the fragment with the port passes; IPv6 with extension headers passes")
    func fragments() throws {
        let moreFragments: UInt16 = 0x2000
        let good = [
            Datagram(fragment: moreFragments).frame,
            Datagram(fragment: 0x4000).frame,
            Datagram(isIPv6: true, port: 9, extensionHeader: 44).frame,
            Datagram(isIPv6: true, port: 9, extensionHeader: 0).frame,
            Datagram(isIPv6: true, port: 9, extensionHeader: 43).frame,
            Datagram(isIPv6: true, port: 9, extensionHeader: 60).frame,
        ]
        let bad = [
            Datagram(fragment: moreFragments | 3).frame,
            Datagram(fragment: 3).frame,
            Datagram(port: 9, fragment: moreFragments).frame,
            Datagram(isIPv6: true, extensionHeader: 51).frame,
        ]
        expectSame(try passed(good + bad, .udpPorts([5004])), good)
    }

    @Test("behind an IPv6 extension header only UDP or a further header passes, no multicast listener report")
    func extensions() throws {
        var (good, bad): ([[UInt8]], [[UInt8]]) = ([], [])
        for header: UInt8 in [0, 43, 44, 60] {
            for tags: [(type: UInt16, control: UInt16)] in [[], [(0x8100, 5)], [(0x88a8, 6), (0x8100, 5)]] {
                for next: UInt8 in [17, 43, 44, 60] {
                    good.append(
                        Datagram(tags: tags, isIPv6: true, extensionHeader: header, proto: next).frame)
                }
                // ICMPv6, TCP, none, authentication.
                for next: UInt8 in [58, 6, 59, 51] {
                    bad.append(
                        Datagram(tags: tags, isIPv6: true, extensionHeader: header, proto: next).frame)
                }
            }
        }
        for filter in [PacketSocketFilter.udpPorts([5004]), .allUDP] {
            expectSame(try passed(good + bad, filter), good)
        }
    }

    enum PortSet: CaseIterable { case scattered, crowded, even, all }

    @Test("hundreds and thousands of ports pass, and none beside them", arguments: PortSet.allCases)
    func many(set: PortSet) throws {
        var random = Seeded(4)
        let ports: Set<UInt16> =
            switch set {
            case .scattered: Set((0..<300).map { _ in UInt16.random(in: .min ... .max, using: &random) })
            case .crowded: Set((0..<10000).map { _ in UInt16.random(in: 20000..<45000, using: &random) })
            case .even: Set(stride(from: 4000, to: 64000, by: 2)).subtracting([5004, 60000])
            case .all: Set(UInt16.min ... .max)
            }
        var tried = (0..<1500).map { _ in UInt16.random(in: .min ... .max, using: &random) }
        tried += [3998, 4000, 4001, 5004, 60000, 63998, 64000, 0, 65535] + ports.sorted().prefix(1500)
        let frames = tried.enumerated().map { Datagram(isIPv6: $0 % 2 == 0, port: $1).frame }
        let expected = zip(tried, frames).filter { ports.contains($0.0) }.map(\.1)
        expectSame(try passed(frames, .udpPorts(Array(ports))), expected)
    }

    @Test("ports for which the program would be too long: all UDP passes, and that is said")
    func tooMany() throws {
        let scene = try Scene("toomany")
        defer { scene.close() }
        // One in each word of the search, no two neighbors alike.
        let ports = (0..<2048).map { UInt16($0 * 32 + $0 % 2) }
        var port = try scene.port { $0.filter = .udpPorts(ports) }
        let feature = try #require(port.grant.lesser.first)
        #expect(feature.name == "filter")
        #expect(feature.requested == "UDP to 2048 ports")
        #expect("\(PacketSocketFilter.udpPorts([7, 7]))" == "UDP to 1 port")
        #expect(feature.granted == "all UDP")
        #expect(feature.reason?.contains("4096 instructions") == true)
        let udp = [
            Datagram(port: 1).frame, Datagram(isIPv6: true, port: 1).frame, Datagram(fragment: 3).frame,
        ]
        try scene.send([Datagram(proto: 6).frame] + udp)
        expectSame(port.frames(4), udp)
    }

    @Test("everything, nothing, all UDP")
    func others() throws {
        let udp = [Datagram().frame, Datagram(isIPv6: true).frame, Datagram(tags: [(0x8100, 1)]).frame]
        let rest = [Datagram(proto: 6).frame, Datagram(isIPv6: true, proto: 58).frame]
        expectSame(try passed(udp + rest, .everything), udp + rest)
        expectSame(try passed(udp + rest, .allUDP), udp)
        expectSame(try passed(udp + rest, .nothing), [])
        expectSame(try passed(udp + rest, .udpPorts([])), [])
    }

    @Test("a filter replaced under traffic loses no packet that both let through")
    func replaced() throws {
        let scene = try Scene("replaced")
        defer { scene.close() }
        let interface = try scene.open {
            $0.filter = .udpPorts([5004])
            // All of them have room, however late this process has its turn.
            $0.receiveRing = .blocks(size: 4096, count: 4096, timeout: 1)
        }
        var port = try interface.makePort(
            pool: FrameMemory(frames: 1024, hugePages: .never).makePool(frames: 1024))
        let sender = try scene.a.start([
            "python3", "-c",
            """
            import socket, sys, time
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("va", 0))
            frame = bytearray.fromhex(sys.argv[1])
            for number in range(20000):
                frame[42:46] = number.to_bytes(4, "big")
                s.send(frame)
                if number % 20 == 0: time.sleep(0.0005)
            """, hex(Datagram().frame),
        ])
        var burst = Burst()
        var (expected, changes) = (0, 0)
        let deadline = ContinuousClock.now + .seconds(30)
        while expected < 20000, ContinuousClock.now < deadline {
            if port.receive(into: &burst) == 0 { port.wait(milliseconds: 1) }
            burst.forEach { packet in
                let number = packet.array[42..<46].reduce(0) { $0 << 8 | Int($1) }
                if number != expected { Issue.record("number \(number) came in place of \(expected)") }
                expected = number + 1
            }
            burst.removeAll()
            if expected > 100, expected < 19900 {
                changes += 1
                try interface.setFilter(.udpPorts([5004, UInt16(6000 + changes % 50)]))
            }
        }
        #expect(sender.waitForExit() == .exited(0))
        #expect(expected == 20000)
        #expect(changes > 50)
        #expect(port.statistics().drops.total == 0)
        try scene.send([Datagram(port: 6049).frame])
        try interface.setFilter(.udpPorts([7000]))
        try scene.send([Datagram().frame, Datagram(port: 7000).frame])
        #expect(port.frames(3).last == Datagram(port: 7000).frame)
    }
}
