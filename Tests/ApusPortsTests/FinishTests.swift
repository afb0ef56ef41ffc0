import ApusPorts
import ApusRings
import Seeds
import Testing

@Suite("What is left to who sends")
struct FinishTests {
    private func packet(_ octets: [UInt8], _ pool: inout FramePool) -> Packet {
        var packet = pool.makePacket()!
        fill(&packet, octets)
        return packet
    }

    private func fill(_ packet: inout Packet, _ octets: [UInt8]) {
        let fits = unsafe packet.replaceBytes(with: octets.span.bytes)
        #expect(fits)
    }

    @Test func `A checksum that was left is completed, whatever the headers are`() {
        withPool { pool in
            var random = Seeds.Seeded(1)
            for number in 0..<2_000 {
                let tags: [(type: UInt16, control: UInt16)] = [(0x88a8, 7), (0x8100, 9)]
                let frame = SeededFrame(&random, tags: Array(tags[..<(number % 3)]), padding: number % 5)
                var packet = packet(frame.partial, &pool)
                packet.flags = [.checksumPartial, .checksumVerified]
                #expect(packet.finish() == true)
                #expect(packet.allBytes == frame.whole && packet.flags == .checksumVerified, "\(number)")
            }
        }
    }

    @Test func `A checksum is completed over all segments, of even and odd lengths`() {
        withPool { pool in
            var random = Seeds.Seeded(2)
            for number in 0..<500 {
                let frame = SeededFrame(&random, payload: 300...1300)
                var pieces = [Int.random(in: 110...120, using: &random)]
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    pieces.append(pieces.last! + Int.random(in: 0...47, using: &random))
                }
                var last: UnsafeMutablePointer<FrameHeader>?
                for (start, end) in zip([0] + pieces, pieces + [frame.partial.count]).reversed() {
                    let part = unsafe packet(Array(frame.partial[start..<end]), &pool).takeFrame()
                    unsafe part.header.pointee.next = last
                    unsafe last = part.header
                }
                var packet = unsafe Packet(adopting: Frame(header: last!))
                packet.flags = .checksumPartial
                #expect(packet.finish() == true)
                #expect(packet.allBytes == frame.whole && packet.flags == [], "\(number)")
            }
        }
    }

    @Test func `What has no checksum of UDP or TCP, or is cut short anywhere, stays as it is`() {
        withPool { pool in
            var random = Seeds.Seeded(3)
            for _ in 0..<50 {
                let octets = SeededFrame(&random, payload: 8...20).partial
                for count in 0..<octets.count {
                    var packet = packet(Array(octets[..<count]), &pool)
                    packet.flags = .checksumPartial
                    #expect(packet.finish() == true)
                    #expect(packet.allBytes == Array(octets[..<count]) && packet.flags == [])
                }
            }
        }
    }

    @Test func `A tag goes back behind the addresses, wherever the frame has room`() {
        withPool { pool in
            let octets = (0..<100).map { UInt8($0) }
            let tagged = Array(octets[..<12]) + [0x81, 0, 0xe0, 5] + octets[12...]
            for front in [256, 4, 3, 0] {
                var packet = packet(octets, &pool)
                // The data begins `front` bytes behind the header.
                #expect(packet.prepend(256) && packet.append(100) && packet.trimFront(front))
                #expect(packet.trimBack(packet.count - 100) == true)
                var bytes = packet.mutableBytes
                for (offset, octet) in octets.enumerated() {
                    bytes.storeBytes(of: octet, toByteOffset: offset, as: UInt8.self)
                }
                packet.vlan = 0xe005
                #expect(packet.finish() == true)
                #expect(packet.allBytes == tagged && packet.vlan == nil)
            }
            var full = pool.makePacket()!
            #expect(full.prepend(256) && full.append(full.tailroom))
            full.vlan = 1
            #expect(!full.finish() && full.vlan == 1 && full.tailroom == 0)
            var short = packet(Array(octets[..<11]), &pool)
            short.vlan = 1
            #expect(!short.finish() && short.vlan == 1 && short.count == 11)
        }
    }

    @Test func `A frame that is used again carries no tag and no hash of the packet before`() {
        withPool(frames: 1) { pool in
            do {
                var packet = packet([UInt8](repeating: 1, count: 60), &pool)
                mark(&packet)
                #expect(packet.vlan == 7 && packet.flowHash == 9)
            }
            let again = packet([2], &pool)
            #expect(again.vlan == nil && again.flowHash == nil && again.flags == [] && again.timestamp == 0)
        }
    }

    @Test func `A copy has them, and what crosses a memory pair`() throws {
        var pair = try MemoryPair(frames: 64, hugePages: .never)
        var burst = Burst()
        var packet = pair.first.makePacket()!
        fill(&packet, [UInt8](repeating: 1, count: 60))
        mark(&packet)
        let copy = pair.first.copy(of: packet)!
        #expect(copy.vlan == 7 && copy.flowHash == 9)
        burst.append(packet)
        pair.first.transmit(&burst)
        #expect(pair.second.receive(into: &burst) == 1)
        #expect(burst[0].vlan == 7 && burst[0].flowHash == 9)
    }

    @Test func `A capture has tags where they were on the wire, and what was written is whole`() throws {
        let folder = TemporaryFolder()
        let (sent, seen) = (folder.file("sent.pcap"), folder.file("seen.pcapng"))
        var random = Seeds.Seeded(4)
        let frames = (0..<50).map { _ in SeededFrame(&random, tags: [(0x8100, 0x2007)]) }
        do {
            var port = Port(try CapturingDriver(CaptureDriver(writing: sent), writing: seen))
            var burst = Burst()
            for frame in frames {
                var packet = port.makePacket()!
                fill(&packet, stripped(frame.partial).octets)
                (packet.flags, packet.vlan) = (.checksumPartial, 0x2007)
                burst.append(packet)
            }
            #expect(port.transmit(&burst) == 50)
            try port.intoDriver().finish().finish()
        }
        #expect(try octets(of: sent) == frames.map(\.whole))
        #expect(try octets(of: seen) == frames.map(\.partial))
    }

    private func octets(of path: String) throws -> [[UInt8]] {
        var port = Port(try CaptureDriver(reading: path))
        var burst = Burst()
        var all: [[UInt8]] = []
        while port.receive(into: &burst) > 0 {
            while let packet = burst.popFirst() {
                #expect(packet.vlan == nil && packet.flowHash == nil)
                all.append(packet.allBytes)
            }
        }
        return all
    }

    private func mark(_ packet: inout Packet) {
        packet.vlan = 7
        unsafe packet.rawFrame.header.pointee.flowHash = 9
        packet.flags.insert(.flowHash)
    }
}
