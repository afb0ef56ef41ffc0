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
