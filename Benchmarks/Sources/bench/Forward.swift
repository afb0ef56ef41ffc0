@_spi(Benchmarks) import Apus
import ApusBench
import CTwins

// What the language costs, on the whole data path of the forwarder: receive, parse, verify the checksum, find the
// stream, RTP statistics, readdress, carry the checksum over, copy for each further destination, send. A camera and a
// screen at the ends of two pairs of ports in memory fill the one ring before the time is taken and empty the other
// after it. The twin is Twins/forward.c with worker.h, relay.h, packet.h and flow.h.

private let streams = ForwardSetup.streams
/// Frames of each pool, and packets in each ring.
private let room = 1024

/// The part `forward` of the suite `tax`.
func forward() -> [Comparison] {
    lazy var stopwatch = Stopwatch()
    return [1, 4].flatMap { fanOut in
        [1, 8, 32, 256].map { batch in
            Comparison("tax/forward-to-\(fanOut)/batch-\(batch)", per: "packet") {
                let setup = ForwardSetup(fanOut: fanOut, leavingBy: 1)
                // A burst holds 64.
                let ours = try Relayed(setup, batch: min(batch, 64))
                let twin = Twin(setup, batch: min(batch, 64))
                for _ in 0..<3 * streams { precondition(ours.one() == twin.one(), "they differ") }
                let stopwatch = stopwatch
                return (
                    Competitor("Apus") { ours.round(stopwatch, fanOut: fanOut) },
                    Competitor("C") { twin.round(stopwatch, fanOut: fanOut) }
                )
            }
        }
    }
}

/// The forwarder of Apus between a camera and a screen.
private final class Relayed: BackloggedForwarder {
    private var ends: Ends
    /// A frame of each stream.
    private let templates: [[UInt8]]
    private var sequences = [UInt16](repeating: 0, count: streams)
    private var next = 0

    struct Ends: ~Copyable {
        var worker: SteppedForwarder
        var camera: Port<MemoryDriver>
        var screen: Port<MemoryDriver>
    }

    init(_ setup: ForwardSetup, batch: Int) throws {
        templates = (0..<streams).map { Array(setup.templates[$0 * setup.size..<($0 + 1) * setup.size]) }
        var first = try MemoryPair(frames: room, ringCapacity: room, hugePages: .never)
        let second = try MemoryPair(frames: room, ringCapacity: room, hugePages: .never)
        first.second.driver.limitBursts(to: batch)
        ends = Ends(
            worker: SteppedForwarder(
                first.second, second.first, interfaces: ForwardSetup.interfaces, plan: setup.plan,
                slots: streams),
            camera: first.first, screen: second.second)
    }

    var sent: Int { Int(ends.worker.counters.sent.value) }

    func fill(_ count: Int) {
        var burst = Burst()
        for _ in 0..<count {
            burst.append(nextPacket())
            if burst.room == 0 { ends.camera.transmit(&burst) }
        }
        ends.camera.transmit(&burst)
    }

    func work(_ count: Int) -> Int { ends.worker.forward(count) }

    func drain() {
        var burst = Burst()
        while ends.screen.receive(into: &burst) > 0 { burst.removeAll() }
    }

    /// What comes of one packet.
    func one() -> [UInt8] {
        fill(1)
        _ = work(1)
        var burst = Burst()
        ends.screen.receive(into: &burst)
        var bytes: [UInt8] = []
        burst.forEach { packet in unsafe packet.bytes.withUnsafeBytes { unsafe bytes += $0 } }
        return bytes
    }

    /// The camera: a packet of the next stream. The second half of the payload's head is the first upside down, which
    /// adds nothing to the checksum, so that it stays right.
    private func nextPacket() -> Packet {
        guard var packet = ends.camera.makePacket() else { fatalError("the camera's pool is empty") }
        let template = templates[next]
        precondition(packet.replaceBytes(with: unsafe template.span.bytes))
        let head = 2 << 62 | UInt64(sequences[next]) << 32 | UInt64(UInt32(sequences[next]) &* 160)
        var bytes = packet.mutableBytes
        bytes.storeBytes(of: head.bigEndian, toByteOffset: 42, as: UInt64.self)
        bytes.storeBytes(of: ~head.bigEndian, toByteOffset: 42 + 16, as: UInt64.self)
        sequences[next] &+= 1
        next = (next + 1) % streams
        return packet
    }
}

/// The twin, with the same streams.
@safe private final class Twin: BackloggedForwarder {
    private let twin: OpaquePointer

    init(_ setup: ForwardSetup, batch: Int) {
        unsafe twin = setup.withTwins { setup in
            unsafe (setup.pointee.frames, setup.pointee.ring, setup.pointee.batch) = (room, room, batch)
            return unsafe forward_make(setup)
        }
    }

    deinit { unsafe forward_free(twin) }

    var sent: Int { Int(unsafe forward_sent(twin)) }
    func fill(_ count: Int) { unsafe forward_fill(twin, count) }
    func work(_ count: Int) -> Int { Int(unsafe forward_work(twin, count)) }
    func drain() { unsafe _ = forward_drain(twin, nil) }

    /// What comes of one packet.
    func one() -> [UInt8] {
        fill(1)
        _ = work(1)
        return unsafe [UInt8](unsafeUninitializedCapacity: 2048 * Burst.capacity) { buffer, count in
            count = unsafe forward_drain(twin, buffer.baseAddress)
        }
    }
}
