import CLinux
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// A sender that hands the kernel many datagrams at once, to be cut by the device (`UDP_SEGMENT` of udp(7)).
    @Suite(.requires(.root))
    struct SegmentedSenderTests {
        @Test(arguments: [Backend.packetSocket, .native], Family.allCases)
        func `nine datagrams that were sent in one call arrive as nine`(backend: Backend, family: Family)
            throws
        {
            let scene = try Scene("segmented", offloads: true)
            try scene.warmUp()
            let forward = try ApusForward(
                in: scene.relay,
                backend.options + [
                    "-l", family.endpoint(Scene.relayAddress(family), 5004), "-t",
                    family.endpoint(Scene.receiverAddress(family), 6004),
                ])
            let (sink, source) = try (scene.sink(6004, family), scene.source(family))
            source.descriptor.set(17, 103, 172)  // SOL_UDP, UDP_SEGMENT
            let target = try SocketAddress(Scene.relayAddress(family), 5004)
            for first in stride(from: 0, to: 90, by: 9) {
                try source.send((first..<first + 9).flatMap { Numbered.packet($0) }, to: target)
            }
            let payloads = sink.wait(for: 90)
            #expect(payloads == (0..<90).map { Numbered.packet($0) }, "\(payloads.map(\.count))")
            let status = try forward.finish()
            #expect(status.accepted == 90 && status.sent == 90, "\(status.drops)")
        }
    }
}
