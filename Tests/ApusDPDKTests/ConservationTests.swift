import ApusPorts
import ApusRings
import CDPDK
import Seeds
import Testing

@testable import ApusDPDK

/// Two devices joined crosswise, a thread's packets in hand, and everything that can happen to them, by seed.
struct DeviceWorld: ~Copyable {
    var ports: JoinedPorts
    var hand = Burst()
    var other = Burst()
    var random: Seeded
    var foreign: FramePool

    private init(_ ports: consuming JoinedPorts, _ foreign: consuming FramePool, seed: UInt64) {
        self.ports = ports
        self.foreign = foreign
        random = Seeded(seed)
    }

    static func make(_ rings: Rings, seed: UInt64) throws -> DeviceWorld {
        var options = JoinedPorts.small
        options.mtu = 4000
        let memory = try FrameMemory(frames: 64, hugePages: .never)
        return try DeviceWorld(JoinedPorts(rings, options), memory.makePool(frames: 64), seed: seed)
    }

    /// Where all frames of the devices are now; packets of the other memory are of one frame.
    var frames: Int {
        mutating get {
            var held = 0
            func count(_ packet: borrowing Packet) {
                if ports.first.driver.canSend(packet) { held += packet.segmentCount }
            }
            for position in 0..<hand.count { count(hand[position]) }
            for position in 0..<other.count { count(other[position]) }
            let free = ports.first.driver.pool.free + ports.second.driver.pool.free
            return ports.frames(held: held + free)
        }
    }

    mutating func step() throws {
        switch Int.random(in: 0..<12, using: &random) {
        case 0, 1: ports.first.receive(into: &hand)
        case 2, 3: ports.second.receive(into: &other)
        case 4: ports.first.transmit(&hand)
        case 5: ports.second.transmit(&other)
        case 6, 7: make(Int.random(in: 0...16, using: &random))
        case 8:
            if !hand.isEmpty, other.room > 0, let copy = ports.second.copy(of: hand[0]) { other.append(copy) }
        case 9:
            hand.keep { _ in Bool.random(using: &random) }
            for _ in 0..<Int.random(in: 0...4, using: &random) { _ = other.popFirst() }
        case 10:
            _ = ports.first.transmitCopying(&hand)
            while other.room > 0, hand.count > 40, let packet = hand.popFirst() { other.append(packet) }
        default:
            ports.first.flush()
            ports.second.flush()
        }
    }

    /// Packets of all lengths, among them too short and too long ones, in several frames, and of another memory.
    private mutating func make(_ count: Int) {
        for _ in 0..<count where hand.room > 0 && other.room > 0 {
            if var packet = ports.first.makePacket(), packet.append(Int.random(in: 0...1900, using: &random))
            {
                if Int.random(in: 0..<4, using: &random) == 0, var more = ports.second.makePacket(),
                    more.append(Int.random(in: 1...1900, using: &random))
                {
                    let next = unsafe more.takeFrame()
                    unsafe packet.rawFrame.header.pointee.next = next.header
                }
                hand.append(packet)
            }
            if var packet = foreign.makePacket(), packet.append(60) { other.append(packet) }
        }
    }

    /// Brings everything to rest: nothing on its way, nothing in hand.
    mutating func comeHome() {
        for _ in 0..<40 {
            hand.removeAll()
            other.removeAll()
            ports.first.receive(into: &hand)
            ports.second.receive(into: &other)
        }
        hand.removeAll()
        other.removeAll()
    }
}

extension DeviceTests {
    @Test func `Frames are conserved at every moment, under random operations`() throws {
        let rings = [try Rings(slots: 16), try Rings(slots: 64), try Rings(slots: 1024)]
        for seed in 0..<150 as Range<UInt64> {
            var world = try DeviceWorld.make(rings[Int(seed % 3)], seed: seed)
            var wrong = 0
            for _ in 0..<200 {
                try world.step()
                if world.frames != 2 * JoinedPorts.frames { wrong += 1 }
            }
            #expect(wrong == 0, "seed \(seed)")
            world.comeHome()
            let home = [world.ports.first.home, world.ports.second.home]
            #expect(home == [JoinedPorts.frames, JoinedPorts.frames], "DPDK counts as many, seed \(seed)")
            let foreign = world.foreign.free
            #expect(foreign == 64, "seed \(seed)")
            let (one, two) = (world.ports.first.statistics(), world.ports.second.statistics())
            #expect(one.sent == two.received && two.sent == one.received, "seed \(seed)")
            #expect(one.sentBytes == two.receivedBytes && two.sentBytes == one.receivedBytes, "seed \(seed)")
        }
        #expect(MbufMemory.retiredCount == 0)
    }
}
