import Glibc
import NetworkLab
import Testing

extension Lab {
    /// What a hostile or broken network sends.
    @Suite(.requires(.root, .program("ping"), .program("/usr/bin/python3")))
    struct BadInputTests {
        private static func configuration(_ backend: Backend) -> String {
            """
            defaults: { \(backend.settings) },
            streams: [
              { name: "four", listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] },
              { name: "six", listen: "[2001:db8:1::2]:5004", to: ["[2001:db8:2::1]:6004"] },
              { name: "good", listen: "192.0.2.2:5006", to: ["198.51.100.1:6006"] },
              { name: "across", listen: "192.0.2.2:5008", to: ["198.51.100.1:6008", "[2001:db8:2::1]:6008"] },
            ]
            """
        }

        /// Packets that reach the forwarder on every backend: three each.
        private static let named = """
            def ip(**k): return IP(src=k.pop("src", "192.0.2.1"), dst="192.0.2.2", **k)
            def ip6(**k): return IPv6(src=k.pop("src", "2001:db8:1::1"), dst="2001:db8:1::2", **k)
            udp = UDP(sport=4000, dport=5004)
            bad = [
                ether / ip(chksum=0x1234) / udp / rtp,                         # bad_ip_header_checksum
                ether / ip() / UDP(sport=4000, dport=5004, chksum=0x1234) / rtp,   # bad_udp_checksum
                ether / ip6() / UDP(sport=4000, dport=5004, chksum=0x1234) / rtp,  # bad_udp_checksum
                ether / ip() / UDP(sport=4000, dport=5004, len=7) / rtp,       # bad_udp_length
                ether / ip() / UDP(sport=4000, dport=5004, len=500) / rtp,     # bad_udp_length
                ether / ip(src="192.0.2.2") / udp / rtp,                       # own_address
                ether / ip(src="198.51.100.2") / udp / rtp,                    # own_address
                ether / ip6(src="2001:db8:2::2") / udp / rtp,                  # own_address
                ether / ip(src="127.0.0.1") / udp / rtp,                       # martian_source
                ether / ip(src="224.0.0.1") / udp / rtp,                       # martian_source
                ether / ip(src="255.255.255.255") / udp / rtp,                 # martian_source
                ether / ip6(src="::1") / udp / rtp,                            # martian_source
                ether / ip6(src="ff02::1") / udp / rtp,                        # martian_source
                ether / ip(ttl=1) / udp / rtp,                                 # hop_limit_exceeded
                ether / ip6(hlim=1) / udp / rtp,                               # hop_limit_exceeded
                ether / ip6() / UDP(sport=4000, dport=5004, chksum=0) / rtp,   # missing_udp_checksum
                ether / ip(options=IPOption_LSRR(routers=["192.0.2.9"])) / udp / rtp,  # source_route
            ]
            frames = bad * 3
            """
        private static let expected: [String: UInt64] = [
            "bad_ip_header_checksum": 3, "bad_udp_checksum": 6, "bad_udp_length": 6, "own_address": 9,
            "martian_source": 15, "hop_limit_exceeded": 6, "missing_udp_checksum": 3, "source_route": 3,
        ]

        @Test(arguments: Backend.allCases)
        func `each kind of bad packet is counted by its name, and good ones go on`(backend: Backend) throws {
            let scene = try Scene("bad")
            try scene.warmUp()
            let forward = try ApusForward(in: scene.relay, configuration: Self.configuration(backend))
            let good = try scene.sink(6006)
            let others = try [scene.sink(6004), scene.sink(6004, .v6)]
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5006)
            let stream = SteadyStream(from: source, to: target, perSecond: 500)
            try Scapy.send(scene, Self.named)
            expectNumbers(good, Array(0..<(try stream.finish())), "the good stream")
            #expect(others.map(\.count) == [0, 0], "nothing bad goes on")
            let status = try forward.finish()
            // On AF_PACKET what is not for us passes by as well; on AF_XDP the kernel may get some of it.
            for (name, count) in Self.expected {
                #expect(status[drop: name] == count, "\(name): \(status.drops)")
            }
            #expect(Set(status.drops.keys).subtracting(Self.expected.keys).isEmpty, "\(status.drops)")
        }

        @Test(arguments: Backend.allCases)
        func `a UDP checksum of 0 stays legal over IPv4 and is computed over IPv6`(backend: Backend) throws {
            let scene = try Scene("zero")
            try scene.warmUp()
            let scratch = try Scratch()
            let forward = try ApusForward(in: scene.relay, configuration: Self.configuration(backend))
            let tcpdump = try scene.receiver.start([
                "tcpdump", "-i", "e0", "-Q", "in", "-U", "--immediate-mode", "-Z", "root", "-w",
                scratch("zero.pcap"), "udp", "port", "6008",
            ])
            try tcpdump.waitForLine(containing: "listening on")
            let sinks = try [scene.sink(6008), scene.sink(6008, .v6)]
            try Scapy.send(
                scene,
                """
                frames = [ether / IP(src="192.0.2.1", dst="192.0.2.2", tos=0xb8) /
                    UDP(sport=4000, dport=5008, chksum=0) / rtp] * 3
                """)
            // The kernel takes no datagram without a checksum over IPv6, so that one arrives means there is one.
            for sink in sinks { #expect(sink.wait(for: 3).count == 3) }
            tcpdump.stop(SIGINT)
            let output = try NetworkLab.run([
                "tshark", "-n", "-r", scratch("zero.pcap"), "-T", "fields", "-o", "udp.check_checksum:TRUE",
                "-e", "eth.type", "-e", "udp.checksum", "-e", "udp.checksum.status", "-e", "ip.dsfield",
                "-e", "ipv6.tclass",
            ])
            let lines = output.standardOutput.split(separator: "\n").map {
                $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            }
            #expect(lines.count == 6)
            for line in lines {
                if line[0] == "0x0800" {
                    #expect(line[1] == "0x0000" && line[3] == "0xb8", "\(line)")
                } else {
                    #expect(line[1] != "0x0000" && line[2] == "1" && line[4] == "0x000000b8", "\(line)")
                }
            }
            let status = try forward.finish()
            #expect(status.accepted == 3 && status.sent == 6 && status.drops.isEmpty)
        }

        @Test(arguments: Backend.allCases)
        func `no frame, cut short or with bits turned, does harm`(backend: Backend) throws {
            let scene = try Scene("fuzz")
            try scene.warmUp()
            let forward = try ApusForward(in: scene.relay, configuration: Self.configuration(backend))
            let good = try scene.sink(6006)
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5006)
            let stream = SteadyStream(from: source, to: target, perSecond: 500)
            try Scapy.send(
                scene,
                """
                four = bytes(ether / IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=4000, dport=5004) / rtp)
                six = bytes(ether / IPv6(src="2001:db8:1::1", dst="2001:db8:1::2") /
                    UDP(sport=4000, dport=5004) / rtp)
                chain = bytes(ether / IPv6(src="2001:db8:1::1", dst="2001:db8:1::2") / IPv6ExtHdrHopByHop() /
                    IPv6ExtHdrDestOpt() / UDP(sport=4000, dport=5004) / rtp)
                tagged = bytes(ether / Dot1Q(vlan=1) / Dot1Q(vlan=2) / Dot1Q(vlan=3) /
                    IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=4000, dport=5004) / rtp)
                for whole in [four, six, chain, tagged]:
                    for length in range(14, len(whole), 3):
                        frames.append(whole[:length])
                    for _ in range(300):
                        broken = bytearray(whole)
                        # Most of them in the headers behind the addresses of the link.
                        for _ in range(random.randint(1, 4)):
                            broken[random.randint(12, 70)] ^= 1 << random.randint(0, 7)
                        frames.append(bytes(broken))
                    for _ in range(50):
                        frames.append(whole[:14] + random.randbytes(random.randint(0, 200)))
                frames.append(four[:42] + bytes(1400))
                """)
            expectNumbers(good, Array(0..<(try stream.finish())), "the good stream")
            let status = try forward.finish()
            #expect(status.refusals > 50 && status.drops.count > 5, "\(status.drops)")
            print("\(backend.rawValue): \(status.drops)")
        }

        @Test(arguments: Backend.allCases)
        func `what is not for a stream is the kernel's: ping, TCP, other ports, fragments`(
            backend: Backend
        ) throws {
            let scene = try Scene("others")
            let forward = try ApusForward(
                in: scene.relay, backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
            // Neighbors are asked for anew, through the steering program.
            try scene.sender.run("ip", "neighbor", "flush", "dev", "e0")
            let session = try TCPSession(from: scene.sender, to: scene.relay, "192.0.2.2")
            let session6 = try TCPSession(from: scene.sender, to: scene.relay, "2001:db8:1::2")
            for size in ["56", "1400", "4000"] {  // the last one in fragments
                for address in ["192.0.2.2", "2001:db8:1::2"] {
                    let ping = try scene.sender.run(
                        "ping", "-c", "3", "-i", "0.05", "-W", "2", "-s", size, address)
                    #expect(ping.standardOutput.contains(" 0% packet loss"), "\(size) octets to \(address)")
                }
            }
            let other = try Sink(in: scene.relay, "192.0.2.2", 5999)
            let source = try scene.source()
            let long = (0..<4000).map { UInt8(truncatingIfNeeded: $0) }
            for payload in [[1, 2, 3], long] {
                try source.send(payload, to: SocketAddress("192.0.2.2", 5999))
            }
            #expect(other.wait(for: 2) == [[1, 2, 3], long])
            // A datagram in fragments to a port of a stream is the kernel's too, where the guard takes it.
            try source.send(long, to: SocketAddress("192.0.2.2", 5004))
            usleep(300_000)
            for tcp in [session.finish(), session6.finish()] {
                #expect(tcp.failure == nil && tcp.exchanges > 20, "\(tcp)")
            }
            let status = try forward.finish()
            #expect(status.accepted == 0 && status.sent == 0, "\(status)")
            if backend.isXDP { #expect(status.received == 0, "\(status.drops)") }
        }
    }
}
