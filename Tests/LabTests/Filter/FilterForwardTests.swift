import Foundation
import NetworkLab
import Testing

extension Lab {
    /// A filter and the forwarder on one interface, in a flood. The forwarder takes packets from the kernel here, behind the
    /// filter; beside it by AF_XDP it is in `FilterForwardDispatcherTests`.
    @Suite(.requires(.root))
    struct FilterForwardTests {
        struct Case: Sendable, CustomTestStringConvertible {
            var testDescription: String
            var mode: String
            var rules: String
            /// Of the flood.
            var sources: Int
            /// Packets a second of the stream.
            var rate: Int
            /// The most of the flood that may pass in so many seconds.
            var most: @Sendable (Double) -> Double
        }

        static let cases = ["native", "generic"].flatMap { mode in
            [
                Case(
                    testDescription: "a source that is allowed, \(mode)", mode: mode,
                    rules: "{ allow: ['192.0.2.1'], limits: [{ each: 'source', rate: '1/m', burst: 1 }] }",
                    sources: 1000, rate: 2000, most: { _ in 1000 }),
                Case(
                    testDescription: "a source at half its limit, \(mode)", mode: mode,
                    rules:
                        "{ limits: [{ each: 'source', service: 'udp/5004', rate: '400pps', burst: 200 }] }",
                    sources: 10, rate: 200, most: { 10 * (200 + 400 * $0) }),
            ]
        }

        @Test(arguments: cases)
        func `What is forwarded loses nothing in a flood that a filter drops`(this: Case) throws {
            let scene = try Scene("filter-forward")
            try scene.warmUp()
            func filter(_ words: String...) throws -> String {
                try scene.relay.run([ApusProgram.path, "filter"] + words).standardOutput
            }
            let files = try Scratch()
            let rules = try files.write("rules.json5", this.rules)
            let forward = try ApusForward(
                in: scene.relay,
                ["-b", "packet", "--no-rtp", "-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
            _ = try filter("load", "in0", "--config", rules, "--mode", this.mode)
            let sink = try scene.sink(6004)
            let dropsBefore = try LoadTests.kernelDrops(scene, .packetSocket)

            let mac = try scene.relay.run("cat", "/sys/class/net/in0/address").standardOutput
            let flood = try Datagrams(
                from: "10.0.0.0", sources: this.sources, to: "192.0.2.2", port: 5004,
                hardware: mac.split(whereSeparator: { !$0.isHexDigit }).map {
                    try #require(UInt8($0, radix: 16))
                })
            let flooding = try scene.sender.enter { try Sender("e0") }
            let stream = SteadyStream(
                from: try scene.source(), to: try SocketAddress("192.0.2.2", 5004), perSecond: this.rate)
            // Such a filter goes by ticks of 4 ms at most.
            let (start, earliest) = (ContinuousClock.now, earliestTime(ofTicks: 4_000_000))
            let offered = try flooding.send(flood, perSecond: 100_000) {
                ContinuousClock.now - start > .seconds(2)
            }
            let streamed = try stream.finish()

            _ = sink.drain()
            let numbers = sink.numbers()
            let judged = try FilterFigures(filter("status", "in0", "--json"))
            let status = try forward.finish()
            _ = try filter("unload", "in0")
            let kernel = try LoadTests.kernelDrops(scene, .packetSocket) - dropsBefore
            let (sent, lost) = (offered.sources.count, streamed - numbers.count)
            print(
                "\(this.testDescription): \(lost) of \(streamed) lost (\(kernel) before or behind Apus); of \(sent) others "
                    + "\(sink.count - numbers.count) came")

            // Of the stream nothing is lost, or by name and little.
            let named = Int(status.refusals + status.losses + status.portDrops) + kernel
            #expect(lost <= named && lost * 10 <= streamed, "lost \(lost), named \(named): \(status.drops)")
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "none doubled or overtaken")
            // The limits held the flood off, which was one.
            let passed = judged.passed - streamed
            let last = try #require(offered.ends.last).time
            #expect(Double(passed) <= 1.01 * this.most(Double(last - earliest) / 1e9) + Self.others)
            #expect(sent > 3 * passed)
            // Each packet is somewhere: what was sent is judged, and what passed is the forwarder's.
            let unjudged = sent + streamed - judged.passed - judged.dropped
            #expect((-Int(Self.others)...kernel).contains(unjudged), "\(unjudged) were not judged")
            let untaken = judged.passed - Int(status.received)
            #expect(
                (0...Int(Self.others) + Int(status.portDrops) + kernel).contains(untaken),
                "\(untaken) were not taken")
        }

        /// The most packets by which neighbors and groups are found, and other than the test's.
        private static let others = 30.0
    }
}

/// What the first filter of `apus filter status --json` has let pass to others than neighbors, and dropped.
struct FilterFigures {
    let passed, dropped: Int

    init(_ text: String) throws {
        struct Count: Decodable { var packets: Int }
        struct Filter: Decodable { var reasons: [String: Count], dropped: Count }
        struct Status: Decodable { var filters: [Filter] }
        let filter = try #require(
            JSONDecoder().decode(Status.self, from: Data(text.utf8)).filters.first, "\(text)")
        passed = (filter.reasons["within"]?.packets ?? 0) + (filter.reasons["allowed_source"]?.packets ?? 0)
        dropped = filter.dropped.packets
    }
}
