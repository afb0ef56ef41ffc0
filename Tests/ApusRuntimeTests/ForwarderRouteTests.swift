import ApusConfig
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// What the routes and neighbors of the kernel make a forwarder do.
@Suite("Routes of a forwarder", .requires(.root), .timeLimit(.minutes(3)))
struct ForwarderRouteTests {
    typealias Line = ForwarderNetworkTests.Line

    /// One IP version: the words for `ip` and the addresses.
    struct Family: CustomTestStringConvertible {
        let option: String
        let (relay, screen): (String, String)
        /// The network between relay and screen, and a network and host beyond the screen.
        let (link, beyond, host): (String, String, String)
        /// Of IP and UDP, in bytes.
        let headers: Int

        static let v4 = Family(
            option: "-4", relay: "10.1.0.2", screen: "10.2.0.1", link: "10.2.0.0/24",
            beyond: "10.3.0.0/24", host: "10.3.0.1", headers: 28)
        static let v6 = Family(
            option: "-6", relay: "2001:db8:1::2", screen: "2001:db8:2::1", link: "2001:db8:2::/64",
            beyond: "2001:db8:3::/64", host: "2001:db8:3::1", headers: 48)
        static let both = [v4, v6]

        var testDescription: String { option }

        func endpoint(_ address: String, _ port: Int) -> String {
            address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
        }

        func forwarder(to address: String) throws -> Forwarder {
            try Forwarder(
                ForwarderNetworkTests.configuration(
                    .packet, listen: endpoint(relay, 5004), to: [endpoint(address, 5006)]))
        }
    }

    private func attend(_ forwarder: Forwarder, until condition: () throws -> Bool) throws {
        try ForwarderNetworkTests.attend(forwarder, until: condition)
    }

    @Test(arguments: Family.both, ["dport 5006", "sport 5004"])
    func `A rule that looks at the UDP ports is followed, and its end too`(
        _ family: Family, _ selector: String
    ) throws {
        let line = try Line("portrule")
        defer { line.lab.close() }
        try line.screen.run(["ip", "address", "add", family.host, "dev", "scr0"])
        let rule =
            [family.option, "rule", "add", "ipproto", "udp"] + selector.split(separator: " ").map(String.init)
            + ["lookup", "100"]
        try line.relay.run([
            "ip", family.option, "route", "add", family.beyond, "via", family.screen, "table", "100",
        ])
        try line.relay.run(["ip"] + rule)
        let receiver = try line.watch(family.host, port: 5006)
        try line.send(100, to: family.relay)
        try line.relay.enter {
            let forwarder = try family.forwarder(to: family.host)
            try attend(forwarder) { forwarder.status().sent >= 3 }
            try line.relay.run(["ip"] + rule.map { $0 == "add" ? "delete" : $0 })
            try attend(forwarder) { forwarder.status().unreachable.count == 1 }
        }
        try receiver.waitForLine(containing: "got 100 \(family.relay)")
    }

    @Test(arguments: Family.both)
    func `A route's MTU counts, and a change of it, though the link would take more`(_ family: Family) throws
    {
        let line = try Line("routemtu")
        defer { line.lab.close() }
        func setMTU(_ mtu: Int) throws {
            // The kernel's own route, whose metric differs by family.
            let metric = family.option == "-4" ? "0" : "256"
            try line.relay.run([
                "ip", family.option, "route", "replace", family.link, "proto", "kernel", "dev", "far",
                "metric", metric, "mtu", "\(mtu)",
            ])
        }
        try setMTU(1300)
        try line.send(1301 - family.headers, to: family.relay)
        try line.relay.enter {
            let forwarder = try family.forwarder(to: family.screen)
            try attend(forwarder) { forwarder.status().drops["too_long", default: 0] >= 3 }
            #expect(forwarder.status().sent == 0)
            try setMTU(1301)
            try attend(forwarder) { forwarder.status().sent >= 3 }
        }
    }

    @Test(arguments: Family.both)
    func `A path MTU that the kernel learns is taken over, and its end too`(_ family: Family) throws {
        let line = try Line("pathmtu")
        defer { line.lab.close() }
        let end = try line.lab.namespace("end")
        try line.lab.link(
            line.screen, "out", ["10.3.0.2/24", "2001:db8:3::2/64"], end, "end0",
            ["10.3.0.1/24", "2001:db8:3::1/64"], mtu: 1400)
        for command in [
            "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
            "ip route add 10.1.0.0/24 via 10.2.0.2", "ip route add 2001:db8:1::/64 via 2001:db8:2::2",
        ] { try line.screen.run(command.split(separator: " ").map(String.init)) }
        try line.relay.run(["ip", family.option, "route", "add", family.beyond, "via", family.screen])
        try line.send(1401 - family.headers, to: family.relay)
        try line.relay.enter {
            let forwarder = try family.forwarder(to: family.host)
            // The first ones go to the router, which refuses them.
            try attend(forwarder) { forwarder.status().sent >= 1 }
            try attend(forwarder) { forwarder.status().drops["too_long", default: 0] >= 3 }
            let route = try line.relay.run([
                "ip", family.option, "route", "get", family.host, "from", family.relay,
            ]).standardOutput
            #expect(route.contains("mtu 1400"), "\(route)")
            try line.screen.run("ip", "link", "set", "out", "mtu", "1500")
            try end.run("ip", "link", "set", "end0", "mtu", "1500")
            try line.relay.run("ip", family.option, "route", "flush", "cache")
            let before = forwarder.status().sent
            try attend(forwarder) { forwarder.status().sent >= before + 3 }
        }
    }

    @Test func `A nexthop object that is replaced is followed`() throws {
        let line = try Line("nexthop")
        defer { line.lab.close() }
        for command in [
            "sysctl -qw net.ipv4.nexthop_compat_mode=0", "ip nexthop add id 7 via 10.2.0.1 dev far",
            "ip route add 10.3.0.0/24 nhid 7",
        ] { try line.relay.run(command.split(separator: " ").map(String.init)) }
        try line.send(100, to: "10.1.0.2")
        try line.relay.enter {
            let forwarder = try Family.v4.forwarder(to: "10.3.0.1")
            try attend(forwarder) { forwarder.status().sent >= 3 }
            try line.relay.run("ip", "nexthop", "replace", "id", "7", "blackhole")
            try attend(forwarder) { forwarder.status().unreachable.count == 1 }
            try line.relay.run("ip", "nexthop", "replace", "id", "7", "via", "10.2.0.1", "dev", "far")
            let before = forwarder.status().sent
            try attend(forwarder) { forwarder.status().sent >= before + 3 }
        }
    }

    @Test func `A router's redirect is followed, of which netlink says nothing`() throws {
        let line = try Line("redirect")
        defer { line.lab.close() }
        for command in [
            "sysctl -qw net.ipv4.conf.all.accept_redirects=1 net.ipv4.conf.far.accept_redirects=1",
            "sysctl -qw net.ipv4.conf.all.secure_redirects=0 net.ipv4.conf.far.secure_redirects=0",
            "ip route add 10.3.0.0/24 via 10.2.0.1",
            "ip neighbor add 10.2.0.3 lladdr 02:00:00:00:00:77 dev far nud permanent",
        ] { try line.relay.run(command.split(separator: " ").map(String.init)) }
        // RFC 792: type 5, code 1, the better router, and what it is about.
        let redirect = """
            import socket, struct
            def sum16(data):
                if len(data) % 2: data += b'\\0'
                total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
                while total > 0xffff: total = (total & 0xffff) + (total >> 16)
                return ~total & 0xffff
            address = socket.inet_aton
            quoted = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 128, 1, 0, 63, 17, 0, address('10.1.0.2'), address('10.3.0.1'))
            quoted = quoted[:10] + struct.pack('!H', sum16(quoted)) + quoted[12:] + struct.pack('!HHHH', 5004, 5006, 108, 0)
            icmp = struct.pack('!BBH4s', 5, 1, 0, address('10.2.0.3')) + quoted
            icmp = icmp[:2] + struct.pack('!H', sum16(icmp)) + icmp[4:]
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            s.sendto(icmp, ('10.1.0.2', 0))
            """
        try line.screen.run("ip", "route", "add", "10.1.0.0/24", "via", "10.2.0.2")
        let script = """
            import socket
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('scr0', 3))
            print('bound', flush=True)
            while s.recv(2000)[:6] != bytes([2, 0, 0, 0, 0, 0x77]): pass
            print('redirected', flush=True)
            """
        let watcher = try line.screen.start(["python3", "-c", script])
        try watcher.waitForLine(containing: "bound")
        try line.send(100, to: "10.1.0.2")
        try line.relay.enter {
            let forwarder = try Family.v4.forwarder(to: "10.3.0.1")
            try attend(forwarder) { forwarder.status().sent >= 3 }
            try line.screen.run("python3", "-c", redirect)
            let route = try line.relay.run("ip", "route", "get", "10.3.0.1", "from", "10.1.0.2")
                .standardOutput
            try #require(route.contains("via 10.2.0.3"), "\(route)")
            try attend(forwarder) { watcher.output.contains("redirected") }
        }
    }

    @Test func `Packets are planned anew when a neighbor has another address, not when only its age changes`()
        throws
    {
        let line = try Line("age")
        defer { line.lab.close() }
        try line.send(100, to: "10.1.0.2")
        try line.relay.enter {
            let forwarder = try Family.v4.forwarder(to: "10.2.0.1")
            try attend(forwarder) { forwarder.status().sent >= 3 }
            let mac = try line.screen.run("cat", "/sys/class/net/scr0/address").standardOutput.dropLast()
            // What the start of the network brings about.
            try attend(forwarder) { Clock.monotonic &- forwarder.lastPlan > 2_000_000_000 }
            let last = forwarder.lastPlan
            for state in ["stale", "delay", "probe", "reachable", "stale", "probe", "stale", "reachable"] {
                try line.relay.run(
                    "ip", "neighbor", "change", "10.2.0.1", "lladdr", "\(mac)", "dev", "far", "nud", state)
                let start = Clock.monotonic
                try attend(forwarder) { Clock.monotonic &- start > 150_000_000 }
                #expect(forwarder.lastPlan == last, "\(state)")
            }
            // Two ways to be another one: the address, and that there is none any more.
            try line.relay.run(
                "ip", "neighbor", "change", "10.2.0.1", "lladdr", "02:00:00:00:00:99", "dev", "far", "nud",
                "permanent")
            try attend(forwarder) { forwarder.lastPlan != last }
            let changed = forwarder.lastPlan
            try line.relay.run("ip", "neighbor", "delete", "10.2.0.1", "dev", "far")
            try attend(forwarder) { forwarder.lastPlan != changed }
            let before = forwarder.status().sent
            try attend(forwarder) { forwarder.status().sent >= before + 3 }
        }
    }

    @Test func `IPv6 packets have a flow label, one for each stream and destination`() throws {
        let line = try Line("label")
        defer { line.lab.close() }
        let script = """
            import socket, struct
            s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x86dd)); s.bind(('scr0', 0x86dd))
            print('bound', flush=True)
            seen = {5006: [], 5007: []}
            while min(map(len, seen.values())) < 4:
                data, source = s.recvfrom(2000)
                port = struct.unpack('!H', data[42:44])[0]
                if source[2] != socket.PACKET_OUTGOING and data[6] == 17 and port in seen:
                    seen[port].append(struct.unpack('!I', data[:4])[0] & 0xfffff)
            a, b = (set(labels) for labels in seen.values())
            print('labels', len(a), len(b), a == b, 0 in a | b, flush=True)
            """
        let watcher = try line.screen.start(["python3", "-c", script])
        try watcher.waitForLine(containing: "bound")
        try line.send(100, to: "2001:db8:1::2")
        try line.relay.enter {
            let forwarder = try Forwarder(
                ForwarderNetworkTests.configuration(
                    .packet, listen: "[2001:db8:1::2]:5004",
                    to: ["[2001:db8:2::1]:5006", "[2001:db8:2::1]:5007"]))
            try attend(forwarder) { forwarder.status().sent >= 12 }
        }
        try watcher.waitForLine(containing: "labels 1 1 False False")
    }
}
