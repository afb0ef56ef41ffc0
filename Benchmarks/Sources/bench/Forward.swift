@_spi(Benchmarks) import Apus
import ApusBench
import CTwins

// What the language costs, on the whole data path of the forwarder: parse, verify the checksum, find the stream,
// RTP statistics, readdress, carry the checksum over, copy for each further destination, send. A camera and a
// screen at the ends of two pairs of ports in memory are in the loop, in the competitor's own language. The twin is
// Twins/forward.c with worker.h, relay.h, packet.h and flow.h.

private let streams = ForwardSetup.streams

/// The part `forward` of the suite `tax`.
func forward() -> [Comparison] {
    [1, 4].flatMap { fanOut in
        [1, 8, 32, 256].map { batch in
            Comparison("tax/forward-to-\(fanOut)/batch-\(batch)", per: "packet") {
                let setup = ForwardSetup(fanOut: fanOut, leavingBy: 1)
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

    init(_ setup: ForwardSetup) throws {
        let first = try MemoryPair(frames: 1024, ringCapacity: 1024, hugePages: .never)
        let second = try MemoryPair(frames: 1024, ringCapacity: 1024, hugePages: .never)
        // Kept for good, as all that is made for a comparison may be.
        let templates = UnsafeMutableRawPointer.allocate(byteCount: setup.templates.count, alignment: 64)
        unsafe templates.copyMemory(from: setup.templates, byteCount: setup.templates.count)
        unsafe ends = Ends(
            worker: SteppedForwarder(
                first.second, second.first, interfaces: ForwardSetup.interfaces, plan: setup.plan,
                slots: streams),
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

    init(_ setup: ForwardSetup) {
        unsafe twin = setup.withTwins { setup in
            unsafe (setup.pointee.frames, setup.pointee.ring) = (1024, 1024)
            return unsafe forward_make(setup)
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
