import ApusPorts
import ApusRings
import Seeds
import Testing

@testable import ApusDPDK

/// Packets of which something is left to the port that sends them.
extension DeviceTests {
    @Test func `Tags and checksums that are left to the port leave right, mixed with all others`() throws {
        var ports = try JoinedPorts()
        var random = Seeded(3)
        var burst = Burst()
        var (wanted, got): ([[UInt8]], [[UInt8]]) = ([], [])
        for round in 0..<60 {
            for number in 0..<Int.random(in: 1...40, using: &random) {
                let isTagged = Bool.random(using: &random)
                let frame = SeededFrame(
                    &random, tags: isTagged ? [(0x8100, 0x2001)] : [], payload: 20...1300, padding: number % 3
                )
                let isLeft = Bool.random(using: &random)
                let octets = isLeft ? frame.partial : frame.whole
                let isApart = isTagged && Bool.random(using: &random)
                var packet = try ports.first.packet(isApart ? stripped(octets).octets : octets)
                if isLeft { packet.flags = .checksumPartial }
                if isApart { packet.vlan = 0x2001 }
                if number % 9 == 8 { try self.split(&packet, of: &ports.first) }
                burst.append(packet)
                wanted.append(frame.whole)
            }
            let count = burst.count
            #expect(ports.first.transmit(&burst) == count, "\(round)")
            ports.second.receive(into: &burst)
            while let packet = burst.popFirst() { got.append(packet.octets) }
        }
        #expect(got == wanted)
        let statistics = ports.first.statistics()
        #expect(statistics.sent == UInt64(wanted.count) && statistics.drops.total == 0)
        #expect(statistics.sentBytes == UInt64(wanted.reduce(0) { $0 + $1.count }))
        let home = ports.first.home
        #expect(home == JoinedPorts.frames)
    }

    /// Has a packet go on in a second frame.
    private func split(_ packet: inout Packet, of port: inout Port<DPDKDriver>) throws {
        let all = packet.octets
        let (front, rest) = (all.count - 10, Array(all[(all.count - 10)...]))
        let next = unsafe try port.packet(rest).takeFrame()
        #expect(packet.trimBack(all.count - front) == true)
        unsafe packet.rawFrame.header.pointee.next = next.header
    }

    @Test func `A tag that makes a packet too long, or finds no room, is counted and holds nobody up`() throws
    {
        var ports = try JoinedPorts()
        var burst = Burst()
        for length in [1518, 1519, 60, 11, 61] {
            var packet = try ports.first.packet([UInt8](repeating: 1, count: length))
            packet.vlan = 5
            burst.append(packet)
        }
        #expect(ports.first.transmit(&burst) == 5)
        #expect(ports.second.receive(into: &burst) == 3)
        var lengths: [Int] = []
        burst.forEach { lengths.append($0.count) }
        #expect(lengths == [1522, 64, 65])
        let drops = ports.first.statistics().drops
        #expect(drops[.tooLong] == 1 && drops[.sendRefused] == 1 && drops.total == 2)
        burst.removeAll()
        let home = ports.first.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `What there is no room for stays as it is to be sent, once`() throws {
        var ports = try JoinedPorts(nil, slots: 8)
        var random = Seeded(5)
        let frames = (0..<20).map { _ in SeededFrame(&random, tags: [(0x8100, 9)], payload: 20...900) }
        var burst = Burst()
        var got: [[UInt8]] = []
        for frame in frames {
            var packet = try ports.first.packet(stripped(frame.partial).octets)
            (packet.flags, packet.vlan) = (.checksumPartial, 9)
            burst.append(packet)
        }
        for _ in 0..<10 {
            ports.first.transmit(&burst)
            var arrived = Burst()
            ports.second.receive(into: &arrived)
            while let packet = arrived.popFirst() { got.append(packet.octets) }
        }
        #expect(got == frames.map(\.whole))
    }
}
