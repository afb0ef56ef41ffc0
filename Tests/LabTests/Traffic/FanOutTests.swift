import NetworkLab
import Testing

extension Lab {
    @Suite(.requires(.root))
    struct FanOutTests {
        @Test(arguments: Backend.allCases)
        func `each of four destinations, IPv4 and IPv6 on two interfaces, gets every packet`(
            backend: Backend
        ) throws {
            let scene = try Scene("fan-out")
            try scene.warmUp()
            let forward = try ApusForward(
                in: scene.relay,
                backend.options + [
                    "-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004", "-t", "[2001:db8:2::1]:6005", "-t",
                    "192.0.2.1:6006", "-t", "[2001:db8:1::1]:6007",
                ])
            let sinks = try [
                scene.sink(6004), scene.sink(6005, .v6), Sink(in: scene.sender, "192.0.2.1", 6006),
                Sink(in: scene.sender, "2001:db8:1::1", 6007),
            ]
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5004)
            let total = 2000
            try paced(total, perSecond: 2000) {
                try source.send(Numbered.packet($0, length: 20 + $0 % 1400), to: target)
            }
            for (position, sink) in sinks.enumerated() {
                expectNumbers(sink, Array(0..<total), "destination \(position + 1)")
            }
            let status = try forward.finish()
            #expect(status.accepted == UInt64(total) && status.copies == UInt64(4 * total))
            #expect(status.sent == UInt64(4 * total), "\(status.drops)")
        }
    }
}
