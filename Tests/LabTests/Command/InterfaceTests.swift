import Glibc
import NetworkLab
import Testing

extension Lab {
    /// Which interfaces a forwarder listens on, as its user said.
    @Suite(.requires(.root))
    struct InterfaceTests {
        /// Starts `apus forward`, sends to it, and waits until that arrives.
        private func passes(
            _ options: [String], to target: String, in scene: Scene,
            _ location: SourceLocation = #_sourceLocation
        ) throws -> ApusForward {
            let sink = try scene.sink(6004)
            let forward = try ApusForward(in: scene.relay, options)
            let source = try scene.source()
            for number in 0..<5 {
                try source.send(Numbered.packet(number), to: SocketAddress(target, 5004))
            }
            let arrived = sink.wait(for: 5).count
            #expect(arrived == 5, "\(forward.process.errors)", sourceLocation: location)
            return forward
        }

        @Test(arguments: Backend.allCases)
        func `an interface to listen on by option leaves the way out to the routes`(backend: Backend) throws {
            let scene = try Scene("relay")
            let forward = try passes(
                backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004", "-i", "in0"],
                to: "192.0.2.2", in: scene)
            // What was said of ports goes for both.
            let granted = try forward.status().ports.map(\.backend)
            #expect(granted == [String](repeating: backend.isXDP ? "xdp" : "packet", count: 2))
            _ = try forward.finish()
        }

        @Test(arguments: Backend.allCases)
        func `a group is relayed to another interface by options alone`(backend: Backend) throws {
            let scene = try Scene("group")
            try scene.sender.run("ip", "route", "add", "239.0.0.0/8", "dev", "e0")
            _ = try passes(
                // The sender's datagrams have a TTL of 1, as groups' have unless one says otherwise.
                backend.options
                    + ["-l", "239.1.2.3:5004", "-t", "198.51.100.1:6004", "-i", "in0", "--ttl", "9"],
                to: "239.1.2.3", in: scene
            ).finish()
        }

        @Test(arguments: Backend.allCases)
        func `any address is any: each interface that has one of the family is listened on`(backend: Backend)
            throws
        {
            let scene = try Scene("any")
            // Has no IPv4 address, so that there is nothing to listen on.
            try scene.relay.run("ip", "link", "add", "bare0", "type", "veth", "peer", "bare1")
            try scene.relay.run("ip", "link", "set", "bare0", "up")
            let forward = try passes(
                backend.options + ["-l", "0.0.0.0:5004", "-t", "198.51.100.1:6004"], to: "192.0.2.2",
                in: scene)
            #expect(Set(try forward.status().ports.map(\.interface)) == ["in0", "out0"])
            _ = try forward.finish()
        }

        @Test func `any address is that of the interfaces in the file, where it lists them`() throws {
            let scene = try Scene("listed")
            let forward = try ApusForward(
                in: scene.relay,
                configuration: """
                    interfaces: [{ name: "out0", backend: "packet" }],
                    streams: [{ listen: "0.0.0.0:5004", to: ["198.51.100.1:6004"] }]
                    """)
            #expect(Set(try forward.status().ports.map(\.interface)) == ["out0"])
            _ = try forward.finish()
        }

        @Test func `an interface that comes later is not in the way of a reload`() throws {
            let scene = try Scene("later")
            let text = """
                defaults: { backend: "packet" },
                streams: [{ name: "any", listen: "0.0.0.0:5004", to: ["198.51.100.1:6004"] }]
                """
            let forward = try ApusForward(in: scene.relay, configuration: text)
            try scene.relay.run("ip", "link", "add", "late0", "type", "veth", "peer", "late1")
            try scene.relay.run("ip", "address", "add", "203.0.113.1/24", "dev", "late0")
            try scene.relay.run("ip", "link", "set", "late0", "up")
            try forward.rewrite(text.replacing("6004", with: "6006"))
            try forward.reload()
            #expect(try forward.status().streams[0].destinations == ["198.51.100.1:6006"])
            // Said when the answer is given already.
            try forward.process.waitForLine(containing: "late0")
            _ = try forward.finish()
        }

        @Test func `an address of another interface than the one listened on is a warning`() throws {
            let scene = try Scene("other")
            let words = ["-b", "packet", "-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"]
            let other = try scene.relay.start([ApusProgram.path, "forward"] + words + ["-i", "out0"])
            try other.waitForLine(containing: "ready")
            #expect(
                other.errors.contains(
                    "--interface: 192.0.2.2 is an address of in0, and what comes in there is not received; "),
                "\(other.errors)")
            // It is legal: Linux takes what comes to any of its addresses by any interface.
            try scene.receiver.run("ip", "route", "add", "192.0.2.2", "via", "198.51.100.2")
            let sink = try scene.sink(6004)
            try UDPSocket(in: scene.receiver, "198.51.100.1").send([7], to: SocketAddress("192.0.2.2", 5004))
            #expect(sink.wait(for: 1) == [[7]])
            #expect(other.stop() == .exited(0))
            let right = try scene.relay.start([ApusProgram.path, "forward"] + words + ["-i", "in0"])
            try right.waitForLine(containing: "ready")
            #expect(!right.errors.contains("is an address of"), "\(right.errors)")
            #expect(right.stop() == .exited(0))
        }
    }
}
