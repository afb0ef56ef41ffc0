import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// Configurations that change while packets flow.
    @Suite(.requires(.root))
    struct ReloadTests {
        private static func configuration(_ backend: Backend, round: Int) -> String {
            // Streams 0 to 3 stay; of 4 to 53 half come and half go in every round.
            var streams = ""
            for stream in 0..<54 where stream < 4 || (stream + round) % 2 == 0 {
                streams += """
                    { name: "s\(stream)", listen: "192.0.2.2:\(5000 + stream)", to: ["198.51.100.1:\(7000 + stream)"] },

                    """
            }
            return "defaults: { \(backend.settings) }, streams: [\n\(streams)]"
        }

        @Test(arguments: Backend.allCases)
        func `a storm of reloads under load loses no packet of the streams that stay`(backend: Backend) throws
        {
            let scene = try Scene("reload")
            try scene.warmUp()
            let forward = try ApusForward(
                in: scene.relay, configuration: Self.configuration(backend, round: 0))
            let sinks = try (0..<4).map { try scene.sink(7000 + $0) }
            let coming = try [4, 5].map { try scene.sink(7000 + $0) }
            let source = try scene.source()
            let targets = try (0..<6).map { try SocketAddress("192.0.2.2", 5000 + $0) }
            let total = 18_000
            let sending = Background {
                try paced(total, perSecond: 6000) { number in
                    try source.send(
                        Numbered.packet(stream: number % 4, number / 4), to: targets[number % 4])
                    // A forwarder that has to wait for its turn for long has no more in its rings than they hold.
                    if number % 100 == 0 { for sink in sinks { sink.keepUp(with: number / 4, window: 250) } }
                }
            }
            for round in 1...30 {
                try forward.rewrite(Self.configuration(backend, round: round))
                forward.process.send(SIGHUP)
                usleep(100_000)
            }
            try forward.reload()  // the last SIGHUP may be one with the one before
            let time = try sending.wait()
            // In the thirtieth round stream 4 is there and stream 5 is not.
            for stream in [4, 5] { try source.send(Numbered.packet(stream: stream, 1), to: targets[stream]) }
            #expect(coming[0].wait(for: 1).count == 1, "a stream that came")
            #expect(coming[1].count == 0, "a stream that went")

            let sent = Array(0..<total / 4)
            for (stream, sink) in sinks.enumerated() {
                expectNumbers(sink, sent, of: stream, "stream \(stream)")
            }
            let status = try forward.finish()
            for stream in 0..<4 {
                #expect(status.streams[stream].figures.packets == UInt64(sent.count), "its figures stay")
                #expect(status.streams[stream].figures.lost == 0)
            }
            // Told one by one, or those of a second together with their number.
            let log = forward.process.errors
            let reloads =
                log.matches(of: #/reading the configuration again/#).count
                + log.matches(of: #/was read (\d+) times? more/#).reduce(0) { $0 + (Int($1.1) ?? 0) }
            #expect(reloads >= 10, "in \(time): \(reloads) reloads")
            #expect(!forward.process.errors.contains("stays as it was"), "\(forward.process.errors)")
        }

        @Test func `a reload that fails leaves everything as it was, and says where it is wrong`() throws {
            let scene = try Scene("refused")
            let forward = try ApusForward(
                in: scene.relay, configuration: Self.configuration(.packetSocket, round: 0))
            let sink = try scene.sink(7000)
            let source = try scene.source()
            try forward.rewrite("streams: [{ listen: \"192.0.2.2:5000\", too: [\"198.51.100.1:7000\"] }]")
            let error = #expect(throws: (any Error).self) { try forward.reload() }
            #expect("\(error!)".contains(#/forward.json5:2:\d+/#), "\(error!)")
            #expect("\(error!)".contains("\"to\""), "\(error!)")
            try source.send(Numbered.packet(1), to: SocketAddress("192.0.2.2", 5000))
            #expect(sink.wait(for: 1).count == 1)
            let status = try forward.finish()
            #expect(status.streams.count == 29)
        }
    }
}
