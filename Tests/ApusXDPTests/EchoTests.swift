import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Seeds
import Testing

/// The mode, as an option of an interface.
func options(_ mode: XDPMode, _ change: (inout XDPOptions) -> Void = { _ in }) -> XDPOptions {
    var options = XDPOptions()
    options.mode = mode == .native ? .native : .generic
    options.hugePages = .never
    change(&options)
    return options
}

/// Opens vb's queue in `b` with port 5004 taken, and lends it with a packet socket on va.
func withPort(
    _ purpose: String, _ options: XDPOptions, mtu: Int = 1500,
    _ body: (inout Port<XDPDriver>, Wire, XDPInterface, Pair) throws -> Void
) throws {
    let net = try Pair(purpose, mtu: mtu)
    defer { net.lab.close() }
    let wire = try net.a.enter { try Wire("va") }
    try net.b.enter {
        let interface = try XDPInterface("vb", options)
        try interface.add(Endpoint("192.0.2.2:5004")!)
        var port = try interface.open(queue: 0)
        try body(&port, wire, interface, net)
    }
}

@Suite("AF_XDP port", .requires(.root))
struct PortTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `Datagrams are echoed, byte for byte, and no frame is lost`(_ mode: XDPMode) throws {
        try withPort("echo", options(mode)) { port, wire, interface, _ in
            let inside = port.driver.framesInside
            #expect(inside == 4096)
            #expect(port.driver.pool.free == 8192 - inside)
            var burst = Burst()
            for round in 0..<50 {
                var sent: [[UInt8]] = []
                for number in 0..<40 {
                    var datagram = Datagram()
                    datagram.payload = (0..<(round * 29)).map { UInt8(truncatingIfNeeded: $0 &+ number) }
                    sent.append(datagram.frame)
                    try wire.send(datagram.frame)
                }
                var echoed = 0
                for _ in 0..<1000 where echoed < 40 {
                    if port.receive(into: &burst) == 0 { port.wait(milliseconds: 10) }
                    echoed += port.transmit(&burst)
                    port.flush()
                }
                let back = (0..<40).compactMap { _ in wire.receiveOurs() }
                let equal = zip(back, sent).allSatisfy { $0 == $1 }
                #expect(back.count == 40 && equal)
            }
            for _ in 0..<100 where port.driver.framesInside > inside {
                port.flush()
                usleep(1000)
            }
            _ = port.receive(into: &burst)
            #expect(port.driver.framesInside == inside)
            #expect(port.driver.pool.free == 8192 - inside)
            let statistics = port.statistics()
            #expect(statistics.received == 2000 && statistics.sent == 2000)
            #expect(statistics.receivedBytes == statistics.sentBytes)
            #expect(statistics.drops.total == 0)
            print(port.grant, port.driver.wakeups)
        }
    }

    @Test func `What is left to who sends is done, and a frame used before carries nothing of that packet`()
        throws
    {
        var random = Seeded(1)
        let frames = (0..<30).map { _ in SeededFrame(&random, payload: 20...1300) }
        try withPort("left", options(.native)) { port, wire, _, _ in
            var burst = Burst()
            for frame in frames {
                var packet = port.makePacket()!
                packet.fill(frame.partial)
                packet.flags = .checksumPartial
                burst.append(packet)
            }
            let taken = port.transmit(&burst)
            #expect(taken == 30)
            port.flush()
            expectEqual((0..<30).compactMap { _ in wire.receiveOurs() }, frames.map(\.whole))
        }
        try withEnds("tags", .native) { sender, receiver in
            var burst = Burst()
            var wanted: [[UInt8]] = []
            for number in 0..<30 {
                let octets = Numbered.frame(number, length: 100)
                var packet = sender.makePacket()!
                packet.fill(octets)
                packet.vlan = 0x2005
                burst.append(packet)
                wanted.append(octets[..<12] + [0x81, 0, 0x20, 5] + octets[12...])
            }
            let taken = sender.transmit(&burst)
            #expect(taken == 30)
            sender.flush()
            for _ in 0..<100 where burst.count < 30 {
                if receiver.receive(into: &burst) == 0 { receiver.wait(milliseconds: 100) }
            }
            var got: [[UInt8]] = []
            burst.forEach {
                got.append($0.octets)
                #expect($0.vlan == nil && $0.flowHash == nil)
                // Left in the frame, which the kernel fills again.
                $0.vlan = 9
                unsafe $0.rawFrame.header.pointee.flowHash = 9
                $0.flags.insert(.flowHash)
            }
            expectEqual(got, wanted)
            burst.removeAll()
            // More than there are frames, so that each of those is used again.
            for round in 0..<300 {
                sender.send((0..<30).map { Numbered.frame(30 * round + $0) })
                for _ in 0..<100 where burst.count < 30 {
                    if receiver.receive(into: &burst) == 0 { receiver.wait(milliseconds: 100) }
                }
                burst.forEach { #expect($0.vlan == nil && $0.flowHash == nil) }
                burst.removeAll()
            }
        }
    }
}
