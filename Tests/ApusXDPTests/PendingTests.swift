import ApusPorts
import ApusXDP
import NetworkLab
import Testing

@Suite("AF_XDP: what counts as sent", .requires(.root))
struct PendingTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `What waits in the TX ring is pending, and sent once the kernel has taken it`(
        _ mode: XDPMode
    ) throws {
        try withPort("pending", options(mode)) { port, wire, _, _ in
            var burst = Burst()
            for number in 0..<8 {
                var packet = port.makePacket()!
                packet.fill(Numbered.frame(number, length: 100))
                burst.append(packet)
            }
            #expect(port.transmit(&burst) == 8)
            let before = port.statistics()
            #expect(before.sent == 0 && before.sentBytes == 0)
            #expect(before.pending == 8)
            #expect(wire.receiveOurs(within: 50) == nil)
            port.flush()
            let after = port.statistics()
            #expect(after.sent == 8 && after.sentBytes == 800)
            #expect(after.pending == 0)
            expectEqual(wire.receiveAll(), (0..<8).map { Numbered.frame($0, length: 100) })
        }
    }
}
