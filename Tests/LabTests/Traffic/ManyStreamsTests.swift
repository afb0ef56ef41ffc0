import CLinux
import Glibc
import NetworkLab
import Testing

extension Lab {
    @Suite(.requires(.root))
    struct ManyStreamsTests {
        private static let count = 10_000
        /// Another order than that of the listening ports.
        private static func destinationPort(_ stream: Int) -> Int { 30_000 + stream * 7919 % count }

        @Test(arguments: Backend.allCases)
        func `10,000 streams of a file start within seconds, and each goes where it should`(
            backend: Backend
        ) throws {
            let scene = try Scene("many")
            try scene.warmUp()
            var streams = ""
            for stream in 0..<Self.count {
                streams += """
                    { name: "s\(stream)", listen: "192.0.2.2:\(10_000 + stream)", \
                    to: ["198.51.100.1:\(Self.destinationPort(stream))"] },

                    """
            }
            let start = ContinuousClock.now
            let forward = try ApusForward(
                in: scene.relay, configuration: "defaults: { \(backend.settings) }, streams: [\(streams)]")
            let startTime = ContinuousClock.now - start
            #expect(startTime < .seconds(10), "\(startTime)")

            var chosen = Set<Int>([0, Self.count - 1])
            while chosen.count < 200 { chosen.insert(Int.random(in: 0..<Self.count)) }
            let sockets = try scene.receiver.enter {
                try chosen.sorted().map { stream in
                    let descriptor = try Descriptor(2, APUS_SOCK_DGRAM)
                    try descriptor.bind(SocketAddress("198.51.100.1", Self.destinationPort(stream)))
                    return (stream: stream, descriptor: descriptor)
                }
            }
            let source = try scene.source()
            for number in 0..<3 {
                for stream in chosen.shuffled() {
                    let packet = Numbered.packet(stream: stream, number)
                    try source.send(packet, to: SocketAddress("192.0.2.2", 10_000 + stream))
                }
            }
            try forward.wait(for: "all sent") { $0.sent == 600 && $0.waiting == 0 }
            for (stream, descriptor) in sockets {
                let arrived = (0..<3).map { _ in
                    descriptor.isReadable(within: 1000) ? descriptor.read(2000) : nil
                }
                #expect(arrived == (0..<3).map { Numbered.packet(stream: stream, $0) }, "stream \(stream)")
                #expect(!descriptor.isReadable(within: 0), "stream \(stream)")
            }
            let memory = forward.residentKilobytes / 1024
            #expect(memory > 0 && memory < 400, "\(memory) MiB")
            print("\(backend.rawValue): \(Self.count) streams in \(startTime), \(memory) MiB resident")
            let status = try forward.finish()
            #expect(status.accepted == 600 && status.drops.isEmpty, "\(status.drops)")
            #expect(status.streams.filter { $0.figures.packets == 3 }.count == 200)
        }
    }
}
