import ApusPorts
import ApusRings
import Seeds
import Testing

@testable import ApusDPDK

extension DeviceTests {
    @Test func `Packets of every length pass as they are, both ways`() throws {
        var ports = try JoinedPorts()
        let longest = ports.first.driver.maximumPacketSize
        #expect(longest == 1522)
        var random = Seeded(1)
        let frames = (14...longest).map { length in
            (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        #expect(try ports.first.send(frames, to: &ports.second) == frames)
        #expect(try ports.second.send(frames.reversed(), to: &ports.first) == frames.reversed())
        let statistics = (ports.first.statistics(), ports.second.statistics())
        #expect(statistics.0.sent == UInt64(frames.count) && statistics.0.received == UInt64(frames.count))
        let octets = UInt64(frames.reduce(0) { $0 + $1.count })
        #expect(statistics.0.sentBytes == octets && statistics.1.receivedBytes == octets)
        #expect(statistics.0.drops.total == 0 && statistics.1.drops.total == 0)
        let home = (ports.first.home, ports.second.home)
        #expect(home == (JoinedPorts.frames, JoinedPorts.frames))
    }

    @Test(arguments: [1, 4, 64, 128, 192])
    func `A packet whose data has moved in its frame is sent from there, whatever its length`(distance: Int)
        throws
    {
        var ports = try JoinedPorts()
        var burst = Burst()
        for length in 14...1522 {
            burst.append(try ports.first.packet([UInt8](repeating: 1, count: length)))
            ports.first.transmit(&burst)
            ports.second.receive(into: &burst)
            // As long as it came, and behind where it came.
            let hasRoom = burst[0].append(distance) && burst[0].trimFront(distance)
            #expect(hasRoom)
            let octets = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
            burst[0].set(octets)
            ports.second.transmit(&burst)
            ports.first.receive(into: &burst)
            #expect(burst[0].octets == octets, "\(length) octets")
            burst.removeAll()
        }
    }

    @Test func `What comes says where it came in, and has headroom`() throws {
        var options = JoinedPorts.small
        options.portNumber = 7
        var ports = try JoinedPorts(nil, options)
        var burst = Burst()
        var packet = try ports.first.packet([UInt8](repeating: 1, count: 60))
        #expect(packet.headroom == 256 && packet.tailroom == 2240 - 320 - 60)
        // Ends in front of the frame's header: from where the headroom begins to where the tailroom ends.
        #expect(packet.prepend(256) == true && packet.append(packet.tailroom) == true)
        #expect(packet.trimFront(256) == true && packet.trimBack(packet.count - 60) == true)
        packet.timestamp = 99
        packet.flags = .checksumVerified
        burst.append(packet)
        ports.first.transmit(&burst)
        #expect(ports.second.receive(into: &burst) == 1)
        #expect(burst[0].port == 7 && burst[0].queue == 0 && burst[0].timestamp == 0 && burst[0].flags == [])
        #expect(burst[0].headroom == 256)
    }

    @Test func `Too long and too short ones are counted and hold nobody up`() throws {
        var ports = try JoinedPorts()
        var burst = Burst()
        for length in [60, 0, 1, 13, 14, 1522, 1523, 61] {
            burst.append(try ports.first.packet([UInt8](repeating: UInt8(length & 255), count: length)))
        }
        #expect(ports.first.transmit(&burst) == 8)
        #expect(burst.count == 0)
        #expect(ports.second.receive(into: &burst) == 4)
        var lengths: [Int] = []
        burst.forEach { lengths.append($0.count) }
        #expect(lengths == [60, 14, 1522, 61])
        let statistics = ports.first.statistics()
        #expect(statistics.sent == 4)
        #expect(statistics.drops[.sendRefused] == 3)
        #expect(statistics.drops[.tooLong] == 1)
    }

    @Test func `What a device has no room for stays, in order`() throws {
        var ports = try JoinedPorts(nil, slots: 64)
        var burst = Burst()
        for number in 0..<64 as Range<UInt8> {
            burst.append(try ports.first.packet([UInt8](repeating: number, count: 60 + Int(number))))
        }
        #expect(ports.first.transmit(&burst) == 63)
        #expect(burst.count == 1)
        #expect(burst[0].octets == [UInt8](repeating: 63, count: 123))
        #expect(ports.first.transmit(&burst) == 0)
        #expect(ports.first.statistics().sentBytes == UInt64((60..<123).reduce(0, +)))
        var arrived = Burst()
        #expect(ports.second.receive(into: &arrived) == 63)
        #expect(ports.first.transmit(&burst) == 1)
        var numbers: [UInt8] = []
        while let packet = arrived.popFirst() { numbers.append(packet.octets[0]) }
        #expect(ports.second.receive(into: &arrived) == 1)
        #expect(numbers == Array(0..<63) && arrived[0].octets[0] == 63)
        #expect(ports.first.statistics().sent == 64)
    }

    @Test func `Packets pass through several ports without being copied`() throws {
        var near = try JoinedPorts()
        var far = try JoinedPorts()
        var burst = Burst()
        for number in 0..<64 as Range<UInt8> {
            burst.append(try near.first.packet([UInt8](repeating: number, count: 100)))
        }
        let places = (0..<64).map { unsafe UInt(bitPattern: burst.rawFrame(at: $0).header) }
        near.first.transmit(&burst)
        near.second.receive(into: &burst)
        #expect(far.first.driver.canSend(burst[0]) == true)
        #expect(far.first.transmit(&burst) == 64)
        far.second.receive(into: &burst)
        let now = (0..<64).map { unsafe UInt(bitPattern: burst.rawFrame(at: $0).header) }
        #expect(now == places)
        burst.removeAll()
        // The frames of one port were counted by others, so only the sum says how many there are.
        let inside = near.frames(held: 0) + far.frames(held: 0)
        let free = near.first.driver.pool.free + near.second.driver.pool.free
        #expect(
            inside + free + far.first.driver.pool.free + far.second.driver.pool.free == 4 * JoinedPorts.frames
        )
        let home = near.first.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `A packet in several frames arrives in several frames`() throws {
        var options = JoinedPorts.small
        options.mtu = 9000
        var ports = try JoinedPorts(nil, options)
        #expect(ports.first.driver.maximumPacketSize == 9022)
        let frame = (0..<9022).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var burst = Burst()
        let pieces = stride(from: 0, to: frame.count, by: 1700).map {
            Array(frame[$0..<min($0 + 1700, frame.count)])
        }
        burst.append(try ports.first.packet([UInt8](repeating: 1, count: 60)))
        burst.append(try chain(pieces, of: &ports.first))
        burst.append(try chain(pieces + [[1]], of: &ports.first))
        burst.append(try ports.first.packet([UInt8](repeating: 2, count: 60)))
        #expect(ports.first.transmit(&burst) == 4)
        #expect(ports.first.statistics().drops[.tooLong] == 1)
        #expect(ports.second.receive(into: &burst) == 3)
        #expect(burst[1].segmentCount == 6 && burst[1].octets == frame)
        #expect(ports.second.statistics().receivedBytes == 9022 + 120)
        // On its way back from there, then cut off, and dropped.
        #expect(ports.second.transmit(&burst) == 3)
        #expect(ports.first.receive(into: &burst) == 3)
        #expect(burst[1].octets == frame)
        #expect(burst[1].truncate(to: 2000) == true)
        #expect(burst[1].segmentCount == 2)
        burst.removeAll()
        let home = ports.first.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `A packet in several frames that there is no room for stays whole`() throws {
        var options = JoinedPorts.small
        options.mtu = 9000
        var ports = try JoinedPorts(nil, slots: 8, options)
        var burst = Burst()
        for _ in 0..<7 { burst.append(try ports.first.packet([UInt8](repeating: 0, count: 60))) }
        #expect(ports.first.transmit(&burst) == 7)
        burst.append(try chain([[UInt8](repeating: 1, count: 50), [2, 3], [4]], of: &ports.first))
        #expect(ports.first.transmit(&burst) == 0)
        #expect(burst[0].segmentCount == 3)
        #expect(burst[0].octets == [UInt8](repeating: 1, count: 50) + [2, 3, 4])
        var arrived = Burst()
        ports.second.receive(into: &arrived)
        arrived.removeAll()
        #expect(ports.first.transmit(&burst) == 1)
        ports.second.receive(into: &arrived)
        #expect(arrived[0].octets == [UInt8](repeating: 1, count: 50) + [2, 3, 4])
        arrived.removeAll()
        let home = ports.first.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `Packets of another memory are refused, and copied by transmitCopying`() throws {
        var ports = try JoinedPorts()
        var foreign = try FrameMemory(frames: 64, hugePages: .never).makePool(frames: 64)
        var burst = Burst()
        func fill() throws {
            for number in 0..<8 as Range<UInt8> {
                guard var packet = foreign.makePacket() else { throw NoFrame() }
                packet.set([UInt8](repeating: number, count: 64))
                burst.append(packet)
                burst.append(try ports.first.packet([UInt8](repeating: 100 + number, count: 70)))
            }
        }
        try fill()
        #expect(ports.first.driver.canSend(burst[0]) == false && ports.first.driver.canSend(burst[1]) == true)
        #expect(ports.first.transmit(&burst) == 16)
        #expect(ports.first.statistics().drops[.foreignMemory] == 8)
        #expect(ports.second.receive(into: &burst) == 8)
        burst.removeAll()
        try fill()
        #expect(ports.first.transmitCopying(&burst) == 16)
        #expect(ports.second.receive(into: &burst) == 16)
        var numbers: [UInt8] = []
        while let packet = burst.popFirst() { numbers.append(packet.octets[0]) }
        #expect(numbers == (0..<8).flatMap { [$0, 100 + $0] })
        #expect(ports.first.statistics().drops[.foreignMemory] == 8)
        #expect(foreign.free == 64)
    }

    @Test
    func
        `A packet that no frame holds is dropped by transmitCopying, one that a free frame would hold stays`()
        throws
    {
        var options = JoinedPorts.small
        (options.room, options.mtu) = (1024, 9000)
        var ports = try JoinedPorts(nil, options)
        var foreign = try FrameMemory(frames: 8, hugePages: .never).makePool(frames: 8)
        var burst = Burst()
        func add(_ length: Int) throws {
            guard var packet = foreign.makePacket() else { throw NoFrame() }
            packet.set([UInt8](repeating: 1, count: length))
            burst.append(packet)
        }
        try add(1500)
        try add(896)
        #expect(ports.first.transmitCopying(&burst) == 2)
        #expect(ports.first.statistics().drops[.tooLong] == 1)
        var held: [Box<Packet>] = []
        while let packet = ports.first.makePacket() { held.append(Box(packet)) }
        try add(896)
        #expect(ports.first.transmitCopying(&burst) == 0 && burst.count == 1)
        held.removeAll()
        #expect(ports.first.transmitCopying(&burst) == 1)
    }

    /// A packet of several frames.
    private func chain(_ pieces: [[UInt8]], of port: inout Port<DPDKDriver>) throws -> Packet {
        var last: UnsafeMutablePointer<FrameHeader>?
        for piece in pieces.reversed() {
            let frame = unsafe try port.packet(piece).takeFrame()
            unsafe frame.header.pointee.next = last
            unsafe last = frame.header
        }
        return unsafe Packet(adopting: Frame(header: last!))
    }
}
