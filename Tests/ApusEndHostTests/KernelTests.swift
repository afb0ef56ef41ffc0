import ApusEndHost
import ApusWire
import NetworkLab
import Testing

/// The judge is the kernel at the other end of the link.
@Suite(.serialized) struct KernelTests {
    @Test(.requires(.root, .program("ping")))
    func `the kernel pings the host, by IPv4 and IPv6, short and long`() throws {
        let rig = try KernelRig("ping")
        defer { rig.close() }
        rig.serve()
        for command in [
            ["ping", "-c", "5", "-i", "0.1", "192.0.2.2"],
            ["ping", "-6", "-c", "5", "-i", "0.1", "2001:db8::2"],
            ["ping", "-c", "5", "-i", "0.1", "-s", "1400", "192.0.2.2"],
            ["ping", "-c", "2", "-i", "0.1", "-s", "1472", "-M", "do", "192.0.2.2"],
            ["ping", "-c", "2", "-i", "0.1", "-s", "0", "192.0.2.2"],
            ["ping", "-6", "-c", "5", "-i", "0.1", "-s", "1400", "2001:db8::2"],
        ] {
            let output = try rig.kernel.run(command + ["-W", "5"]).standardOutput
            #expect(output.contains(" 0% packet loss"), "\(output)")
        }
        let table = try rig.kernel.run("ip", "neigh", "show").standardOutput
        for line in ["192.0.2.2 dev va", "2001:db8::2 dev va"] {
            let entry = table.split(separator: "\n").first { $0.hasPrefix(line) }
            #expect(entry?.contains("lladdr") == true && entry?.contains("REACHABLE") == true, "\(table)")
        }
    }

    @Test(.requires(.root, .program("arping")))
    func `the kernel's probes are answered, and its link-local and all-nodes pings`() throws {
        let rig = try KernelRig("probes")
        defer { rig.close() }
        rig.serve()
        let arping = try rig.kernel.run("arping", "-c", "3", "-I", "va", "192.0.2.2").standardOutput
        #expect(arping.contains("Received 3 response(s)"), "\(arping)")
        for address in ["192.0.2.2", "2001:db8::2"] {
            func entry() throws -> String {
                try rig.kernel.run("ip", "neigh", "show", "to", address, "dev", "va").standardOutput
            }
            try rig.kernel.run("ping", "-c", "1", "-W", "5", address)
            // `192.0.2.2 lladdr 02:… REACHABLE`
            let mac = String(try entry().split(separator: " ")[2])
            // The kernel asks the one address, three times at most, and then takes it for lost.
            try rig.kernel.run(
                "ip", "neigh", "change", address, "lladdr", mac, "dev", "va", "nud", "probe")
            try eventually("the kernel's probe is answered") { try entry().contains("REACHABLE") }
        }
        // Those of the kernel's own link-local address, once it is not tentative any more.
        try eventually("the kernel has its link-local address") {
            let own = try rig.kernel.run("ip", "-6", "address", "show", "dev", "va", "scope", "link")
                .standardOutput
            return own.contains("fe80") && !own.contains("tentative")
        }
        let all = try rig.kernel.run("ping", "-6", "-c", "2", "-i", "0.2", "-W", "5", "ff02::1%va")
            .standardOutput
        #expect(all.contains("64 bytes from fe80"), "\(all)")
    }

    /// This test has no need of a kernel with VLAN interfaces.
    @Test(.requires(.root, .program("python3"), .program("tcpdump")))
    func `a ping over a VLAN is answered over it`() throws {
        let rig = try KernelRig("vlan")
        defer { rig.close() }
        rig.serve()
        let mac = MACAddress(
            String(try rig.bare.run("cat", "/sys/class/net/vb/address").standardOutput.dropLast()))!
        let dump = try rig.kernel.start(["tcpdump", "-e", "-n", "-l", "-Q", "in", "-i", "va", "vlan", "5"])
        try dump.waitForLine(containing: "listening on")
        let frames = [
            Frame.arp(1, "192.0.2.1", "192.0.2.2", tags: [5]), .echo(mac: mac, tags: [5]),
            .echo6(mac: mac, tags: [5]), .solicitation("2001:db8::2", tags: [5]),
        ]
        let program = """
            import socket, sys
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            s.bind(("va", 0))
            for line in sys.stdin: s.send(bytes.fromhex(line))
            """
        try rig.kernel.run(
            ["python3", "-c", program], input: frames.map(\.description).joined(separator: "\n"))
        for answer in [
            "Reply 192.0.2.2 is-at \(mac)", "192.0.2.2 > 192.0.2.1: ICMP echo reply, id 4660, seq 7",
            "2001:db8::2 > 2001:db8::1: ICMP6, echo reply, id 4660, seq 7",
            "2001:db8::2 > 2001:db8::1: ICMP6, neighbor advertisement, tgt is 2001:db8::2",
        ] {
            #expect(try dump.waitForLine(containing: answer).contains("vlan 5"))
        }
    }

    @Test(.requires(.root, .program("python3")))
    func `a closed port is told to the kernel's socket`() throws {
        let rig = try KernelRig("closed")
        defer { rig.close() }
        rig.serve()
        for (family, address) in [("AF_INET", "192.0.2.2"), ("AF_INET6", "2001:db8::2")] {
            let program = """
                import socket
                client = socket.socket(socket.\(family), socket.SOCK_DGRAM)
                client.settimeout(10)
                client.connect(('\(address)', 5004))
                client.send(b'apus')
                try: client.recv(10)
                except ConnectionRefusedError: print('refused')
                """
            let output = try rig.kernel.run("python3", "-c", program).standardOutput
            #expect(output == "refused\n", "\(address): \(output)")
        }
        #expect(rig.now.sent[.error] == 2)
    }

    @Test(.requires(.root))
    func `the host finds the kernel, keeps it, follows its new address, and loses it`() throws {
        let rig = try KernelRig("find") { kernel in
            // So that the kernel tells of a new address.
            try kernel.run(
                "sysctl", "-qw", "net.ipv4.conf.va.arp_notify=1", "net.ipv6.conf.va.ndisc_notify=1")
        }
        defer { rig.close() }
        let text = try rig.kernel.run("cat", "/sys/class/net/va/address").standardOutput
        let mac = MACAddress(String(text.dropLast()))!
        rig.serve()
        rig.want("192.0.2.1", "2001:db8::1", "192.0.2.77")
        let (v4, v6) = (IPAddress("192.0.2.1")!, IPAddress("2001:db8::1")!)
        try eventually("both are known") {
            rig.now.events.contains(.neighbor(v4, .ready(mac)))
                && rig.now.events.contains(.neighbor(v6, .ready(mac)))
        }
        #expect(rig.now.neighbors[v4]?.state == .reachable && rig.now.neighbors[v6]?.state == .reachable)
        try eventually("nobody has 192.0.2.77") {
            rig.now.events.contains(.neighbor(IPAddress("192.0.2.77")!, .unreachable(.noAnswer)))
        }
        let new = MACAddress("02:00:00:00:aa:01")!
        try rig.kernel.run("ip", "link", "set", "dev", "va", "address", "\(new)")
        try eventually("the new address is known") {
            rig.now.events.contains(.neighbor(v4, .ready(new)))
                && rig.now.events.contains(.neighbor(v6, .ready(new)))
        }
        // They are asked again at the new address, five seconds later, and answer.
        try eventually("both answer at the new address", within: .seconds(15)) {
            [v4, v6].allSatisfy {
                rig.now.neighbors[$0]?.mac == new && rig.now.neighbors[$0]?.state == .reachable
            }
        }
    }

    @Test(.requires(.root, .program("arping")))
    func `who has an address of the host's is found out and told, on both sides`() throws {
        let rig = try KernelRig("duplicate") { kernel in
            // The lab has it off.
            try kernel.run("sysctl", "-qw", "net.ipv6.conf.va.accept_dad=1")
        }
        defer { rig.close() }
        rig.serve()
        try eventually("all addresses are known", within: .seconds(15)) {
            rig.now.sent[.announcement] ?? 0 >= 6
        }
        let mac = MACAddress(
            String(try rig.kernel.run("cat", "/sys/class/net/va/address").standardOutput.dropLast()))!

        // arping -D ends with 1 when there is a duplicate.
        let probe = try rig.kernel.start(["arping", "-D", "-c", "2", "-w", "5", "-I", "va", "192.0.2.2"])
        #expect(probe.waitForExit() == .exited(1), "\(probe.output)")
        try rig.kernel.run("ip", "address", "add", "2001:db8::2/64", "dev", "va")
        try eventually("the kernel finds that 2001:db8::2 is taken") {
            try rig.kernel.run("ip", "-6", "address", "show", "dev", "va").standardOutput.contains(
                "dadfailed")
        }

        try rig.kernel.run("ip", "address", "add", "192.0.2.2/32", "dev", "va")
        try rig.kernel.run("arping", "-A", "-c", "1", "-w", "1", "-I", "va", "192.0.2.2")
        try eventually("the host is told") {
            rig.now.events.contains(.duplicate(.v4(Rig.v4), mac, isGivenUp: false))
        }
        #expect(rig.now.sent[.defense] == 1)
    }

    @Test(.requires(.root, .program("arping")))
    func `the host gives up an IPv4 address that the kernel has already`() throws {
        let rig = try KernelRig("taken4") { kernel in
            try kernel.run("ip", "address", "add", "192.0.2.2/32", "dev", "va")
        }
        defer { rig.close() }
        let mac = MACAddress(
            String(try rig.kernel.run("cat", "/sys/class/net/va/address").standardOutput.dropLast()))!
        rig.serve()
        try eventually("the host is told") {
            rig.now.events.contains(.duplicate(.v4(Rig.v4), mac, isGivenUp: true))
        }
    }

    @Test(.requires(.root, .program("bridge")))
    func `a bridge that snoops knows the host's groups, and goes on knowing them`() throws {
        let rig = try KernelRig("snooping") { kernel in
            try kernel.run("ip", "address", "flush", "dev", "va")
            // Members are forgotten after 3 s, and asked for each second, in hundredths.
            try kernel.run(
                "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1",
                "mcast_mld_version", "2", "mcast_startup_query_interval", "100", "mcast_query_interval",
                "100",
                "mcast_query_response_interval", "50", "mcast_membership_interval", "300")
            try kernel.run("ip", "link", "set", "va", "master", "br0")
            try kernel.run("ip", "link", "set", "br0", "up")
            try kernel.run("ip", "address", "add", "2001:db8::1/64", "dev", "br0", "nodad")
        }
        defer { rig.close() }
        rig.serve()
        let mac = try rig.bare.run("cat", "/sys/class/net/vb/address").standardOutput.dropLast()
        let own = IPv6Address(linkLocalOf: MACAddress(String(mac))!)
        func knows(_ address: IPv6Address) throws -> Bool {
            try rig.kernel.run("bridge", "mdb", "show", "dev", "br0").standardOutput.split(separator: "\n")
                .contains { $0.contains("port va grp \(address.solicitedNode) ") }
        }
        for address in [Rig.v6, own] {
            try eventually("\(address.solicitedNode) is known") { try knows(address) }
        }
        // Longer than without an answer: what is sent unasked is over by then.
        let sent = rig.now.sent[.listenerReport] ?? 0
        try eventually("eight questions were answered", within: .seconds(15)) {
            rig.now.sent[.listenerReport] ?? 0 >= sent + 8
        }
        let areKnown = try knows(Rig.v6) && knows(own)
        #expect(areKnown)
        try rig.kernel.run("ping", "-6", "-c", "1", "-W", "5", "2001:db8::2")
    }

    @Test(.requires(.root))
    func `the host gives up an IPv6 address that the kernel has already`() throws {
        let rig = try KernelRig("taken") { kernel in
            try kernel.run("ip", "address", "add", "2001:db8::2/64", "dev", "va", "nodad")
        }
        defer { rig.close() }
        let mac = MACAddress(
            String(try rig.kernel.run("cat", "/sys/class/net/va/address").standardOutput.dropLast()))!
        rig.serve()
        try eventually("the host is told") {
            rig.now.events.contains(.duplicate(.v6(Rig.v6), mac, isGivenUp: true))
        }
    }
}
