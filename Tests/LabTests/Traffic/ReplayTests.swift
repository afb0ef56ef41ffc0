import NetworkLab
import Testing

extension Lab {
    /// Streams that were recorded elsewhere.
    @Suite(
        .enabled(if: SharedCaptures.areHere, "there are no captures in \(SharedCaptures.folder)"),
        .requires(.root))
    struct ReplayTests {
        /// Sequence numbers that are missing between the first and the last.
        private static func gaps(in payloads: [[UInt8]]) -> UInt64 {
            let numbers = Set(payloads.map { UInt16($0[2]) << 8 | UInt16($0[3]) })
            let first = UInt16(payloads[0][2]) << 8 | UInt16(payloads[0][3])
            let span = numbers.map { $0 &- first }.max() ?? 0
            return UInt64(span) + 1 - UInt64(numbers.count)
        }

        @Test(arguments: Backend.allCases)
        func `recorded streams arrive octet by octet and in order`(backend: Backend) throws {
            let scene = try Scene("replay")
            try scene.warmUp()
            let names = ["h264.pcap", "vp8.pcap"]
            let recorded = names.map(SharedCaptures.payloads(of:))
            #expect(recorded.map(\.count) == [298, 104])
            let forward = try ApusForward(
                in: scene.relay,
                configuration: """
                    defaults: { \(backend.settings) },
                    streams: [
                      { listen: "192.0.2.2:5004", to: ["198.51.100.1:6004", "[2001:db8:2::1]:6004"] },
                      { listen: "192.0.2.2:5006", to: ["198.51.100.1:6006", "[2001:db8:2::1]:6006"] },
                    ]
                    """)
            let sinks = try [6004, 6006].map { port in
                try [scene.sink(port), scene.sink(port, .v6)]
            }
            let source = try scene.source()
            for (position, payloads) in recorded.enumerated() {
                let target = try SocketAddress("192.0.2.2", 5004 + 2 * position)
                try paced(payloads.count, perSecond: 1000) { try source.send(payloads[$0], to: target) }
            }
            for (position, payloads) in recorded.enumerated() {
                for sink in sinks[position] {
                    // Not within the macro, which would print all of it.
                    let isSame = sink.wait(for: payloads.count) == payloads
                    #expect(isSame, "\(names[position]): \(sink.count) of \(payloads.count) came")
                }
            }
            let status = try forward.finish()
            #expect(
                status.accepted == 402 && status.sent == 804 && status.drops.isEmpty, "\(status.drops)")
            for (position, payloads) in recorded.enumerated() {
                let figures = status.streams[position].figures
                #expect(figures.packets == UInt64(payloads.count))
                #expect(figures.bytes == payloads.reduce(0) { $0 + UInt64($1.count) })
                #expect(figures.lost == Self.gaps(in: payloads), "what was lost when they were recorded")
                #expect(figures.notRTP == 0 && figures.sourceChanges == 0, "\(figures)")
            }
        }
    }
}
