import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusHost

@Suite("Neighbors", .requires(.root), .timeLimit(.minutes(2)))
struct NeighborTests {
    @Test("a neighbor that does not answer is unresolved with the state failed")
    func failed() throws {
        let pair = try Pair("failed")
        defer { pair.close() }
        let view = try pair.a.enter { try HostView() }
        let key = Neighbor.Key(interface: try view.link(named: "va").index, address: "192.0.2.99")
        try view.probe(key)
        try view.changes { _ in view.neighbors[key]?.state == .failed }
        let resolution = try view.resolve("192.0.2.99")
        #expect(resolution.isUnresolved && resolution.anyHop?.neighborState == .failed)
    }

    @Test("a stale neighbor in use is confirmed, a permanent one is left alone")
    func keepFresh() throws {
        let pair = try Pair("fresh")
        defer { pair.close() }
        try pair.a.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/neigh/va/delay_first_probe_time")
        let mac = try pair.mac("vb", in: pair.b)
        try pair.a.run("ip", "neighbor", "add", "192.0.2.2", "lladdr", "\(mac)", "dev", "va", "nud", "stale")
        try pair.a.run("ip", "neighbor", "add", "192.0.2.3", "lladdr", "02:00:00:00:00:03", "dev", "va")
        let view = try pair.a.enter { try HostView() }
        let va = try view.link(named: "va").index
        let keys = [
            Neighbor.Key(interface: va, address: "192.0.2.2"),
            Neighbor.Key(interface: va, address: "192.0.2.3"),
        ]
        #expect(try view.resolve("192.0.2.2").nextHop?.neighborState == .stale)
        #expect(try view.keepFresh(keys) == 1)
        try view.changes { _ in view.neighbors[keys[0]]?.state == .reachable }
        #expect(view.neighbors[keys[1]]?.state == .permanent)
        try view.probe(keys[1])
        #expect(try pair.a.enter { try HostView() }.neighbors[keys[1]]?.state == .permanent)
    }

    @Test("beyond the bound of kept neighbors the kernel is asked for each")
    func neighborBound() throws {
        let pair = try Pair("bound")
        defer { pair.close() }
        let commands = (1...40).map {
            "neighbor add 192.0.2.\($0 + 100) lladdr 02:00:00:00:00:\($0 + 10) dev va"
        }
        try pair.a.run(["ip", "-batch", "-"], input: commands.joined(separator: "\n") + "\n")
        var limits = HostView.Limits()
        limits.neighbors = 5
        let view = try pair.a.enter { try HostView(limits: limits) }
        #expect(view.neighbors.count == 5)
        for number in 1...40 {
            let address = try #require(IPAddress("192.0.2.\(number + 100)"))
            #expect(
                try view.resolve(address).nextHop?.destinationMAC
                    == MACAddress("02:00:00:00:00:\(number + 10)"))
        }
        #expect(try view.resolve("192.0.2.200").isUnresolved)
    }

    @Test("without any capability the kernel is watched, asked and made to resolve all the same")
    func unprivileged() throws {
        let pair = try Pair("unprivileged")
        defer { pair.close() }
        for address in ["192.0.2.2", "2001:db8::2"] as [IPAddress] {
            let mac = try pair.a.enter {
                dropCapabilities()
                #expect(Capabilities.current().effective.isEmpty)
                let view = try HostView()
                let key = try #require(try view.resolve(address).anyHop?.neighbor)
                try view.probe(key)
                try view.changes { _ in view.neighbors[key]?.isUsable == true }
                return try view.resolve(address).nextHop?.destinationMAC
            }
            #expect(mac == (try pair.mac("vb", in: pair.b)))
        }
    }
}
