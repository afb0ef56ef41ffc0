import ApusConfig
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusHost
@testable import ApusRuntime

/// Streams on interfaces that lie on another and may have a link-layer address of their own.
@Suite("Interfaces on others", .requires(.root), .timeLimit(.minutes(2)))
struct UpperInterfaceTests {
    private static let mac = "02:00:00:00:00:77"

    /// A macvlan is opened itself: what comes to its own address is meant for it, and what it hears of the others'
    /// is not.
    @Test(arguments: [BackendChoice.packet, .xdp])
    func `A stream on a macvlan is received by the address that the macvlan has`(_ backend: BackendChoice)
        throws
    {
        let line = try ForwarderNetworkTests.Line("macvlan")
        defer { line.lab.close() }
        try line.relay.run(
            "ip", "link", "add", "link", "near", "name", "m0", "address", Self.mac, "type", "macvlan", "mode",
            "bridge")
        try line.relay.run("ip", "link", "set", "m0", "up")
        try line.relay.run("ip", "address", "add", "10.1.0.77/32", "dev", "m0")
        // The interface beneath would answer for it, with its own address.
        try line.camera.run("ip", "neighbor", "add", "10.1.0.77", "lladdr", Self.mac, "dev", "cam0")
        let receiver = try line.watch("10.2.0.1", port: 5006)
        try line.relay.enter {
            var configuration = ForwarderNetworkTests.configuration(
                backend, listen: "10.1.0.77:5004", to: ["10.2.0.1:5006"])
            configuration.interfaces[0].name = "m0"
            let forwarder = try Forwarder(configuration)
            try line.send(100, to: "10.1.0.77")
            try ForwarderNetworkTests.attend(forwarder) { forwarder.status().sent >= 3 }
            #expect(forwarder.status().drops["other_host"] == nil)
            // Changed while it runs, and followed.
            try line.relay.run("ip", "link", "set", "m0", "address", "02:00:00:00:00:78")
            try line.camera.run(
                "ip", "neighbor", "replace", "10.1.0.77", "lladdr", "02:00:00:00:00:78", "dev", "cam0")
            let before = forwarder.status().sent
            try ForwarderNetworkTests.attend(forwarder) { forwarder.status().sent >= before + 3 }
        }
        try receiver.waitForLine(containing: "got 100")
    }

    /// This machine's kernel may have no VLAN interfaces, so one is put among what the host is known to have.
    @Test func `A VLAN interface with a link-layer address of its own is refused, for nothing would come`()
        throws
    {
        let line = try ForwarderNetworkTests.Line("ownmac")
        defer { line.lab.close() }
        try line.relay.enter {
            let host = try HostView()
            let near = try host.link(named: "near")
            func check(_ listen: String, _ mac: MACAddress, interface: String? = nil) throws -> [String] {
                host.links[99] = Link(
                    index: 99, name: "v7", macAddress: mac, mtu: 1500, isUp: true, hasCarrier: true,
                    isLoopback: false, isPointToPoint: false, hasNoARP: false, isEthernet: true, kind: "vlan",
                    controller: nil, parent: near.index, vlan: .init(id: 7), receiveQueues: 1,
                    transmitQueues: 1, xdpProgram: nil)
                let configuration = ForwarderConfiguration(
                    streams: [
                        StreamConfiguration(
                            listen: Endpoint(listen)!, to: [Endpoint("10.2.0.1:5006")!], interface: interface)
                    ])
                return try HostCheck.interfaces(for: configuration, on: host).names
            }
            let own = MACAddress(Self.mac)!
            let (theirs, listen) = (try #require(near.macAddress), "0.0.0.0:5004")
            #expect(try check(listen, theirs, interface: "v7") == ["near", "far"])
            let error = try #require(throws: ForwarderError.self) {
                _ = try check(listen, own, interface: "v7")
            }
            #expect(
                "\(error)".contains(
                    "the VLAN interface v7 has a link-layer address of its own, and packets are received by near "
                        + "beneath it"), "\(error)")
            #expect("\(error)".contains("`ip link set dev v7 address \(theirs)`"), "\(error)")
            // Groups come to no interface's own address.
            #expect(try check("239.1.2.3:5004", own, interface: "v7") == ["near", "far"])
            #expect(try check("10.1.0.2:5004", own) == ["near", "far"])
        }
    }
}
