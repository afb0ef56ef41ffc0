import NetworkLab
import Testing

extension Lab {
    /// Tagged frames. Where the kernel has VLAN interfaces they are used; scapy tags frames in any case.
    @Suite(.requires(.root, .program("/usr/bin/python3")))
    struct VLANTests {
        @Test(arguments: Backend.allCases)
        func `tagged frames are read through their tags`(backend: Backend) throws {
            let scene = try Scene("tags")
            try scene.warmUp()
            let forward = try ApusForward(
                in: scene.relay, backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
            let sink = try scene.sink(6004)
            try Scapy.send(
                scene,
                """
                packet = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=4000, dport=5004) / rtp
                frames = [ether / packet, ether / Dot1Q(vlan=0, prio=5) / packet, ether / Dot1Q(vlan=7) / packet,
                    ether / Dot1AD(vlan=8) / Dot1Q(vlan=7) / packet, ether / Dot1Q(vlan=8) / Dot1Q(vlan=7) / packet]
                """)
            #expect(sink.wait(for: 5).count == 5)
            let status = try forward.finish()
            #expect(status.accepted == 5 && status.sent == 5, "\(status.drops)")
        }

        @Test(arguments: Backend.allCases)
        func `streams of a VLAN interface come and go with its tag`(backend: Backend) throws {
            let scene = try Scene("vlan")
            let spaces = [(scene.sender, "e0", "10.7.1.1"), (scene.relay, "in0", "10.7.1.2")]
            do {
                for (space, interface, address) in spaces {
                    try space.run(
                        "ip", "link", "add", "link", interface, "name", "v7", "type", "vlan", "id", "7")
                    try space.run("ip", "address", "add", "\(address)/24", "dev", "v7")
                    try space.run("ip", "link", "set", "v7", "up")
                }
            } catch let error as LabError where "\(error)".contains("Unknown device type") {
                // Not a skip: the frames of the test above had their tags from scapy.
                print("VLAN interfaces: not on this kernel, which has no 8021q")
                return
            }
            let forward = try ApusForward(
                in: scene.relay,
                backend.options + [
                    "-l", "10.7.1.2:5004", "-t", "198.51.100.1:6004", "-t", "10.7.1.1:6005",
                ])
            let sinks = try [scene.sink(6004), Sink(in: scene.sender, "10.7.1.1", 6005)]
            let source = try UDPSocket(in: scene.sender, "10.7.1.1")
            for number in 0..<10 {
                try source.send(Numbered.packet(number), to: SocketAddress("10.7.1.2", 5004))
            }
            for sink in sinks {
                expectNumbers(sink, Array(0..<10))
            }
            _ = try forward.finish()
        }
    }
}
