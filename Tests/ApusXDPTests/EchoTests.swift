import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
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
}
