import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// The forwarder over DPDK: real streams, and what a host has to answer where no kernel does.
    @Suite(.requires(.root, .program("ffmpeg"), .program("ping")))
    struct DeviceTests {
        /// Frames that ffmpeg decodes when nothing is between the ends.
        private static let directFrames = Result {
            let lab = NetworkLab("direct")
            defer { lab.close() }
            let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
            try lab.link(a, "e0", ["192.0.2.1/24"], b, "e0", ["192.0.2.2/24"])
            try a.run("ping", "-c", "1", "-W", "2", "192.0.2.2")
            let passages = Self.clips.enumerated().map { number, clip in
                Passage(
                    clip: clip, sender: a, target: (.v4, "192.0.2.2", 6000 + 10 * number), receiver: b,
                    arrival: (.v4, "192.0.2.2", 6000 + 10 * number))
            }
            return try FFmpeg.run(passages)
        }
        private static let clips = [Clip.h264, .opus]

        @Test(arguments: DeviceScene.Kind.allCases, Family.allCases)
        func `what ffmpeg decodes behind the relay is what it decodes without one`(
            kind: DeviceScene.Kind, family: Family
        ) throws {
            let reference = try Self.directFrames.get()
            let scene = try DeviceScene("media", kind)
            var streams = ""
            var passages: [Passage] = []
            for (number, clip) in Self.clips.enumerated() {
                let (near, far) = (5004 + 10 * number, 6004 + 10 * number)
                let (listen, to) = (Scene.relayAddress(family), Scene.receiverAddress(family))
                for offset in [0, 1] {
                    streams += """
                        { listen: "\(family.endpoint(listen, near + offset))", \
                        to: ["\(family.endpoint(to, far + offset))"] },

                        """
                }
                passages.append(
                    Passage(
                        clip: clip, sender: scene.sender, target: (family, listen, near),
                        receiver: scene.receiver, arrival: (family, to, far)))
            }
            let forward = try scene.forward(streams: streams)
            // All know their neighbors then. What the relay asked for before the kernel had its end of a tap nobody has
            // answered; and of a kernel that still asks, packets may overtake those that wait.
            for (host, end) in [
                (scene.receiver, family == .v4 ? "198.51.100.2" : "2001:db8:2::2"),
                (scene.sender, Scene.relayAddress(family)),
            ] {
                try host.run("ping", "-c", "2", "-i", "0.5", "-W", "5", end)
            }
            try forward.wait(for: "known next hops") { $0.unreachable.isEmpty }
            let decoded = try FFmpeg.run(passages)
            let status = try forward.finish()
            for (clip, (decoded, expected)) in zip(Self.clips, zip(decoded, reference)) {
                let (frames, count) = (decoded.frames, expected.frames.count)
                #expect(count >= Clip.pictures, "\(clip): the direct run itself")
                #expect(
                    frames == expected.frames,
                    "\(clip): \(frames.count) frames of \(count): \(decoded.complaints)\n\(status.streams.map(\.figures))"
                )
            }
            for stream in status.streams {
                #expect(stream.figures.lost == 0 && stream.figures.dropped == 0, "\(stream.figures)")
                #expect(stream.figures.sent == stream.figures.packets)
            }
            #expect(status.drops.isEmpty, "\(status.drops)")
        }

        @Test(arguments: DeviceScene.Kind.allCases)
        func `the relay answers pings of any length, and neighbors know it`(kind: DeviceScene.Kind) throws {
            let scene = try DeviceScene("ping", kind)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] }"#)
            for (space, address) in [
                (scene.sender, "192.0.2.2"), (scene.sender, "2001:db8:1::2"),
                (scene.receiver, "198.51.100.2"),
                (scene.receiver, "2001:db8:2::2"),
            ] {
                for size in ["0", "56", "1400"] {
                    try space.run("ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", size, address)
                }
                let known = try space.run("ip", "neighbor", "show", address).standardOutput
                #expect(known.contains("lladdr"), "\(known)")
            }
            let status = try forward.finish()
            #expect(status.received == 0, "messages to the host are no packets of the relay's")
        }

        @Test(arguments: DeviceScene.Kind.allCases)
        func `the first packet waits for the next hop, and who does not answer is named`(
            kind: DeviceScene.Kind
        ) throws {
            let scene = try DeviceScene("first", kind)
            let forward = try scene.forward(
                streams: """
                    { listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] },
                    { listen: "192.0.2.2:5006", to: ["198.51.100.77:6006"] },
                    """)
            let sink = try Sink(in: scene.receiver, "198.51.100.1", 6004)
            let source = try UDPSocket(in: scene.sender, "192.0.2.1")
            for number in 0..<20 as Range<UInt8> {
                try source.send([number], to: SocketAddress("192.0.2.2", 5004))
            }
            try source.send([1], to: SocketAddress("192.0.2.2", 5006))
            try forward.wait(for: "all packets sent") { $0.sent == 20 }
            try forward.wait(for: "the one without an answer given up") {
                $0.drops["unresolved"] == 1 || $0.drops["unreachable"] == 1
            }
            #expect(sink.wait(for: 20).count == 20)
            let status = try forward.finish()
            #expect(
                status.unreachable["198.51.100.77:6006"]?.contains("198.51.100.77 does not answer on")
                    == true,
                "\(status.unreachable)")
        }

        @Test func `an address that somebody else has too is told in the status`() throws {
            let scene = try DeviceScene("duplicate", .afPacket)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] }"#)
            try scene.sender.run("ip", "address", "add", "192.0.2.2/24", "dev", "e0")
            // The kernel announces it when asked to (RFC 5227 section 2.3).
            try scene.sender.run("arping", "-U", "-c", "2", "-w", "3", "-I", "e0", "192.0.2.2")
            let status = try forward.wait(for: "the rival told") { status in
                status.interfaces.contains {
                    $0.reason?.hasPrefix("its address 192.0.2.2 is used by ") == true
                }
            }
            #expect(status.interfaces.filter { $0.reason != nil }.count == 1)
            _ = try forward.finish()
        }

        /// Both sides of a device and an interface of the kernel's have one queue.
        @Test(arguments: [nil, "xdp", "packet"])
        func `workers share a device that has one queue, and flows keep their order`(farBackend: String?)
            throws
        {
            let scene = try DeviceScene("share", .afXDP, kernelHasFarSide: farBackend != nil)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004", "198.51.100.1:6006"] }"#,
                farBackend: farBackend ?? "auto", workers: 3)
            let sinks = try [6004, 6006].map { try Sink(in: scene.receiver, "198.51.100.1", $0) }
            let flows = try (0..<16).map { try UDPSocket(in: scene.sender, "192.0.2.1", 4000 + $0) }
            // The next hop is known after it.
            try flows[0].send([255, 255], to: SocketAddress("192.0.2.2", 5004))
            try forward.wait(for: "the first packet sent") { $0.sent == 2 }
            for number in 0..<200 as Range<UInt8> {
                for (flow, socket) in flows.enumerated() {
                    try socket.send([UInt8(flow), number], to: SocketAddress("192.0.2.2", 5004))
                }
                usleep(2000)
                for sink in sinks { sink.keepUp(with: 1 + 16 * (Int(number) + 1)) }
            }
            let status = try forward.wait(for: "all packets sent") { $0.sent == 2 * 3201 }
            for sink in sinks {
                let all = sink.wait(for: 3201)
                #expect(all.count == 3201)
                for flow in 0..<16 as Range<UInt8> {
                    #expect(all.filter { $0[0] == flow }.map { $0[1] } == Array(0..<200), "flow \(flow)")
                }
            }
            let device = status.ports.filter { $0.interface.hasPrefix("net_af_xdp0") }
            #expect(device.count == 3 && device.allSatisfy { $0.backend == "dpdk" })
            let spread = device.flatMap(\.features).filter { $0.name == "flows" }
            #expect(spread.count == 3)
            for feature in spread {
                #expect(feature.granted == "spread over 3 workers by software")
                #expect(feature.reason == "net_af_xdp0 has 1 queue")
            }
            let last = try forward.finish()
            #expect(last.drops.isEmpty, "\(last.drops)")
            expectConserved(last)
        }

        @Test func `between a device of DPDK and an interface of the kernel's each packet is copied once`()
            throws
        {
            let scene = try DeviceScene("mixed", .afXDP, kernelHasFarSide: true)
            // Nothing is to wait for it.
            try scene.relay.run("ping", "-c", "1", "-W", "2", "198.51.100.1")
            for backend in ["xdp", "packet"] {
                let forward = try scene.forward(
                    streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] }"#, farBackend: backend)
                let sink = try Sink(in: scene.receiver, "198.51.100.1", 6004)
                let source = try UDPSocket(in: scene.sender, "192.0.2.1")
                for number in 0..<2000 {
                    try source.send(
                        [UInt8](repeating: UInt8(number & 255), count: 200),
                        to: SocketAddress("192.0.2.2", 5004))
                    if number % 50 == 0 {
                        usleep(5000)
                        sink.keepUp(with: number)
                    }
                }
                try forward.wait(for: "all packets sent by \(backend)") { $0.sent == 2000 }
                #expect(sink.wait(for: 2000).count == 2000, "\(backend)")
                _ = try forward.finish()
            }
        }
    }
}
