import NetworkLab
import Testing

extension Lab {
    /// Real streams between real programs: what is decoded behind the relay is what is decoded without it.
    @Suite(.requires(.root, .program("ffmpeg"), .program("gst-launch-1.0")))
    struct MediaTests {
        /// Frames that ffmpeg decodes when nothing is between the ends.
        private static let directFrames = Result { try direct { try FFmpeg.run($0) } }
        /// What GStreamer decodes when nothing is between the ends.
        private static let directOctets = Result {
            try direct { try GStreamer.run($0, lengths: expectedLengths(of: $0)) }
        }

        private static func direct<Decoded>(_ run: ([Passage]) throws -> [Decoded]) throws -> [Clip: Decoded]
        {
            let lab = NetworkLab("direct")
            defer { lab.close() }
            let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
            try lab.link(a, "e0", ["192.0.2.1/24"], b, "e0", ["192.0.2.2/24"])
            try a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
            let passages = Clip.allCases.enumerated().map { number, clip in
                Passage(
                    clip: clip, sender: a, target: (.v4, "192.0.2.2", 6000 + 10 * number), receiver: b,
                    arrival: (.v4, "192.0.2.2", 6000 + 10 * number))
            }
            return Dictionary(uniqueKeysWithValues: zip(Clip.allCases, try run(passages)))
        }

        private static func expectedLengths(of passages: [Passage]) -> [Int] {
            // 4:2:0 pictures; samples of 16 bits in two channels, of which an encoder may keep some back.
            passages.map {
                $0.clip == .opus ? Clip.seconds * 48000 * 4 : Clip.pictures * 320 * 240 * 3 / 2
            }
        }

        private struct Way {
            var clip: Clip
            var from: Family
            var to: Family
        }

        /// Runs clips through one forwarder, each with its RTCP on the port above.
        private func relayed<Decoded>(
            _ ways: [Way], by backend: Backend, offloads: Bool, _ run: ([Passage]) throws -> [Decoded]
        ) throws -> (decoded: [Decoded], account: String) {
            let scene = try Scene("media", offloads: offloads)
            // A kernel that still asks for its neighbor may let later packets overtake those that wait, and a decoder
            // that has none yet takes the first it sees for the first that was sent.
            try scene.warmUp()
            var streams = ""
            var passages: [Passage] = []
            for (number, way) in ways.enumerated() {
                let (near, far) = (5004 + 10 * number, 6004 + 10 * number)
                let (listen, to) = (Scene.relayAddress(way.from), Scene.receiverAddress(way.to))
                for offset in [0, 1] {
                    streams += """
                        { name: "\(number)-\(offset)", listen: "\(way.from.endpoint(listen, near + offset))", \
                        to: ["\(way.to.endpoint(to, far + offset))"] },

                        """
                }
                passages.append(
                    Passage(
                        clip: way.clip, sender: scene.sender, target: (way.from, listen, near),
                        receiver: scene.receiver, arrival: (way.to, to, far)))
            }
            let forward = try ApusForward(
                in: scene.relay, configuration: "defaults: { \(backend.settings) }, streams: [\(streams)]")
            let decoded = try run(passages)
            let status = try forward.finish()
            for (number, way) in ways.enumerated() {
                let figures = status.streams[2 * number].figures
                #expect(figures.lost == 0 && figures.dropped == 0, "\(way): \(figures)")
                #expect(figures.payloadType.map(Int.init) == way.clip.payloadType)
                #expect(figures.sent == figures.packets && figures.packets >= Clip.pictures)
            }
            // Where packets went that are missed.
            let udp = try [scene.sender, scene.receiver].map {
                try $0.run("sh", "-c", "cat /proc/net/snmp /proc/net/snmp6 | grep '^Udp6\\?[:IORN]'")
                    .standardOutput
            }
            let account = """
                \(status.streams.map(\.figures)), drops \(status.drops) \(status.ports.map(\.drops))
                sender:
                \(udp[0])receiver:
                \(udp[1])
                """
            return (decoded, account)
        }

        @Test(arguments: Backend.allCases)
        func `what ffmpeg decodes behind the relay is what it decodes without one`(backend: Backend) throws {
            let reference = try Self.directFrames.get()
            // The kernels at the ends leave checksums to their devices, as most hosts do.
            let ways = Clip.allCases.map { Way(clip: $0, from: .v4, to: .v4) }
            let (decoded, account) = try relayed(ways, by: backend, offloads: true) { try FFmpeg.run($0) }
            for (way, decoded) in zip(ways, decoded) {
                expectSame(decoded, reference[way.clip]?.frames ?? [], way.clip, account)
            }
        }

        @Test(arguments: Backend.allCases)
        func `so it is over IPv6, and from one version of IP to the other`(backend: Backend) throws {
            let reference = try Self.directFrames.get()
            let ways = [
                Way(clip: .h264, from: .v6, to: .v6), Way(clip: .vp8, from: .v4, to: .v6),
                Way(clip: .h264, from: .v6, to: .v4),
            ]
            let (decoded, account) = try relayed(ways, by: backend, offloads: false) { try FFmpeg.run($0) }
            for (way, decoded) in zip(ways, decoded) {
                expectSame(decoded, reference[way.clip]?.frames ?? [], way.clip, account)
            }
        }

        @Test(arguments: Backend.allCases)
        func `what GStreamer decodes behind the relay is what it decodes without one`(backend: Backend) throws
        {
            let reference = try Self.directOctets.get()
            let ways = [
                Way(clip: .h264, from: .v4, to: .v4), Way(clip: .vp8, from: .v6, to: .v6),
                Way(clip: .opus, from: .v4, to: .v6),
            ]
            let (decoded, _) = try relayed(ways, by: backend, offloads: true) {
                try GStreamer.run($0, lengths: ways.map { reference[$0.clip]?.count ?? 0 })
            }
            for (way, octets) in zip(ways, decoded) {
                let expected = reference[way.clip] ?? []
                #expect(expected.count > 200_000, "\(way.clip): too little in the direct run")
                #expect(octets == expected, "\(way.clip): \(octets.count) octets, not \(expected.count)")
            }
        }

        private func expectSame(
            _ decoded: FFmpeg.Decoded, _ expected: [String], _ clip: Clip, _ account: String,
            _ location: SourceLocation = #_sourceLocation
        ) {
            let frames = decoded.frames
            // 20 ms of sound are a frame.
            let least = clip == .opus ? Clip.seconds * 50 - 1 : Clip.pictures
            #expect(
                expected.count >= least, "\(clip.rawValue): the direct run itself", sourceLocation: location)
            #expect(
                frames.count == expected.count, "\(clip.rawValue): \(decoded.complaints)\n\(account)",
                sourceLocation: location)
            let differing = zip(frames, expected).enumerated().filter { $0.element.0 != $0.element.1 }.map(
                \.offset)
            #expect(differing.isEmpty, "\(clip.rawValue): frames that differ", sourceLocation: location)
        }
    }
}
