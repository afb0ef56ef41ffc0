import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import Glibc
import NetworkLab
import Testing

/// Frames with a number in them, so that order and content can be checked.
enum Numbered {
    /// A UDP frame of `length` octets in all, to the endpoint that the tests take.
    static func frame(_ number: Int, length: Int = 64, to endpoint: String = "192.0.2.2:5004") -> [UInt8] {
        var datagram = Datagram()
        datagram.destination = Endpoint(endpoint)!
        datagram.payload =
            bytes(UInt32(number))
            + (0..<max(0, length - 46)).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ number) }
        return datagram.frame
    }

    /// The number in a frame.
    static func number(of frame: [UInt8]) -> Int? {
        guard frame.count >= 46 else { return nil }
        return frame[42..<46].reduce(0) { $0 << 8 | Int($1) }
    }
}

extension Packet {
    /// All octets, of all segments.
    var octets: [UInt8] {
        var all: [UInt8] = []
        forEachSegment { segment in
            for index in 0..<segment.byteCount {
                unsafe all.append(segment.unsafeLoad(fromByteOffset: index, as: UInt8.self))
            }
        }
        return all
    }

    /// Makes these octets the packet's.
    mutating func fill(_ octets: [UInt8]) {
        precondition(append(octets.count))
        var bytes = mutableBytes
        for (index, octet) in octets.enumerated() {
            bytes.storeBytes(of: octet, toByteOffset: index, as: UInt8.self)
        }
    }
}

extension Port<XDPDriver> {
    /// Whether this kernel has no multi-buffer AF_XDP (Linux 6.6); the rest of the test is skipped aloud then.
    borrowing func lacksMultiBuffer(_ test: String = #function) throws -> Bool {
        guard let feature = grant.features.first(where: { $0.name == "multi-buffer" }),
            feature.granted == "no"
        else { return false }
        try skipRest(of: test, "needs multi-buffer AF_XDP, which was not granted: \(feature.reason ?? "")")
        return true
    }

    /// Sends four packets of several frames each over the wire, and receives them.
    mutating func receiveJumbos(from wire: Wire) throws -> Burst {
        var burst = Burst()
        for number in 0..<4 { try wire.send(Numbered.frame(number, length: 8000)) }
        for _ in 0..<100 where burst.count < 4 {
            if receive(into: &burst) == 0 { wait(milliseconds: 100) }
        }
        let came = burst.count
        try #require(came == 4)
        return burst
    }

    /// Sends frames, waiting for room as long as need be.
    mutating func send(_ frames: [[UInt8]]) {
        var burst = Burst()
        for frame in frames {
            var packet = makePacket()
            for _ in 0..<1000 where packet == nil {
                flush()
                usleep(100)
                packet = makePacket()
            }
            guard var packet = packet else {
                Issue.record("no free frame came back")
                return
            }
            packet.fill(frame)
            burst.append(packet)
            if burst.room == 0 { drain(&burst) }
        }
        drain(&burst)
    }

    private mutating func drain(_ burst: inout Burst) {
        for _ in 0..<1000 where !burst.isEmpty {
            transmit(&burst)
            flush()
        }
        let left = burst.count
        #expect(left == 0)
    }

    /// Receives until `count` packets are there or none came for a while.
    mutating func receive(_ count: Int, quietAfter milliseconds: Int32 = 500) -> [[UInt8]] {
        var frames: [[UInt8]] = []
        var burst = Burst()
        while frames.count < count {
            if receive(into: &burst) == 0 {
                wait(milliseconds: milliseconds)
                if receive(into: &burst) == 0 { break }
            }
            while let packet = burst.popFirst() { frames.append(packet.octets) }
        }
        return frames
    }

    /// Waits until everything taken to be sent has left and come home.
    mutating func settle(inside: Int) {
        for _ in 0..<200 where driver.framesInside > inside {
            flush()
            usleep(1000)
        }
    }
}

/// Two AF_XDP ends of a link: `va` sends from namespace a, `vb` receives in b.
func withEnds(
    _ purpose: String, _ mode: XDPMode, mtu: Int = 1500, _ change: (inout XDPOptions) -> Void = { _ in },
    receiver: (inout XDPOptions) -> Void = { _ in },
    _ body: (inout Port<XDPDriver>, inout Port<XDPDriver>) throws -> Void
) throws {
    let net = try Pair(purpose, mtu: mtu)
    defer { net.lab.close() }
    let sending = options(mode, change)
    var receiving = sending
    receiver(&receiving)
    var sender = try net.a.enter { try XDPInterface(sendingOn: "va", sending).open(queue: 0) }
    try net.b.enter { [receiving] in
        // This thread used it; the one that drops it is another.
        defer { sender.handOver() }
        let interface = try XDPInterface("vb", receiving)
        try interface.add(Endpoint("192.0.2.2:5004")!)
        var port = try interface.open(queue: 0)
        try body(&sender, &port)
    }
}

/// Whether two lists of frames are the same, without printing all octets when they are not.
func expectEqual(
    _ received: [[UInt8]], _ sent: [[UInt8]], sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(received.count == sent.count, sourceLocation: sourceLocation)
    let differing = zip(received, sent).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    #expect(differing == nil, "the first frame that differs", sourceLocation: sourceLocation)
}
