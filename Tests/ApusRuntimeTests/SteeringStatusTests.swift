import ApusConfig
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

@Suite("What the XDP program leaves to the kernel", .requires(.root), .timeLimit(.minutes(2)))
struct SteeringStatusTests {
    @Test("fragments and all else are in the status by interface and name, also after the end")
    func fragments() throws {
        let line = try ForwarderNetworkTests.Line("passed")
        defer { line.lab.close() }
        _ = try line.watch("10.2.0.1", port: 5006)
        try line.send(100, to: "10.1.0.2")
        // Three fragments each.
        try line.send(4000, to: "10.1.0.2")
        try line.send(10, to: "10.1.0.2", port: 4999)
        try line.relay.enter {
            let forwarder = try Forwarder(
                ForwarderNetworkTests.configuration(.xdp, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"]))
            func near(_ status: ForwarderStatus) -> ForwarderStatus.Steering? {
                status.steering.first { $0.interface == "near" }
            }
            try ForwarderNetworkTests.attend(forwarder) {
                let seen = try #require(near(forwarder.status()))
                return seen.steered >= 3 && seen.passed["fragment"]! >= 9 && seen.passed["no_port"]! >= 3
            }
            #expect(try #require(near(forwarder.status())).passed["no_socket"] == 0)
            // Packets may come meanwhile, when the sockets are closed already.
            let last = forwarder.stop()
            #expect(last.steering.map(\.interface) == ["near", "far"])
            let seen = try #require(near(last))
            #expect(seen.passed["fragment"]! >= 9 && seen.passed["no_port"]! >= 3)
            #expect(seen.passed["malformed"] == 0)
            let received = last.ports.filter { $0.interface == "near" }.reduce(0) { $0 + $1.received }
            #expect(seen.steered >= received)
        }
    }

    @Test("AF_PACKET takes nothing from the kernel, and has no such figures")
    func packetSockets() throws {
        let line = try ForwarderNetworkTests.Line("nothing")
        defer { line.lab.close() }
        try line.relay.enter {
            let forwarder = try Forwarder(
                ForwarderNetworkTests.configuration(
                    .packet, listen: "10.1.0.2:5004", to: ["10.2.0.1:5006"]))
            #expect(forwarder.status().steering.isEmpty)
            #expect(forwarder.stop().steering.isEmpty)
        }
    }
}
