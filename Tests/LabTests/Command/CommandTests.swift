import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// What a user meets: errors, signals, what can be asked.
    ///
    /// What is wrong with a configuration ends with 64 where it came from options, with 78 from a file.
    @Suite(.requires(.root, .program("curl"), .program("setpriv")))
    struct CommandTests {
        private let lab = NetworkLab("command")

        /// A host with one network and a neighbor.
        private func host() throws -> (host: Namespace, neighbor: Namespace) {
            let (host, neighbor) = (try lab.namespace("host"), try lab.namespace("neighbor"))
            try lab.link(
                host, "in0", ["192.0.2.2/24", "2001:db8:1::2/64"], neighbor, "e0",
                ["192.0.2.1/24", "2001:db8:1::1/64"])
            return (host, neighbor)
        }

        /// Runs `apus forward` to its end, and sees that it left no trace.
        private func refusal(
            _ words: [String], in space: Namespace, as prefix: [String] = [],
            _ location: SourceLocation = #_sourceLocation
        ) throws -> (code: Int32?, text: String) {
            let before = try KillTests.traces(in: space)
            let process = try space.start(prefix + [ApusProgram.path, "forward"] + words)
            let ended = process.waitForExit(within: .seconds(10))
            #expect(ended != nil, "it should have ended", sourceLocation: location)
            if ended == nil { process.kill() }
            #expect(try KillTests.traces(in: space) == before, sourceLocation: location)
            #expect(!process.errors.contains("ready"), sourceLocation: location)
            guard case .exited(let code) = ended else { return (nil, process.errors) }
            return (code, process.errors)
        }

        private let one = ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:6004"]

        @Test(arguments: Backend.allCases)
        func `a port that is in use is refused, with who uses it`(backend: Backend) throws {
            let (host, _) = try host()
            let socket = try UDPSocket(in: host, "192.0.2.2", 5004)
            let refused = try refusal(backend.options + one, in: host)
            #expect(refused.code == 69)
            #expect(
                refused.text.contains("192.0.2.2:5004") && refused.text.contains("(pid \(getpid()))"),
                "\(refused.text)")
            withExtendedLifetime(socket) {}
        }

        @Test(arguments: Backend.allCases)
        func `of two forwarders on one port the second is refused, and the first goes on`(backend: Backend)
            throws
        {
            let (host, neighbor) = try host()
            let first = try ApusForward(in: host, backend.options + one)
            let refused = try refusal(backend.options + one, in: host)
            #expect(refused.code == 69)
            #expect(refused.text.contains("apus (pid \(first.process.pid))"), "\(refused.text)")
            let sink = try Sink(in: neighbor, "192.0.2.1", 6004)
            try UDPSocket(in: neighbor, "192.0.2.1").send([1], to: SocketAddress("192.0.2.2", 5004))
            #expect(sink.wait(for: 1) == [[1]])
            #expect(try first.finish().sent == 1)
        }

        @Test func `an interface that is not there is named beside those that are`() throws {
            let (host, _) = try host()
            let refused = try refusal(one + ["-i", "eth9"], in: host)
            #expect(refused.code == 66)
            #expect(refused.text.contains("eth9") && refused.text.contains("in0"), "\(refused.text)")
        }

        @Test func `an address of another host is refused, with those of this one`() throws {
            let (host, _) = try host()
            let refused = try refusal(["-l", "192.0.2.77:5004", "-t", "192.0.2.1:6004"], in: host)
            #expect(refused.code == 64)
            #expect(
                refused.text.contains("192.0.2.77") && refused.text.contains("192.0.2.2"), "\(refused.text)")
        }

        @Test func `metrics at an address of another host are refused with the place, and nothing is made`()
            throws
        {
            let (host, _) = try host()
            let scratch = try Scratch()
            let socket = scratch("control.sock")
            let option = try refusal(one + ["--metrics", "192.0.2.77:9469", "--control", socket], in: host)
            #expect(option.code == 64)
            #expect(
                option.text.hasPrefix("apus forward: --metrics: ")
                    && option.text.contains("no interface has the address 192.0.2.77; `ip address` lists"),
                "\(option.text)")
            let file = try scratch.write(
                "forward.json5",
                """
                {
                  streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:6004"] }],
                  control: { socket: "\(socket)" },
                  metrics: { listen: "[2001:db8:1::77]:9469" },
                }
                """)
            let place = try refusal(["--config", file], in: host)
            #expect(place.code == 78)
            #expect(
                place.text.contains("\(file):4:22: ") && place.text.contains("the address 2001:db8:1::77;"),
                "\(place.text)")
            #expect(!FileManager.default.fileExists(atPath: socket))
        }

        @Test(arguments: ["192.0.2.2:5004", "192.0.2.2:6004", "127.0.0.1:6004", "[2001:db8:1::2]:6004"])
        func `a destination that is this host itself is refused`(destination: String) throws {
            let (host, _) = try host()
            let refused = try refusal(["-l", "192.0.2.2:5004", "-t", destination], in: host)
            #expect(refused.code == 64)
            #expect(refused.text.contains("--to: "), "\(refused.text)")
        }

        @Test func `a destination without a route is refused`() throws {
            let (host, _) = try host()
            let refused = try refusal(["-l", "192.0.2.2:5004", "-t", "10.9.9.9:6004"], in: host)
            #expect(refused.code == 64)
            #expect(refused.text.contains("10.9.9.9"), "\(refused.text)")
        }

        @Test(arguments: [
            (Backend.native, "CAP_NET_ADMIN"), (.generic, "CAP_NET_ADMIN"), (.packetSocket, "CAP_NET_RAW"),
        ])
        func `without privileges the capability that lacks is named`(backend: Backend, capability: String)
            throws
        {
            let (host, _) = try host()
            let refused = try refusal(
                backend.options + one, in: host,
                as: [
                    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                    "--bounding-set=-all",
                ])
            #expect(refused.code == 77)
            #expect(refused.text.contains(capability), "\(refused.text)")
        }

        @Test func `AF_PACKET needs CAP_NET_RAW and nothing else`() throws {
            let (host, neighbor) = try host()
            let process = try host.start(
                [
                    "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                    "--inh-caps=-all,+net_raw",
                    "--ambient-caps=-all,+net_raw", "--bounding-set=-all,+net_raw", ApusProgram.path,
                    "forward",
                    "--backend", "packet",
                ] + one)
            try process.waitForLine(containing: "ready")
            let sink = try Sink(in: neighbor, "192.0.2.1", 6004)
            try UDPSocket(in: neighbor, "192.0.2.1").send([1, 2], to: SocketAddress("192.0.2.2", 5004))
            #expect(sink.wait(for: 1) == [[1, 2]], "\(process.errors)")
            #expect(process.stop() == .exited(0))
        }

        @Test func `an error in a file is shown with its line and column, and the near name`() throws {
            let (host, _) = try host()
            let scratch = try Scratch()
            let file = try scratch.write(
                "wrong.json5",
                """
                {
                  streams: [
                    { listen: "192.0.2.2:5004", to: ["192.0.2.1:6004"] },
                    { listen: "192.0.2.2:5004", to: ["192.0.2.1:6006"] },
                    { lisen: "192.0.2.2:5008", to: ["192.0.2.1:70000"] },
                  ],
                }
                """)
            let refused = try refusal(["--config", file], in: host)
            #expect(refused.code == 78)
            for part in ["\(file):5:7: ", "\"listen\"", "\(file):5:"] {
                #expect(refused.text.contains(part), "\(part) in \(refused.text)")
            }
            try scratch.write(
                "wrong.json5",
                """
                { streams: [
                    { listen: "192.0.2.2:5004", to: ["192.0.2.1:6004"] },
                    { listen: "192.0.2.2:5004", to: ["192.0.2.1:6006"] },
                ] }
                """)
            let twice = try refusal(["--config", file], in: host)
            #expect(twice.code == 78)
            #expect(twice.text.contains("\(file):3:"), "\(twice.text)")
            #expect(try refusal(["--config", scratch("none.json5")], in: host).code == 66)
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal ends it with a summary`(signal: CInt) throws {
            let (host, neighbor) = try host()
            let process = try host.start([ApusProgram.path, "forward"] + one)
            try process.waitForLine(containing: "ready")
            let sink = try Sink(in: neighbor, "192.0.2.1", 6004)
            let source = try UDPSocket(in: neighbor, "192.0.2.1")
            for number in 0..<7 {
                try source.send(Numbered.packet(number), to: SocketAddress("192.0.2.2", 5004))
            }
            #expect(sink.wait(for: 7).count == 7)
            let start = ContinuousClock.now
            #expect(process.stop(signal) == .exited(0))
            #expect(ContinuousClock.now - start < .seconds(3))
            #expect(process.errors.contains("7"), "\(process.errors)")
            #expect(process.errors.contains(signal == SIGTERM ? "SIGTERM" : "SIGINT"), "\(process.errors)")
        }

        @Test func `curl gets metrics and health, and the control socket answers`() throws {
            let (host, neighbor) = try host()
            let forward = try ApusForward(in: host, one + ["--metrics", "127.0.0.1:9469"])
            let sink = try Sink(in: neighbor, "192.0.2.1", 6004)
            let source = try UDPSocket(in: neighbor, "192.0.2.1")
            for number in 0..<5 {
                try source.send(Numbered.packet(number), to: SocketAddress("192.0.2.2", 5004))
            }
            #expect(sink.wait(for: 5).count == 5)
            var metrics = ""
            // Ports are read four times a second.
            try eventually("five packets received by the metrics") {
                metrics = try host.run("curl", "-sS", "-f", "http://127.0.0.1:9469/metrics").standardOutput
                return metrics.contains(#/(?m)^apus_[a-z_]*received[a-z_]*(\{[^}]*\})? 5$/#)
            }
            #expect(metrics.contains(#/(?m)^apus_stream_[a-z_]+\{[^}]*\} 5$/#), "\(metrics)")
            let health = try host.run("curl", "-sS", "-f", "http://127.0.0.1:9469/health").standardOutput
            #expect(health.contains(#""status":"ok""#), "\(health)")
            #expect(throws: (any Error).self) {
                try host.run("curl", "-sS", "-f", "http://127.0.0.1:9469/none")
            }
            #expect(try forward.status().streams[0].figures.packets == 5)
            #expect(throws: (any Error).self) { try forward.reload() }
            #expect(String(decoding: try forward.ask("nonsense"), as: UTF8.self).contains(#""ok":false"#))
            _ = try forward.ask("stop")
            #expect(forward.process.waitForExit() == .exited(0))
        }
    }
}
