import Glibc
import NetworkLab
import Testing

extension Lab {
    /// An interface of a running forwarder is deleted and made again.
    @Suite(.requires(.root))
    struct ReturnTests {
        @Test(arguments: Backend.allCases)
        func `an interface that goes and comes back is told of, and traffic goes on without a restart`(
            backend: Backend
        ) throws {
            let scene = try Scene("return")
            let forward = try ApusForward(
                in: scene.relay,
                backend.options + [
                    "-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004", "--metrics", "127.0.0.1:9469",
                ])
            let sink = try scene.sink(6004)
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5004)
            func get(_ page: String) throws -> String {
                try scene.relay.run("curl", "-sS", "-w", "%{http_code}", "http://127.0.0.1:9469/\(page)")
                    .standardOutput
            }
            for number in 0..<20 { try source.send(Numbered.packet(number), to: target) }
            expectNumbers(sink, Array(0..<20))
            #expect(try get("health").hasSuffix("200"))
            #expect(try get("metrics").contains("apus_interface_open{interface=\"in0\"} 1\n"))

            try scene.relay.run("ip", "link", "delete", "dev", "in0")
            try forward.process.waitForErrorLine(containing: "in0 is gone")
            let gone = try get("health")
            #expect(gone.contains("\"in0: no interface of that name\"") && gone.hasSuffix("503"), "\(gone)")
            #expect(try get("metrics").contains("apus_interface_open{interface=\"in0\"} 0\n"))
            let series = "apus_port_received_packets_total{interface=\"in0\",queue=\"0\""
            #expect(try get("metrics").contains(series))
            // Longer than the second between two tries.
            sleep(3)
            try scene.lab.link(
                scene.sender, "e0", ["192.0.2.1/24"], scene.relay, "in0", ["192.0.2.2/24"])
            try forward.process.waitForErrorLine(containing: "in0 is back and open again over ")

            try forward.wait(for: "health") { _ in (try? get("health").hasSuffix("200")) == true }
            for number in 20..<40 { try source.send(Numbered.packet(number), to: target) }
            expectNumbers(sink, Array(0..<40))
            let told = forward.process.errors.split(separator: "\n").filter { $0.contains("in0 is ") }
            #expect(told.count == 2, "\(told)")
            let status = try forward.finish()
            #expect(status.received >= 40 && status.sent == 40)
        }
    }
}

extension Running {
    /// Waits for a line on standard error.
    fileprivate func waitForErrorLine(containing text: String) throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while !errors.contains(text) {
            guard ContinuousClock.now < deadline else { throw LabError("\(text): not told in\n\(errors)") }
            usleep(20_000)
        }
    }
}
