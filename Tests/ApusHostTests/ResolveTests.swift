import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusHost

@Suite("Next hops", .requires(.root), .timeLimit(.minutes(2)))
struct ResolveTests {
    @Test(
        "a neighbor on the link is unresolved until a probe makes the kernel find it",
        arguments: [("192.0.2.2", "192.0.2.1"), ("2001:db8::2", "2001:db8::1")])
    func onLink(destination: IPAddress, source: IPAddress) throws {
        let pair = try Pair("onlink", mtu: 1450)
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va")
        let before = try view.resolve(destination)
        #expect(before.isUnresolved)
        let hop = try #require(before.anyHop)
        let key = Neighbor.Key(interface: va.index, address: destination)
        #expect(hop.neighbor == key && hop.destinationMAC == nil && hop.source == source)
        #expect(hop.interface == va.index && hop.interfaceName == "va" && hop.vlans == [] && hop.mtu == 1450)

        try view.probe(key)
        try view.changes { _ in view.neighbors[key]?.isUsable == true }
        let after = try #require(try view.resolve(destination).nextHop)
        #expect(after.sourceMAC == (try pair.mac("va", in: pair.a)))
        #expect(after.destinationMAC == (try pair.mac("vb", in: pair.b)))
        #expect(after.neighborState == .reachable)
    }

    @Test("a destination beyond a gateway is sent to the gateway, with the route's MTU and source")
    func gateway() throws {
        let pair = try Pair("gateway")
        defer { pair.close() }
        try pair.a.run("ip", "address", "add", "192.0.2.9/24", "dev", "va")
        try pair.a.run(
            "ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.2", "mtu", "1280", "src", "192.0.2.9")
        try pair.a.run("ip", "-6", "route", "add", "default", "via", "2001:db8::2")
        let view = try pair.a.enter { try HostView() }
        for (destination, gateway, source, mtu) in [
            ("198.51.100.7", "192.0.2.2", "192.0.2.9", 1280),
            ("2001:db8:ff::1", "2001:db8::2", "2001:db8::1", 1500),
        ] as [(IPAddress, IPAddress, IPAddress, Int)] {
            let hop = try #require(try view.resolve(destination).anyHop)
            let key = try #require(hop.neighbor)
            #expect(key.address == gateway && hop.source == source && hop.mtu == mtu)
            try view.probe(key)
            try view.changes { _ in view.neighbors[key]?.isUsable == true }
            let resolved = try view.resolve(destination).nextHop
            #expect(resolved?.destinationMAC == (try pair.mac("vb", in: pair.b)))
        }
    }

    @Test("an IPv4 destination may lie behind an IPv6 gateway")
    func mixedGateway() throws {
        let pair = try Pair("mixed")
        defer { pair.close() }
        try pair.a.run("ip", "route", "add", "198.51.100.0/24", "via", "inet6", "2001:db8::2", "dev", "va")
        let view = try pair.a.enter { try HostView() }
        let hop = try #require(try view.resolve("198.51.100.7").anyHop)
        #expect(hop.neighbor?.address == "2001:db8::2")
        #expect(hop.source == "192.0.2.1")
    }

    @Test("rules are honored: another source address may take another way")
    func policy() throws {
        let pair = try Pair("policy")
        defer { pair.close() }
        for command in [
            "ip address add 192.0.2.9/24 dev va", "ip route add default via 192.0.2.2",
            "ip route add default via 192.0.2.3 table 77", "ip rule add from 192.0.2.9 table 77",
        ] { try pair.a.run(command.split(separator: " ").map(String.init)) }
        let view = try pair.a.enter { try HostView() }
        let usual = try view.resolve(Route.Query(to: "203.0.113.1", from: "192.0.2.1")).anyHop
        let other = try view.resolve(Route.Query(to: "203.0.113.1", from: "192.0.2.9")).anyHop
        #expect(usual?.neighbor?.address == "192.0.2.2" && usual?.source == "192.0.2.1")
        #expect(other?.neighbor?.address == "192.0.2.3" && other?.source == "192.0.2.9")
    }

    @Test(
        "an address of the host itself is refused",
        arguments: ["192.0.2.1", "127.0.0.1", "2001:db8::1", "::1"] as [IPAddress])
    func ourselves(address: IPAddress) throws {
        let pair = try Pair("ourselves")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        #expect(try view.resolve(address) == .unreachable(.ourselves(address)))
        #expect("\(UnreachableReason.ourselves(address))".contains("\(address) is an address of this host"))
    }

    @Test("nothing is sent to the broadcast address of a network, nor to that of the link")
    func broadcast() throws {
        let pair = try Pair("broadcast")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va").index
        for query in [
            Route.Query(to: "192.0.2.255"), Route.Query(to: "255.255.255.255", by: va),
        ] {
            guard case .unreachable(let reason) = try view.resolve(query) else {
                Issue.record("\(query.destination) can be reached")
                continue
            }
            #expect(
                "\(reason)"
                    == "\(query.destination) is a broadcast address, to which nothing is sent; name one host, "
                    + "or a multicast group")
        }
    }

    @Test("groups have Ethernet addresses without asking anybody")
    func groups() throws {
        let pair = try Pair("groups")
        defer { pair.close() }
        try pair.a.run("ip", "route", "add", "224.0.0.0/4", "dev", "va")
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va").index
        func mac(_ address: IPAddress, by interface: Int32? = nil) throws -> MACAddress? {
            let hop = try view.resolve(Route.Query(to: address, by: interface)).nextHop
            #expect(hop?.neighbor == nil && hop?.interface == va)
            return hop?.destinationMAC
        }
        // The upper nine bits of the group are not in the Ethernet address.
        #expect(try mac("239.129.2.3") == MACAddress("01:00:5e:01:02:03"))
        #expect(try mac("ff02::1:2345:6789", by: va) == MACAddress("33:33:23:45:67:89"))
        #expect(try mac("ff0e::42", by: va) == MACAddress("33:33:00:00:00:42"))
        #expect(try view.resolve("ff02::1") == .unreachable(.needsInterface("ff02::1")))
        #expect(try view.resolve("fe80::1") == .unreachable(.needsInterface("fe80::1")))
    }

    @Test("a route that puts another header on packets is none that a relay can take")
    func encapsulation() throws {
        let pair = try Pair("encap")
        defer { pair.close() }
        for command in [
            "ip -6 route add 2001:db8:9::/48 encap seg6 mode inline segs 2001:db8:5::1 via 2001:db8::2 dev va",
            "ip -6 route add 2001:db8:8::/48 via 2001:db8::2 dev va",
            "ip route add 203.0.113.0/24 encap seg6 mode encap segs 2001:db8:5::1 via 192.0.2.2 dev va",
        ] { try pair.a.run(command.split(separator: " ").map(String.init)) }
        let view = try pair.a.enter { try HostView() }
        for address in ["2001:db8:9::1", "203.0.113.1"] as [IPAddress] {
            guard case .unreachable(let reason) = try view.resolve(address) else {
                Issue.record("packets to \(address) would leave without that header")
                continue
            }
            #expect("\(reason)".contains("the route to \(address) puts another header on each packet"))
        }
        #expect(try view.resolve("2001:db8:8::1").anyHop != nil)
    }

    @Test("no route, refusing routes and dead interfaces are told apart")
    func unreachable() throws {
        let pair = try Pair("unreachable")
        defer { pair.close() }
        for (kind, prefix) in [
            ("blackhole", "10.1.0.0/16"), ("prohibit", "10.2.0.0/16"), ("unreachable", "10.3.0.0/16"),
            ("blackhole", "2001:db8:1::/48"), ("prohibit", "2001:db8:2::/48"),
            ("unreachable", "2001:db8:3::/48"),
        ] { try pair.a.run("ip", "route", "add", kind, prefix) }
        let view = try pair.a.enter { try HostView() }
        for address in [
            "10.1.0.1", "10.2.0.1", "10.3.0.1", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1",
        ]
            as [IPAddress]
        {
            #expect(try view.resolve(address) == .unreachable(.refusedByRoute(address)))
        }
        for address in ["203.0.113.1", "2001:db9::1"] as [IPAddress] {
            #expect(try view.resolve(address) == .unreachable(.noRoute(address)))
        }
        let foreign = Route.Query(to: "192.0.2.2", from: "192.0.2.77")
        #expect(try view.resolve(foreign) == .unreachable(.sourceNotOnHost("192.0.2.77")))
        let refused = Route.Query(to: "10.1.0.1", from: "192.0.2.1")
        #expect(try view.resolve(refused) == .unreachable(.refusedByRoute("10.1.0.1")))
        let any = try view.resolve(Route.Query(to: "192.0.2.2", from: "0.0.0.0"))
        #expect(any.anyHop?.source == "192.0.2.1")
        let index = try view.link(named: "va").index
        try pair.b.run("ip", "link", "set", "vb", "down")
        try view.changes { _ in view.links[index]?.hasCarrier == false }
        #expect(try view.resolve("192.0.2.2") == .unreachable(.interfaceDown("va")))
        try pair.a.run("ip", "link", "set", "va", "down")
        try view.changes { _ in view.links[index]?.isUp == false }
        #expect(try view.resolve("192.0.2.2") == .unreachable(.noRoute("192.0.2.2")))
    }

    @Test("a tunnel without Ethernet frames is refused, an interface without ARP is not")
    func withoutARP() throws {
        let pair = try Pair("noarp")
        defer { pair.close() }
        // The tun device has a carrier only while a program holds it.
        let holder = try pair.a.start([
            "python3", "-c",
            """
            import fcntl, struct, time
            tun = open('/dev/net/tun', 'r+b', buffering=0)
            fcntl.ioctl(tun, 0x400454ca, struct.pack('16sH22x', b'tun0', 0x1001))
            print('open', flush=True)
            time.sleep(60)
            """,
        ])
        try holder.waitForLine(containing: "open")
        try pair.a.run("ip", "address", "add", "203.0.113.1/24", "dev", "tun0")
        try pair.a.run("ip", "link", "set", "tun0", "up")
        try pair.a.run("ip", "link", "set", "va", "arp", "off")
        let view = try pair.a.enter { try HostView() }
        #expect(try view.resolve("203.0.113.2") == .unreachable(.noEthernet("tun0")))
        let hop = try #require(try view.resolve("192.0.2.2").nextHop)
        #expect(hop.destinationMAC == hop.sourceMAC && hop.neighborState == .noARP)
        try pair.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "va")
        let other = try #require(try pair.a.enter { try HostView() }.resolve("192.0.2.2").nextHop)
        #expect(other.destinationMAC == MACAddress("02:00:00:00:00:02"))
    }

    @Test(
        "a destination behind VLAN interfaces goes out beneath them, with their tags",
        .enabled(if: kernelHasVLANs, "this machine's kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)"))
    func vlan() throws {
        let pair = try Pair("vlan")
        defer { pair.close() }
        for (space, end, host) in [(pair.a, "va", 1), (pair.b, "vb", 2)] {
            for command in [
                "ip link add link \(end) name outer type vlan proto 802.1ad id 5",
                "ip link add link outer name inner type vlan id 100", "ip link set outer up",
                "ip link set inner up",
                "ip address add 198.51.100.\(host)/24 dev inner",
            ] { try space.run(command.split(separator: " ").map(String.init)) }
        }
        let view = try pair.a.enter { try HostView() }
        let key = try #require(try view.resolve("198.51.100.2").anyHop?.neighbor)
        #expect(key.interface == (try view.link(named: "inner").index))
        try view.probe(key)
        try view.changes { _ in view.neighbors[key]?.isUsable == true }
        let hop = try #require(try view.resolve("198.51.100.2").nextHop)
        #expect(hop.interfaceName == "va" && hop.source == "198.51.100.1")
        #expect(hop.vlans == [Link.VLAN(id: 5, tpid: 0x88a8), Link.VLAN(id: 100, tpid: 0x8100)])
        #expect(hop.destinationMAC == (try pair.mac("vb", in: pair.b)))
    }

    @Test("a route through a VLAN interface gives the interface beneath, its tag and its own address")
    func vlanRoute() throws {
        // The kernel's routes and neighbors are real; that va is a VLAN interface on vc is put in, since not every
        // kernel has them.
        let pair = try Pair("vlanroute")
        defer { pair.close() }
        try pair.lab.link(pair.a, "vc", pair.b, "vd")
        try pair.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "va")
        let view = try pair.a.enter { try HostView() }
        let (va, vc) = (try view.link(named: "va"), try view.link(named: "vc"))
        let message = vlanMessage(
            index: UInt32(va.index), name: "va", id: 5, tpid: 0x8100, parent: UInt32(vc.index))
        let vlan = try #require(Link(message))
        view.links[va.index] = vlan
        let hop = try #require(try view.resolve("192.0.2.2").nextHop)
        #expect(hop.interface == vc.index && hop.interfaceName == "vc" && hop.vlans == [Link.VLAN(id: 5)])
        #expect(hop.sourceMAC == vlan.macAddress && hop.neighbor?.interface == va.index)
        #expect(hop.destinationMAC == MACAddress("02:00:00:00:00:02"))
    }

    @Test("ten thousand destinations are resolved within seconds")
    func many() throws {
        let pair = try Pair("many")
        defer { pair.close() }
        try pair.a.run("ip", "route", "add", "default", "via", "192.0.2.2")
        try pair.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", "02:00:00:00:00:02", "dev", "va")
        let view = try pair.a.enter { try HostView() }
        let start = ContinuousClock.now
        for number in 0..<10_000 as Range<UInt32> {
            let resolution = try view.resolve(.v4(IPv4Address(bits: 0xcb00_0000 + number)))
            try #require(resolution.nextHop?.destinationMAC == MACAddress(bits: 0x0200_0000_0002))
        }
        #expect(ContinuousClock.now - start < .seconds(10))
    }
}

/// Whether this kernel can make VLAN interfaces.
private let kernelHasVLANs: Bool = {
    let lab = NetworkLab("probe")
    defer { lab.close() }
    let commands = "ip link add v0 type veth peer name v1 && ip link add link v0 name v2 type vlan id 2"
    return (try? lab.namespace("a").run("sh", "-c", commands)) != nil
}()
