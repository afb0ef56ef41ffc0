import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// The forwarder dies and comes back; the host goes on.
    @Suite(.requires(.root, .program("ping")))
    struct KillTests {
        @Test(arguments: Backend.allCases)
        func `killed under traffic and started again, streams flow and the host goes on`(
            backend: Backend
        ) throws {
            let scene = try Scene("kill")
            let options = backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"]
            let before = try Self.traces(in: scene.relay)
            let sink = try scene.sink(6004)
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5004)
            var first: ApusForward? = try ApusForward(in: scene.relay, options)
            let ping = try scene.sender.start(["ping", "-i", "0.05", "-c", "60", "-W", "5", "192.0.2.2"])
            let session = try TCPSession(from: scene.sender, to: scene.relay, "192.0.2.2")

            let sending = SteadyStream(from: source, to: target, perSecond: 2000)
            try eventually("streams flow") { sink.count > 1000 }
            first?.process.send(SIGKILL)
            #expect(first?.process.waitForExit() == .signaled(SIGKILL))
            first = nil
            let killed = sink.drain().count
            let exchangesWhileDead = session.exchanges
            try eventually("TCP goes on while nobody forwards") { session.exchanges > exchangesWhileDead }

            let kernelBefore = try LoadTests.kernelDrops(scene, backend)
            let (started, pause) = try longestPause {
                let start = ContinuousClock.now
                let second = try ApusForward(in: scene.relay, options)
                let startTime = ContinuousClock.now - start
                #expect(startTime < .seconds(3), "the next start")
                let atStart = sink.count
                try eventually("streams flow again") { sink.count - atStart > 1000 }
                return (second, try sending.finish())
            }
            let (second, sent) = try started.get()
            _ = sink.drain()
            let after = sink.numbers()
            // From the first packet that the second one sent to the last nothing is missing; but where something else had the
            // machine, what came while all that waits for a worker was full, and was counted so.
            let tail = after.dropFirst(killed)
            let missing = sent - (tail.first ?? 0) - tail.count
            let isInOrder = zip(tail, tail.dropFirst()).allSatisfy { $0 < $1 }

            #expect(ping.waitForExit(within: .seconds(20)) == .exited(0))
            #expect(ping.output.contains(" 0% packet loss"), "\(ping.output.suffix(300))")
            let tcp = session.finish()
            #expect(tcp.failure == nil && tcp.exchanges > 100 && tcp.slowest < .seconds(1), "\(tcp)")
            let status = try second.finish()
            let kernel = try LoadTests.kernelDrops(scene, backend) - kernelBefore
            #expect(
                isInOrder
                    && (0...(pause > .milliseconds(20) ? Int(status.portDrops) + kernel : 0)).contains(
                        missing),
                "\(tail.count) packets, from \(tail.first ?? -1) to \(tail.last ?? -1) of \(sent); paused \(pause); \(kernel) \(status.ports)"
            )
            #expect(status.sent == UInt64(tail.count) && status.drops.isEmpty, "\(status.drops)")
            let left = try Self.traces(in: scene.relay)
            #expect(left == before, "after a clean stop nothing is left: \(left)")
        }

        /// What an XDP program would show up in: the links, and all that is pinned.
        static func traces(in space: Namespace) throws -> String {
            let links = try space.run("ip", "-o", "-d", "link", "show").standardOutput
            let xdp = links.split(separator: "\n").map { line in
                line.split(separator: " ").filter { $0.contains("xdp") || $0.hasPrefix("prog") }.joined(
                    separator: " ")
            }
            let pinned = try space.run("find", "/sys/fs/bpf", "-mindepth", "2").standardOutput
            let sockets = try space.run("ss", "-lun").standardOutput
            return "\(xdp)\n\(pinned)\n\(sockets)"
        }
    }
}
