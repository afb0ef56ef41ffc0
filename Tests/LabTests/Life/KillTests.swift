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
            // Its rings hold a second of the stream, for which something else may stop the worker: then once more.
            let missing = try undisturbed {
                try Self.killed(backend)
            } isRight: {
                $0 == 0
            }
            #expect(missing == 0)
        }

        /// Kills one under traffic and starts another.
        ///
        /// - Returns: how many packets are missing from the first that the second one sent on, each of which was counted.
        private static func killed(_ backend: Backend) throws -> Int {
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
            let start = ContinuousClock.now
            let second = try ApusForward(in: scene.relay, options)
            let startTime = ContinuousClock.now - start
            #expect(startTime < .seconds(3), "the next start")
            let atStart = sink.count
            try eventually("streams flow again") { sink.count - atStart > 1000 }
            let sent = try sending.finish()
            _ = sink.drain()
            let after = sink.numbers()
            // From the first packet that the second one sent to the last.
            let tail = after.dropFirst(killed)
            let missing = sent - (tail.first ?? 0) - tail.count
            let isInOrder = zip(tail, tail.dropFirst()).allSatisfy { $0 < $1 }

            #expect(ping.waitForExit(within: .seconds(20)) == .exited(0))
            #expect(ping.output.contains(" 0% packet loss"), "\(ping.output.suffix(300))")
            let tcp = session.finish()
            #expect(tcp.failure == nil && tcp.exchanges > 100 && tcp.slowest < .seconds(1), "\(tcp)")
            let status = try second.finish()
            let kernel = try LoadTests.kernelDrops(scene, backend) - kernelBefore
            print(
                "\(tail.count) packets, from \(tail.first ?? -1) to \(tail.last ?? -1) of \(sent); \(kernel) \(status.ports)"
            )
            #expect(isInOrder && (0...Int(status.portDrops) + kernel).contains(missing))
            #expect(status.sent == UInt64(tail.count) && status.drops.isEmpty, "\(status.drops)")
            let left = try Self.traces(in: scene.relay)
            #expect(left == before, "after a clean stop nothing is left: \(left)")
            return missing
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
