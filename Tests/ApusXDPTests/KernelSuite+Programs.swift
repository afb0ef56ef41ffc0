import ApusPorts
import ApusRings
import ApusWire
import CXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// The cases about XDP programs in front of the sockets, and memory that sockets share.
extension KernelSuiteTests {
    @Test(arguments: modes)
    func XDP_PROG_CLEANUP(_ mode: XDPMode) throws {
        let net = try Pair("cleanup")
        defer { net.lab.close() }
        let wire = try net.a.enter { try Wire("va") }
        try net.b.enter {
            for round in 0..<5 {
                do {
                    let interface = try XDPInterface("vb", options(mode))
                    try interface.add(Endpoint("192.0.2.2:5004")!)
                    var port = try interface.open(queue: 0)
                    try wire.send(Numbered.frame(round))
                    expectEqual(port.receive(1), [Numbered.frame(round)])
                }
                #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
            }
        }
    }

    @Test(arguments: modes)
    func XDP_DROP_HALF(_ mode: XDPMode) throws {
        try withProgram("half", DropHalfProgram.object, mode) { port, wire in
            for number in 0..<100 { try wire.send(Numbered.frame(number)) }
            let expected = stride(from: 0, to: 100, by: 2).map { Numbered.frame($0) }
            expectEqual(port.receive(50), expected)
            #expect(port.receive(1, quietAfter: 50).isEmpty)
        }
    }

    @Test(arguments: modes)
    func XDP_METADATA_COPY(_ mode: XDPMode) throws {
        try withProgram("meta", MetadataProgram.object, mode) { port, wire in
            try expectMetadata(&port, wire, lengths: (0..<100).map { 64 + $0 * 10 })
        }
    }

    @Test(arguments: modes)
    func XDP_METADATA_COPY_MULTI_BUFF(_ mode: XDPMode) throws {
        try withProgram("metamb", MetadataProgram.object, mode, mtu: 9000) { port, wire in
            if try port.lacksMultiBuffer() { return }
            try expectMetadata(&port, wire, lengths: (0..<50).map { 3000 + $0 * 100 })
        }
    }

    /// The eight octets that the program wrote in front of each packet.
    private func expectMetadata(_ port: inout Port<XDPDriver>, _ wire: Wire, lengths: [Int]) throws {
        for (number, length) in lengths.enumerated() {
            let frame = Numbered.frame(number, length: length)
            try wire.send(frame)
            port.wait(milliseconds: 1000)
            var burst = Burst()
            guard port.receive(into: &burst) == 1, let packet = burst.popFirst() else {
                Issue.record("packet \(number) did not arrive")
                return
            }
            expectEqual([packet.octets], [frame])
            let metadata = unsafe (packet.rawFrame.data - 8).loadUnaligned(as: UInt64.self)
            #expect(metadata == UInt64(number))
        }
    }

    @Test(arguments: modes)
    func XDP_ADJUST_TAIL_SHRINK(_ mode: XDPMode) throws {
        try withProgram("shrink", ShrinkProgram.object, mode, octets: 128) { port, wire in
            let frames = (0..<64).map { Numbered.frame($0, length: 300 + $0) }
            for frame in frames { try wire.send(frame) }
            expectEqual(port.receive(64), frames.map { Array($0.dropLast(128)) })
        }
    }

    @Test(arguments: modes)
    func XDP_SHARED_UMEM(_ mode: XDPMode) throws {
        // One memory, two interfaces: what comes in by one goes out by the other without being copied.
        let lab = NetworkLab("shared")
        defer { lab.close() }
        let (a, b) = (try lab.namespace("a"), try lab.namespace("b"))
        try lab.link(a, "va", ["192.0.2.1/24"], b, "vb", ["192.0.2.2/24"])
        try lab.link(a, "wa", ["198.51.100.1/24"], b, "wb", ["198.51.100.2/24"])
        let (inlet, outlet) = try a.enter { (try Wire("va"), try Wire("wa")) }
        try b.enter {
            let memory = try XDPMemory(for: ["vb", "wb"], options(mode))
            let first = try XDPInterface("vb", options(mode), memory: memory)
            let second = try XDPInterface("wb", options(mode), memory: memory)
            try first.add(Endpoint("192.0.2.2:5004")!)
            var receiver = try first.open(queue: 0, number: 1)
            var sender = try second.open(queue: 0, number: 2)
            var burst = Burst()
            let inside = (receiver.driver.framesInside, sender.driver.framesInside)
            for round in 0..<20 {
                let frames = (0..<50).map { Numbered.frame(round * 50 + $0, length: 200) }
                for frame in frames { try inlet.send(frame) }
                var forwarded = 0
                for _ in 0..<500 where forwarded < 50 {
                    if receiver.receive(into: &burst) == 0 { receiver.wait(milliseconds: 10) }
                    for index in 0..<burst.count {
                        #expect(sender.driver.canSend(burst[index]) && burst[index].port == 1)
                    }
                    forwarded += sender.transmit(&burst)
                    sender.flush()
                }
                expectEqual((0..<50).compactMap { _ in outlet.receiveOurs() }, frames)
            }
            sender.settle(inside: inside.1)
            _ = receiver.receive(into: &burst)
            #expect(receiver.driver.framesInside == inside.0 && sender.driver.framesInside == inside.1)
            #expect(receiver.driver.pool.free == 8192 - inside.0)
            #expect(sender.driver.pool.free == 8192 - inside.1)
        }
    }
}

/// Opens vb's queue over a test's own program.
private func withProgram(
    _ purpose: String, _ code: [UInt8], _ mode: XDPMode, mtu: Int = 1500, octets: UInt32? = nil,
    _ body: (inout Port<XDPDriver>, Wire) throws -> Void
) throws {
    let net = try Pair(purpose, mtu: mtu)
    defer { net.lab.close() }
    let wire = try net.a.enter { try Wire("va") }
    try net.b.enter {
        let program = try TestProgram(code, on: "vb", mode, octets: octets)
        let interface = try XDPInterface("vb", options(mode), map: program.sockets, mode: mode)
        var port = try interface.open(queue: 0)
        try body(&port, wire)
    }
}
