import Foundation
import NetworkLab
import Testing

extension Lab {
    @Suite(.requires(.root))
    struct LoadTests {
        @Test(arguments: Backend.allCases)
        func `20,000 packets a second arrive, or their loss has a name`(backend: Backend) throws {
            let scene = try Scene("load")
            try scene.warmUp()
            let forward = try ApusForward(
                in: scene.relay, backend.options + ["-l", "192.0.2.2:5004", "-t", "198.51.100.1:6004"])
            let sink = try scene.sink(6004)
            let source = try scene.source()
            let target = try SocketAddress("192.0.2.2", 5004)
            let total = 50_000
            let before = try Self.kernelDrops(scene, backend)
            let time = try paced(total, perSecond: 20_000) {
                try source.send(Numbered.packet($0), to: target)
            }
            let numbers = sink.drain().compactMap { Numbered.read($0)?.number }
            let status = try forward.finish()
            let kernel = try Self.kernelDrops(scene, backend) - before

            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "none doubled or overtaken")
            let lost = total - numbers.count
            let named = Int(status.refusals + status.losses + status.portDrops) + kernel
            #expect(
                lost == named, "lost \(lost), named \(named): \(status.drops) \(status.ports.map(\.drops))")
            // A machine that has to do other things as well drops some, but not most.
            #expect(lost < total / 2)
            print(
                "\(backend.rawValue): \(total) packets in \(time), \(lost) lost (\(kernel) before or behind Apus)"
            )
        }

        /// What the kernels at both ends and the links between dropped.
        static func kernelDrops(_ scene: Scene, _ backend: Backend) throws -> Int {
            var drops = 0
            var places = [
                (scene.sender, "e0", "tx"), (scene.relay, "out0", "tx"), (scene.receiver, "e0", "rx"),
            ]
            // A veth counts what its XDP program could not redirect to a full AF_XDP ring, which the port counts too.
            if backend != .native { places.append((scene.relay, "in0", "rx")) }
            for (space, interface, direction) in places {
                let text = try space.run(
                    "cat", "/sys/class/net/\(interface)/statistics/\(direction)_dropped"
                ).standardOutput
                drops += Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
            }
            let counters = try scene.receiver.run("cat", "/proc/net/snmp").standardOutput
            let lines = counters.split(separator: "\n").filter { $0.hasPrefix("Udp:") }.map {
                $0.split(separator: " ")
            }
            if lines.count == 2, let column = lines[0].firstIndex(of: "RcvbufErrors") {
                drops += Int(lines[1][column]) ?? 0
            }
            return drops
        }
    }
}
