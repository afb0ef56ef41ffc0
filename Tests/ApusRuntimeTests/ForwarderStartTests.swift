import ApusConfig
import ApusHost
import ApusPorts
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusRuntime

/// Starts of which a step fails after others have been done.
@Suite("A start that meets an obstacle", .requires(.root), .timeLimit(.minutes(2)))
struct ForwarderStartTests {
    private func configuration(_ backend: BackendChoice) -> ForwarderConfiguration {
        var port = PortConfiguration(backend: backend)
        port.ringSize = 256
        return ForwarderConfiguration(
            streams: [
                StreamConfiguration(listen: Endpoint("192.0.2.2:5004")!, to: [Endpoint("192.0.2.1:5004")!])
            ], defaults: port)
    }

    /// A socket on one queue of `vb`, beside which there can't be another.
    private func take(_ queue: Int) throws -> Port<XDPDriver> {
        var options = XDPOptions()
        options.framesPerQueue = 256
        return try XDPInterface(sendingOn: "vb", options).open(queue: queue)
    }

    @Test("a queue that is taken leaves nothing of the others: no thread, no socket and no program")
    func undone() throws {
        let net = try Pair("undone", queues: 2)
        defer { net.close() }
        try net.b.enter {
            do {
                let taken = try take(1)
                #expect(throws: ForwarderError.self) { _ = try Forwarder(configuration(.xdp)) }
                #expect(try XDPAttachment.all(on: "vb").isEmpty)
                _ = consume taken
            }
            let forwarder = try Forwarder(configuration(.xdp))
            #expect(forwarder.grants.map(\.queue) == [0, 1])
            _ = forwarder.stop()
            #expect(try XDPAttachment.all(on: "vb").isEmpty)
        }
    }

    @Test("health fails while the interface is down, and when another program has taken the XDP program off")
    func deaf() throws {
        let net = try Pair("deaf")
        defer { net.close() }
        try net.b.enter {
            let forwarder = try Forwarder(configuration(.xdp))
            func attend(_ what: Comment, until condition: (ForwarderStatus, [String]) -> Bool) {
                var told: [String] = []
                let deadline = ContinuousClock.now + .seconds(30)
                while ContinuousClock.now < deadline {
                    do { try forwarder.attend() } catch { told.append("\(error)") }
                    if condition(forwarder.status(), told) { return }
                    usleep(50_000)
                }
                Issue.record("\(what) did not come about; \(HealthReport(forwarder.status())), told \(told)")
            }
            attend("health") { status, _ in status.unreachable.isEmpty && HealthReport(status).status == .ok }
            try net.b.run("ip", "link", "set", "vb", "down")
            attend("down") { status, _ in
                HealthReport(status).status == .failing && !status.interfaces[0].isReceiving
                    && HealthReport(status).reasons.contains("vb: down, so no packets come")
            }
            try net.b.run("ip", "link", "set", "vb", "up")
            attend("up") { status, _ in status.interfaces[0].isReceiving && status.interfaces[0].reason == nil
            }
            try net.b.run("xdp-loader", "unload", "--all", "vb")
            attend("taken off") { status, told in
                HealthReport(status).status == .failing && !status.interfaces[0].isReceiving
                    && told.contains { $0.hasPrefix("vb: another program took our XDP program off") }
            }
            _ = forwarder.stop()
        }
    }

    @Test("auto takes AF_PACKET where a queue can't be had, and says why", arguments: [0, 1])
    func fallback(queue: Int) throws {
        let net = try Pair("bindfall", queues: 2)
        defer { net.close() }
        let script = """
            import socket, time
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for i in range(600): s.sendto(bytes(100), ('192.0.2.2', 5004)); time.sleep(0.1)
            """
        _ = try net.a.start(["python3", "-c", script])
        try net.b.enter {
            let taken = try take(queue)
            let forwarder = try Forwarder(configuration(.auto))
            #expect(try XDPAttachment.all(on: "vb").isEmpty)
            #expect(forwarder.grants.map(\.backend) == [.packet, .packet])
            let backend = forwarder.grants[0].features.first { $0.name == "backend" }
            #expect(backend?.requested == "auto" && backend?.granted == "packet")
            #expect(
                backend?.reason?.contains("another AF_XDP socket is bound to queue \(queue)") == true,
                "\(backend!)")
            try ForwarderNetworkTests.attend(forwarder) { forwarder.status().sent >= 3 }
            _ = forwarder.stop()
            _ = consume taken
        }
    }
}
