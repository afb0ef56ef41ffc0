@_spi(Benchmarks) import Apus
import ApusBench
import CTwins

/// What takes the times that suites take themselves. The first of them makes it, on the measuring thread.
let stopwatch = Stopwatch()

/// A forwarder over ports in memory of which nothing but the forwarder is timed: who sends to it and who takes out what
/// it has sent do so before and after.
protocol BackloggedForwarder: AnyObject {
    /// Packets sent so far.
    var sent: Int { get }
    /// Puts so many packets into the receive ring.
    func fill(_ count: Int)
    /// Forwards them, and says how many came.
    func work(_ count: Int) -> Int
    /// Takes out what was sent.
    func drain()
}

extension BackloggedForwarder {
    /// Some backlogs, one after the other: how many packets, and how long it took to forward them, of which each goes to
    /// `fanOut` destinations.
    ///
    /// A backlog is as many packets as fit the nearer caches, with their copies, and so many that the two looks at the
    /// clock don't count beside them.
    func round(fanOut: Int = 1) -> (count: Int, nanoseconds: Double) {
        let (size, backlogs) = (256, 4)
        let before = sent
        var (count, time) = (0, 0.0)
        for _ in 0..<backlogs {
            fill(size)
            time += stopwatch.measure { count += work(size) }.nanoseconds
            drain()
        }
        precondition(count == size * backlogs && sent - before == count * fanOut, "packets were lost")
        return (count, time)
    }
}

/// The forwarder of Apus between a camera and a screen, which are at the ends of two pairs of ports in memory.
final class Relayed: BackloggedForwarder {
    /// Frames of each pool, and packets in each ring.
    static let room = 1024

    private var ends: Ends
    private let next: (inout Packet) -> Void
    /// Octets that its worker allocated, those of large blocks included.
    let bytes: Int

    struct Ends: ~Copyable {
        var worker: SteppedForwarder
        var camera: Port<MemoryDriver>
        var screen: Port<MemoryDriver>
    }

    /// One that receives at most `batch` packets at a time. The camera has each made by `next`, out of an empty one.
    init(plan: ForwardingPlan, slots: Int, batch: Int, next: @escaping (inout Packet) -> Void) throws {
        self.next = next
        var first = try MemoryPair(frames: Self.room, ringCapacity: Self.room, hugePages: .never)
        let second = try MemoryPair(frames: Self.room, ringCapacity: Self.room, hugePages: .never)
        first.second.driver.limitBursts(to: batch)
        let before = twins_allocated()
        let worker = SteppedForwarder(
            first.second, second.first, interfaces: ForwardSetup.interfaces, plan: plan, slots: slots)
        bytes = Int(twins_allocated()) - Int(before)
        ends = Ends(worker: worker, camera: first.first, screen: second.second)
    }

    var sent: Int { Int(ends.worker.counters.sent.value) }

    func fill(_ count: Int) {
        var burst = Burst()
        for _ in 0..<count {
            guard var packet = ends.camera.makePacket() else { fatalError("the camera's pool is empty") }
            next(&packet)
            burst.append(packet)
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
}

extension Finding {
    /// Sets what was found of each by its name: with `--same` the peer is Apus too.
    mutating func set<Value>(_ fact: WritableKeyPath<Figures, Value?>, _ values: [String: Value]) {
        apus[keyPath: fact] = values[apus.name]
        if let name = peer?.name { peer?[keyPath: fact] = values[name] }
    }
}
