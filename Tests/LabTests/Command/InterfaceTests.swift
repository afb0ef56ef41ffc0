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
    }
}
