import ApusHost
import ApusWire
import Glibc
import NetworkLab
import Testing

@Suite("The host's view", .requires(.root), .timeLimit(.minutes(2)))
struct HostViewTests {
    @Test("links are read with their kind, addresses, MTU, queues, state and what they belong to")
    func links() throws {
        let pair = try Pair("links", queues: 2, mtu: 1400)
        defer { pair.close() }
        try pair.a.run("ip", "link", "add", "br0", "type", "bridge")
        try pair.a.run("ip", "link", "add", "mv0", "link", "va", "type", "macvlan")
        try pair.a.run("ip", "tuntap", "add", "tun0", "mode", "tun")
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va")
        #expect(va.kind == "veth" && va.mtu == 1400 && va.receiveQueues == 2 && va.transmitQueues == 2)
        #expect(va.isUp && va.hasCarrier && va.isEthernet && !va.isLoopback && va.parent == nil)
        #expect(va.macAddress == (try pair.mac("va", in: pair.a)))
        #expect(va.xdpProgram == nil && va.vlan == nil && va.controller == nil)
        #expect(try view.link(named: "mv0").parent == va.index)
        #expect(try !view.link(named: "br0").isUp)
        let tunnel = try view.link(named: "tun0")
        #expect(!tunnel.isEthernet && tunnel.macAddress == nil && tunnel.hasNoARP)
        #expect(try view.link(named: "lo").isLoopback)
        #expect(view.link(having: "2001:db8::1")?.name == "va")
    }

    @Test("an interface that does not exist is refused with the names of those that do")
    func noSuchInterface() throws {
        let pair = try Pair("names")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let error = #expect(throws: HostError.self) { try view.link(named: "eth9") }
        #expect(error?.description == "interface \"eth9\" does not exist; there are: lo, va")
    }

    @Test("an XDP program on a link is seen with its mode, when it comes and when it goes")
    func xdpProgram() throws {
        let pair = try Pair("xdp")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let index = try view.link(named: "va").index
        try pair.a.run(
            "xdp-loader", "load", "-m", "native", "va", "/usr/lib/x86_64-linux-gnu/bpf/xdpdump_xdp.o")
        try view.changes { _ in view.links[index]?.xdpProgram != nil }
        let program = try #require(view.links[index]?.xdpProgram)
        #expect(program.mode == .native && program.id > 0)
        try pair.a.run("xdp-loader", "unload", "-a", "va")
        try view.changes { _ in view.links[index]?.xdpProgram == nil }
    }

    @Test("addresses that come and go are told with their interface")
    func addressEvents() throws {
        let pair = try Pair("addresses")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        try view.settle()
        let index = try view.link(named: "va").index
        for (address, prefix) in [("198.51.100.1", "24"), ("2001:db8:1::1", "64")] {
            let ip = try #require(IPAddress(address))
            try pair.a.run("ip", "address", "add", "\(address)/\(prefix)", "dev", "va")
            // An IPv6 address is tentative for a moment.
            let added = try view.changes { _ in
                view.addresses.contains { $0.address == ip && !$0.isTentative }
            }
            #expect(added.addresses == [index])
            #expect(added.affectsRoutes)
            let entries = view.addresses.filter { $0.address == ip }
            #expect(entries.count == 1 && entries[0].prefixLength == Int(prefix) && !entries[0].isDeprecated)
            try pair.a.run("ip", "address", "del", "\(address)/\(prefix)", "dev", "va")
            let removed = try view.changes { _ in view.link(having: ip) == nil }
            #expect(removed.addresses == [index])
        }
    }

    @Test("routes and rules that come and go are told")
    func routeEvents() throws {
        let pair = try Pair("routes")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        try view.settle()
        for change in [
            "ip route add 198.51.100.0/24 via 192.0.2.2", "ip route del 198.51.100.0/24",
            "ip -6 route add 2001:db8:1::/48 via 2001:db8::2", "ip -6 route del 2001:db8:1::/48",
        ] {
            try pair.a.run(change.split(separator: " ").map(String.init))
            #expect(try view.changes { $0.routes }.rules == false, "\(change)")
        }
        for change in ["ip rule add from 10.0.0.1 table 7", "ip -6 rule add from 2001:db8::9 table 7"] {
            try pair.a.run(change.split(separator: " ").map(String.init))
            #expect(try view.changes { $0.rules }.affectsRoutes, "\(change)")
        }
    }

    @Test("neighbors that come, change and go are told, and only they")
    func neighborEvents() throws {
        let pair = try Pair("neighbors")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        try view.settle()
        let key = Neighbor.Key(interface: try view.link(named: "va").index, address: "192.0.2.77")
        func neighbor(_ words: String...) throws {
            try pair.a.run(["ip", "neighbor"] + words + ["192.0.2.77", "dev", "va"])
        }
        try pair.a.run("ip", "neighbor", "add", "192.0.2.77", "lladdr", "02:00:00:00:00:77", "dev", "va")
        let added = try view.changes { $0.neighbors.contains(key) }
        #expect(added.neighbors == [key] && !added.affectsRoutes && !added.isEmpty)
        #expect(view.neighbors[key]?.state == .permanent)
        #expect(view.neighbors[key]?.macAddress == MACAddress("02:00:00:00:00:77"))
        try pair.a.run(
            "ip", "neighbor", "replace", "192.0.2.77", "lladdr", "02:00:00:00:00:78", "dev", "va", "nud",
            "stale")
        try view.changes { _ in view.neighbors[key]?.macAddress == MACAddress("02:00:00:00:00:78") }
        #expect(view.neighbors[key]?.state == .stale)
        try neighbor("del")
        let deleted = try view.changes { _ in view.neighbors[key].map { !$0.isUsable } ?? true }
        #expect(deleted.neighbors == [key] && deleted.readdressed == [key])
        // Of those that go with their link only that is told: no state comes before.
        try neighbor("replace", "lladdr", "02:00:00:00:00:79", "nud", "stale")
        try view.changes { _ in view.neighbors[key]?.isUsable == true }
        try view.settle()
        try pair.a.run("ip", "link", "set", "va", "down")
        let gone = try view.changes { _ in view.neighbors[key] == nil }
        #expect(gone.neighbors.contains(key) && gone.readdressed.contains(key))
    }

    @Test("links that go down, lose their carrier, are renamed, made and removed are told")
    func linkEvents() throws {
        let pair = try Pair("linkevents")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        try view.settle()
        let index = try view.link(named: "va").index
        try pair.b.run("ip", "link", "set", "vb", "down")
        #expect(try view.changes { _ in view.links[index]?.hasCarrier == false }.links == [index])
        #expect(view.links[index]?.isUp == true)
        try pair.b.run("ip", "link", "set", "vb", "up")
        try view.changes { _ in view.links[index]?.hasCarrier == true }
        try pair.a.run("ip", "link", "set", "va", "down")
        #expect(try view.changes { _ in view.links[index]?.isUp == false }.affectsRoutes)
        try pair.a.run("ip", "link", "set", "va", "name", "renamed")
        try view.changes { _ in view.links[index]?.name == "renamed" }
        #expect(try view.link(named: "renamed").index == index)
        try pair.a.run("ip", "link", "set", "renamed", "mtu", "9000", "address", "02:00:00:00:00:01", "up")
        try view.changes { _ in view.links[index]?.mtu == 9000 && view.links[index]?.isUp == true }
        #expect(view.links[index]?.macAddress == MACAddress("02:00:00:00:00:01"))
        try pair.a.run("ip", "link", "add", "br0", "type", "bridge")
        try view.changes { _ in view.links.values.contains { $0.name == "br0" } }
        try pair.a.run("ip", "link", "set", "renamed", "master", "br0")
        try view.changes { _ in view.links[index]?.controller != nil }
        #expect(view.links[index]?.controller == (try view.link(named: "br0").index))
        try pair.a.run("ip", "link", "del", "renamed")
        #expect(try view.changes { _ in view.links[index] == nil }.deletedLinks == [index])
        try view.changes { _ in
            !view.addresses.contains { $0.interface == index }
                && !view.neighbors.contains { $0.key.interface == index && $0.value.isUsable }
        }
    }

    @Test("a nexthop object that is replaced changes routes, where the routes themselves say nothing of it")
    func nexthopObject() throws {
        let pair = try Pair("nexthop")
        defer { pair.close() }
        for command in [
            "sysctl -qw net.ipv4.nexthop_compat_mode=0", "ip nexthop add id 7 via 192.0.2.2 dev va",
            "ip route add 198.51.100.0/24 nhid 7",
        ] { try pair.a.run(command.split(separator: " ").map(String.init)) }
        let view = try pair.a.enter { try HostView() }
        #expect(try view.resolve("198.51.100.7").anyHop?.neighbor?.address == "192.0.2.2")
        try view.settle()
        try pair.a.run("ip", "nexthop", "replace", "id", "7", "blackhole")
        #expect(try view.changes { $0.routes }.affectsRoutes)
        #expect(try view.resolve("198.51.100.7") == .unreachable(.refusedByRoute("198.51.100.7")))
    }

    @Test("when the kernel has more to tell than it can keep, everything is read anew and is right")
    func overrun() throws {
        let pair = try Pair("overrun")
        defer { pair.close() }
        var limits = HostView.Limits()
        limits.receiveBuffer = 1  // The kernel rounds it up to its least, a few kilobytes.
        let view = try pair.a.enter { try HostView(limits: limits) }
        try view.settle()
        #expect(view.overruns == 0)
        // Each line is told by a message; they are far more than the buffer takes. What it takes tells of
        // addresses that are gone by the time everything is read, and that they are gone is lost.
        let commands =
            (1...200).map { "address add 10.9.\($0).1/24 dev va" }
            + stride(from: 1, through: 199, by: 2).map { "address del 10.9.\($0).1/24 dev va" }
        try pair.a.run(["ip", "-batch", "-"], input: commands.joined(separator: "\n") + "\n")
        let changes = try view.changes { $0.isResynchronized }
        #expect(changes.affectsRoutes)
        #expect(view.overruns >= 1)
        // What was still queued must not undo what was read.
        try view.settle()
        let kept = view.addresses.compactMap { "\($0.address)".hasPrefix("10.9.") ? $0.address : nil }
        let expected = stride(from: 2, through: 200, by: 2).compactMap { IPAddress("10.9.\($0).1") }
        #expect(kept.count == expected.count && Set(kept) == Set(expected))
        // It goes on hearing.
        try pair.a.run("ip", "address", "add", "198.51.100.9/24", "dev", "va")
        try view.changes { _ in view.link(having: "198.51.100.9") != nil }
    }

    @Test("one call takes in a bounded number of messages, and what is left keeps the descriptor readable")
    func boundedProcess() throws {
        let pair = try Pair("bounded")
        defer { pair.close() }
        var limits = HostView.Limits()
        limits.datagramsPerCall = 3
        let view = try pair.a.enter { try HostView(limits: limits) }
        try view.settle()
        let commands = (1...20).map { "neighbor add 192.0.2.\($0 + 100) lladdr 02:00:00:00:00:01 dev va" }
        try pair.a.run(["ip", "-batch", "-"], input: commands.joined(separator: "\n") + "\n")
        let first = try view.process()
        #expect(first.neighbors.count <= 3 && !first.isEmpty)
        var wait = pollfd(fd: view.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(unsafe poll(&wait, 1, 0) == 1)
        try view.changes { _ in view.neighbors.count >= 20 }
    }
}
