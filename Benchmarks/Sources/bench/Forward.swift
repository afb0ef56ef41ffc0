@_spi(Benchmarks) import Apus
import ApusBench
import CTwins

// What the language costs, on the whole data path of the forwarder: parse, verify the checksum, find the stream,
// RTP statistics, readdress, carry the checksum over, copy for each further destination, send. A camera and a
// screen at the ends of two pairs of ports in memory are in the loop, in the competitor's own language. The twin is
// Twins/forward.c with relay.h, packet.h and flow.h.

private let streams = 64
private let near = MACAddress("02:00:00:00:01:02")!
private let far = MACAddress("02:00:00:00:02:02")!
private let listen = IPv4Address("192.0.2.2")!
private let leave = IPv4Address("198.51.100.1")!
private let payloadSize = 200

/// The part `forward` of the suite `tax`.
func forward() -> [Comparison] {
    [1, 4].flatMap { fanOut in
        [1, 8, 32, 256].map { batch in
            Comparison("tax/forward-to-\(fanOut)/batch-\(batch)", per: "packet") {
                let setup = Setup(fanOut: fanOut)
                let ours = try Relayed(setup)
                let twin = Twin(setup)
                for _ in 0..<3 * streams { precondition(ours.one() == twin.one(), "they differ") }
                // A burst holds 64.
                let (size, bursts) = (min(batch, 64), (batch + 63) / 64)
                return (
                    Competitor("Apus") { repeats in
                        let before = ours.sent
                        let count = ours.run(size, bursts, repeats)
                        precondition(ours.sent - before == count * fanOut, "packets were lost")
                        return count
                    },
                    Competitor("C") { repeats in
                        let before = twin.sent
                        let count = twin.run(size, bursts, repeats)
                        precondition(twin.sent - before == count * fanOut, "packets were lost")
                        return count
                    }
                )
            }
        }
    }
}

/// The streams that both forward: each from a port of its own to as many destinations.
private struct Setup {
    let fanOut: Int
    let destinations: [UDPEncapsulation]
    let templates: [UInt8]
    let size: Int

    init(fanOut: Int) {
        self.fanOut = fanOut
        destinations = (0..<streams * fanOut).map {
            UDPEncapsulation(
                nextHop: MACAddress("02:00:00:00:02:01")!, interface: far, source: leave,
                sourcePort: UInt16(5000 + $0 / fanOut), destination: IPv4Address("203.0.113.7")!,
                destinationPort: UInt16(10_000 + $0))
        }
        // RTP of payload type 0 without its sequence number and timestamp, which the camera writes.
        let all = (0..<streams).map { stream in
            Datagram.bytes(
                payload: payloadSize, behind: Self.arriving(stream), ssrc: 0x4170_0000 + UInt32(stream))
        }
        size = all[0].count
        templates = all.flatMap { $0 }
    }

    private static func arriving(_ stream: Int) -> UDPEncapsulation {
        UDPEncapsulation(
            nextHop: near, interface: MACAddress("02:00:00:00:01:01")!, source: IPv4Address("192.0.2.1")!,
            sourcePort: 40_000, destination: listen, destinationPort: UInt16(5000 + stream))
    }

    var plan: ForwardingPlan {
        ForwardingPlan(
            streams: (0..<streams).map { stream in
                ForwardingPlan.Stream(
                    slot: stream, generation: 1, listen: Endpoint(.v4(listen), port: UInt16(5000 + stream)),
                    destinations: (0..<fanOut).map { number in
                        let headers = destinations[stream * fanOut + number]
                        return Destination(
                            Endpoint(.v4(IPv4Address("203.0.113.7")!), port: headers.destinationPort),
                            path: .ready(interface: 1, headers, maximumPacketSize: 1514))
                    })
            },
            ownAddresses: [.v4(listen), .v4(leave)])
    }
}

/// The forwarder of Apus between a camera and a screen.
private final class Relayed {
    private var ends: Ends

    @safe struct Ends: ~Copyable {
        var worker: SteppedForwarder
        var camera: Port<MemoryDriver>
        var screen: Port<MemoryDriver>
        let templates: UnsafeMutableRawPointer
        var sequences = FixedArray(repeating: 0 as UInt16, count: streams)
        var next = 0
        let size: Int
    }

    init(_ setup: borrowing Setup) throws {
        let first = try MemoryPair(frames: 1024, ringCapacity: 1024, hugePages: .never)
        let second = try MemoryPair(frames: 1024, ringCapacity: 1024, hugePages: .never)
        // Kept for good, as all that is made for a comparison may be.
        let templates = UnsafeMutableRawPointer.allocate(byteCount: setup.templates.count, alignment: 64)
        unsafe templates.copyMemory(from: setup.templates, byteCount: setup.templates.count)
        unsafe ends = Ends(
            worker: SteppedForwarder(
                first.second, second.first, interfaces: [near, far], plan: setup.plan, slots: streams),
            camera: first.first, screen: second.second,
            templates: templates, size: setup.size)
    }

    var sent: Int { Int(ends.worker.counters.sent.value) }
    func run(_ batch: Int, _ bursts: Int, _ repeats: Int) -> Int { relay(&ends, batch, bursts, repeats) }

    /// What comes of one packet.
    func one() -> [UInt8] {
        var burst = Burst()
        burst.append(nextPacket(&ends))
        ends.camera.transmit(&burst)
        _ = ends.worker.round()
        ends.screen.receive(into: &burst)
        var bytes: [UInt8] = []
        burst.forEach { packet in unsafe packet.bytes.withUnsafeBytes { unsafe bytes += $0 } }
        return bytes
    }
}

/// The twin, with the same streams.
@safe private final class Twin {
    private let twin: OpaquePointer

    init(_ setup: Setup) {
        let destinations = setup.destinations.map { encapsulation($0) }
        unsafe twin = destinations.withUnsafeBufferPointer { destinations in
            unsafe setup.templates.withUnsafeBufferPointer { templates in
                var twin = unsafe forward_setup()
                unsafe (twin.streams, twin.fan_out, twin.frames, twin.ring) = (
                    streams, setup.fanOut, 1024, 1024
                )
                unsafe twin.macs = (near.bits, far.bits)
                unsafe twin.own = (UInt64(listen.bits), UInt64(leave.bits))
                unsafe (twin.listen, twin.first_port) = (UInt64(listen.bits), 5000)
                unsafe twin.destinations = destinations.baseAddress
                unsafe twin.templates = templates.baseAddress
                unsafe twin.size = setup.size
                return unsafe forward_make(&twin)
            }
        }
    }

    var sent: Int { Int(unsafe forward_sent(twin)) }
    func run(_ batch: Int, _ bursts: Int, _ repeats: Int) -> Int {
        Int(unsafe forward_run(twin, batch, bursts, repeats))
    }

    /// What comes of one packet.
    func one() -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: 2048 * Burst.capacity) { buffer, count in
            count = unsafe forward_one(twin, buffer.baseAddress)
        }
    }
}

/// The camera: a packet of the next stream. The second half of the payload's head is the first upside down, which
/// adds nothing to the checksum, so that it stays right.
@inline(__always)
private func nextPacket(_ ends: inout Relayed.Ends) -> Packet {
    guard var packet = ends.camera.makePacket() else { fatalError("the camera's pool is empty") }
    let stream = ends.next
    ends.next = stream &+ 1 == streams ? 0 : stream &+ 1
    let sequence = ends.sequences[stream]
    ends.sequences[stream] = sequence &+ 1
    // A frame has the room, and so nothing is compared below, as in the twin.
    guard packet.append(ends.size) else { fatalError("the camera's packets are too long") }
    let head = 2 << 62 | UInt64(sequence) << 32 | UInt64(UInt32(sequence) &* 160)
    var bytes = packet.mutableBytes
    unsafe bytes.withUnsafeMutableBytes { target in
        let first = unsafe target.baseAddress.unsafelyUnwrapped
        unsafe first.copyMemory(from: ends.templates + stream &* ends.size, byteCount: ends.size)
        unsafe (first + 42).storeBytes(of: head.bigEndian, as: UInt64.self)
        unsafe (first + 42 + 16).storeBytes(of: ~head.bigEndian, as: UInt64.self)
    }
    return packet
}

@inline(never)
private func relay(_ ends: inout Relayed.Ends, _ batch: Int, _ bursts: Int, _ repeats: Int) -> Int {
    var count = 0
    var burst = Burst()
    for _ in 0..<repeats {
        for _ in 0..<bursts {
            while burst.count < batch { burst.append(nextPacket(&ends)) }
            count += ends.camera.transmit(&burst)
        }
        while ends.worker.round() > 0 {}
        while ends.screen.receive(into: &burst) > 0 { burst.removeAll() }
    }
    return count
}
