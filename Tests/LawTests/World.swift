import ApusPorts
import ApusRings
import Seeds

/// Two faulty ports joined in memory, a ring between them and some packets in hand: everything that can
/// happen to a frame on one thread, by seed.
struct World: ~Copyable {
    static let framesEach = 24

    var here: Port<FaultyDriver<MemoryDriver>>
    var there: Port<FaultyDriver<MemoryDriver>>
    var ring = SPSCRing<Packet>(minimumCapacity: 4)
    var shared = MPMCRing<Packet>(minimumCapacity: 4)
    var hand = Burst()
    var other = Burst()
    var random: Seeded

    init(memory: FrameMemory, seed: UInt64) throws {
        random = Seeded(seed)
        let pair = try MemoryPair(
            first: memory.makePool(frames: Self.framesEach), second: memory.makePool(frames: Self.framesEach),
            ringCapacity: 1 << Int.random(in: 0...4, using: &random))
        here = Port(
            FaultyDriver(
                pair.first.driver, sending: .random(using: &random), receiving: .random(using: &random),
                seed: seed))
        there = Port(
            FaultyDriver(
                pair.second.driver, sending: .random(using: &random), receiving: .random(using: &random),
                seed: seed &+ 1))
    }

    /// Where all frames are now, those that are nowhere left out and those in two places counted twice.
    var frames: Int {
        mutating get {
            here.driver.pool.free + there.driver.pool.free + here.driver.framesInside
                + there.driver.framesInside + ring.producer.count + shared.count + hand.count + other.count
        }
    }

    /// Packets that entered the two ports less those that left them or were dropped, when nothing is inside.
    var balance: Int {
        mutating get {
            var sum = 0
            for faults in [
                here.driver.sendingFaults, here.driver.receivingFaults, there.driver.sendingFaults,
                there.driver.receivingFaults,
            ] {
                sum += Int(faults.entered + faults.duplicated) - Int(faults.left + faults.lost + faults.held)
            }
            let (one, two) = (here.statistics(), there.statistics())
            sum += Int(one.sent) - Int(there.driver.receivingFaults.entered)
            sum += Int(two.sent) - Int(here.driver.receivingFaults.entered)
            return sum
        }
    }

    mutating func step() {
        switch Int.random(in: 0..<14, using: &random) {
        case 0, 1: here.receive(into: &hand)
        case 2, 3: there.receive(into: &other)
        case 4: here.transmit(&hand)
        case 5: there.transmit(&other)
        case 6: make(Int.random(in: 0...8, using: &random))
        case 7:
            let copy = hand.isEmpty ? nil : hand[0].copy(into: &here.driver.pool)
            if let copy, hand.room > 0 { hand.append(copy) }
        case 8:
            for _ in 0..<Int.random(in: 0...4, using: &random) { _ = other.popFirst() }
            hand.keep { _ in Bool.random(using: &random) }
        case 9:
            // What the ring does not take comes back, and is dropped.
            if let packet = hand.popFirst() { _ = ring.producer.enqueue(packet) }
            _ = ring.consumer.dequeue(burst: min(other.room, 3)) { other.append($0) }
        case 10:
            _ = shared.enqueue(burst: other.count) { other.popFirst()! }
            _ = shared.dequeue(burst: hand.room) { hand.append($0) }
        case 11: advance(by: UInt64.random(in: 0...50, using: &random))
        case 12:
            _ = here.transmitCopying(&hand)
            here.driver.releaseReordered()
        default:
            here.flush()
            there.flush()
        }
    }

    private mutating func make(_ count: Int) {
        for _ in 0..<count {
            guard hand.room > 0, other.room > 0 else { return }
            if var packet = here.makePacket(), packet.append(60) { hand.append(packet) }
            if var packet = there.makePacket(), packet.append(1500) { other.append(packet) }
        }
    }

    private mutating func advance(by time: UInt64) {
        here.driver.now += time
        there.driver.now += time
    }

    /// Brings everything to rest: nothing under way, nothing in hand.
    mutating func comeHome() {
        for _ in 0..<100 {
            advance(by: 1_000)
            here.driver.releaseReordered()
            there.driver.releaseReordered()
            here.flush()
            there.flush()
            hand.removeAll()
            other.removeAll()
            here.receive(into: &hand)
            there.receive(into: &other)
            _ = ring.consumer.dequeue(burst: 64) { _ = consume $0 }
            _ = shared.dequeue(burst: 64) { _ = consume $0 }
        }
        hand.removeAll()
        other.removeAll()
    }
}

extension Faults {
    static func random(using random: inout Seeded) -> Faults {
        func chance() -> Double {
            Bool.random(using: &random) ? Double.random(in: 0...0.4, using: &random) : 0
        }
        return Faults(
            loss: chance(), corruption: chance(), duplication: chance(), reordering: chance(),
            packetDelay: 0...Int.random(in: 0...3, using: &random),
            delay: 0...UInt64.random(in: 0...60, using: &random),
            maximumHeld: Int.random(in: 1...12, using: &random))
    }
}
