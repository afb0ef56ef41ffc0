import ApusPorts
import ApusRings
import Testing

/// A pool of its own and a packet from it.
func withPool<Failure: Error>(
    frames: Int = 100, size: FrameSize = .bytes2048, _ body: (inout FramePool) throws(Failure) -> Void
) throws(Failure) {
    let memory = try! FrameMemory(frames: frames, frameSize: size, hugePages: .never)
    var pool = try! memory.makePool(frames: frames)
    try body(&pool)
}

extension FramePool {
    /// A packet of `count` bytes, each of which is `byte`.
    mutating func packet(count: Int = 60, byte: UInt8 = 0) -> Packet {
        var packet = unsafe Packet(adopting: take()!)
        precondition(packet.append(count))
        var bytes = packet.mutableBytes
        for offset in 0..<count { bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self) }
        return packet
    }
}

extension RawSpan {
    /// The first byte.
    var firstByte: UInt8 { unsafe unsafeLoad(as: UInt8.self) }
}

@Suite("Packets")
struct PacketTests {
    @Test func `Dropping a packet gives its frame back`() {
        withPool { pool in
            do {
                let packet = pool.packet()
                #expect(packet.count == 60)
                #expect(pool.free == 99)
            }
            #expect(pool.free == 100)
        }
    }

    @Test(arguments: FrameSize.allCases)
    func `Room in front and behind adds up to the slot, and no more can be had`(_ size: FrameSize) {
        withPool(size: size) { pool in
            var packet = pool.packet(count: 100)
            #expect(packet.headroom == 256)
            #expect(packet.headroom + packet.count + packet.tailroom + FramePool.headerSize == size.rawValue)
            #expect(!packet.prepend(257) && !packet.append(packet.tailroom + 1))
            #expect(!packet.trimFront(101) && !packet.trimBack(101))
            #expect(
                !packet.prepend(-1) && !packet.append(-1) && !packet.trimFront(-1) && !packet.trimBack(-1))
            #expect(packet.count == 100)
            #expect(packet.prepend(256) && packet.headroom == 0 && packet.count == 356)
            #expect(packet.append(packet.tailroom) && packet.tailroom == 0)
            #expect(packet.count == size.rawValue - FramePool.headerSize)
            #expect(packet.trimFront(packet.count) && packet.count == 0)
        }
    }

    @Test func `What is in front is replaced, and what is behind cut off, in one step`() {
        withPool { pool in
            for (old, new, kept) in [(14, 42, 60), (0, 256, 100), (40, 0, 0), (100, 356, 0), (30, 30, 70)] {
                var one = pool.packet(count: 100)
                var other = pool.packet(count: 100)
                #expect(one.replaceFront(old, by: new, keeping: kept) == true)
                #expect(other.trimFront(old) && other.trimBack(100 - old - kept) && other.prepend(new))
                #expect(one.count == other.count && one.headroom == other.headroom)
                #expect(one.count == new + kept)
            }
            var packet = pool.packet(count: 100)
            for (old, new, kept) in [
                (101, 0, 0), (50, 0, 51), (0, 257, 0), (-1, 0, 0), (0, -1, 0), (0, 0, -1), (.max, 0, .max),
                (100, .max, 0),
            ] {
                #expect(packet.replaceFront(old, by: new, keeping: kept) == false)
                #expect(packet.count == 100 && packet.headroom == 256)
            }
        }
    }

    @Test func `What is written is read, after trimming and prepending too`() {
        withPool { pool in
            var packet = pool.packet(count: 20, byte: 7)
            #expect(packet.trimFront(10) && packet.prepend(2))
            var bytes = packet.mutableBytes
            bytes.storeBytes(of: 9, toByteOffset: 0, as: UInt8.self)
            #expect(packet.bytes.byteCount == 12)
            #expect(packet.bytes.firstByte == 9)
            #expect(packet.bytes.extracting(droppingFirst: 1).firstByte == 7)
        }
    }

    @Test func `A copy has the bytes and the metadata, in a frame of its own`() {
        withPool { pool in
            var packet = pool.packet(count: 333, byte: 0xab)
            packet.timestamp = 42
            packet.flags = .checksumPartial
            packet.port = 3
            let copy = packet.copy(into: &pool)!
            #expect(pool.free == 98)
            #expect(copy.count == 333 && copy.timestamp == 42 && copy.port == 3)
            #expect(copy.flags == .checksumPartial)
            #expect(copy.headroom == 256)
            #expect(copy.bytes.extracting(droppingFirst: 332).firstByte == 0xab)
        }
    }

    @Test func `A copy that can't be completed takes nothing from the pool`() {
        withPool(frames: 3) { pool in
            let (first, second) = unsafe (
                pool.packet(count: 10).takeFrame(), pool.packet(count: 20).takeFrame()
            )
            unsafe first.header.pointee.next = second.header
            let jumbo = unsafe Packet(adopting: first)
            #expect(jumbo.segmentCount == 2 && jumbo.totalCount == 30 && jumbo.isSegmented)
            let copied = jumbo.copy(into: &pool) != nil
            #expect(!copied)
            #expect(pool.free == 1)
        }
    }

    @Test func `A packet is cut to a length, and segments behind it go home`() {
        for (length, left) in [
            (60, [10, 20, 30]), (59, [10, 20, 29]), (31, [10, 20, 1]), (30, [10, 20]), (11, [10, 1]),
            (10, [10]), (4, [4]), (0, [0]),
        ] {
            withPool { pool in
                let frames = unsafe [10, 20, 30].map { unsafe pool.packet(count: $0).takeFrame() }
                unsafe frames[0].header.pointee.next = frames[1].header
                unsafe frames[1].header.pointee.next = frames[2].header
                do {
                    var jumbo = unsafe Packet(adopting: frames[0])
                    let (tooLong, negative) = (jumbo.truncate(to: 61), jumbo.truncate(to: -1))
                    #expect(!tooLong && !negative && jumbo.totalCount == 60)
                    let isCut = jumbo.truncate(to: length)
                    #expect(isCut && jumbo.totalCount == length)
                    var parts: [Int] = []
                    jumbo.forEachSegment { parts.append($0.byteCount) }
                    #expect(parts == left)
                    #expect(pool.free == 100 - left.count)
                }
                #expect(pool.free == 100)
            }
        }
    }

    @Test func `A jumbo whose bytes are replaced has the new ones and no others`() {
        withPool { pool in
            let frames = unsafe [10, 20].map { unsafe pool.packet(count: $0).takeFrame() }
            unsafe frames[0].header.pointee.next = frames[1].header
            var jumbo = unsafe Packet(adopting: frames[0])
            let model = pool.packet(count: 5, byte: 9)
            let isReplaced = jumbo.replaceBytes(with: model.bytes)
            #expect(isReplaced && !jumbo.isSegmented && jumbo.totalCount == 5)
            #expect(jumbo.bytes.firstByte == 9 && pool.free == 98)
        }
    }

    @Test func `A jumbo is copied and dropped with all its segments`() {
        withPool { pool in
            do {
                let (first, second) = unsafe (
                    pool.packet(count: 10, byte: 1).takeFrame(), pool.packet(count: 20, byte: 2).takeFrame()
                )
                unsafe first.header.pointee.next = second.header
                let copy = unsafe Packet(adopting: first).copy(into: &pool)!
                #expect(pool.free == 98)
                var parts: [(Int, UInt8)] = []
                copy.forEachSegment { parts.append(($0.byteCount, $0.firstByte)) }
                #expect(parts.map(\.0) == [10, 20] && parts.map(\.1) == [1, 2])
            }
            #expect(pool.free == 100)
        }
    }
}

@Suite("Bursts")
struct BurstTests {
    @Test func `Packets come out in the order in which they went in, round after round`() {
        withPool { pool in
            var burst = Burst()
            var (next, expected): (UInt8, UInt8) = (0, 0)
            for round in 1...200 {
                for _ in 0..<min(round % 65, burst.room) {
                    burst.append(pool.packet(byte: next))
                    next &+= 1
                }
                for _ in 0..<(round % 40) {
                    guard let packet = burst.popFirst() else { break }
                    #expect(packet.bytes.firstByte == expected)
                    expected &+= 1
                }
                #expect(burst.count + pool.free == 100)
            }
        }
    }

    @Test func `A full burst that gave some away has room again`() {
        withPool { pool in
            var burst = Burst()
            for number in 0..<64 { burst.append(pool.packet(byte: UInt8(number))) }
            #expect(burst.room == 0)
            _ = burst.popFirst()
            #expect(burst.room == 1)
            burst.append(pool.packet(byte: 64))
            #expect(burst[63].bytes.firstByte == 64 && burst[0].bytes.firstByte == 1)
        }
    }

    @Test func `Keeping some drops the others and preserves the order`() {
        withPool { pool in
            var burst = Burst()
            for number in 0..<50 { burst.append(pool.packet(byte: UInt8(number))) }
            burst.keep { $0.bytes.firstByte % 3 == 0 }
            #expect(burst.count == 17 && pool.free == 83)
            for position in 0..<17 { #expect(burst[position].bytes.firstByte == UInt8(position * 3)) }
        }
    }

    @Test func `A packet is replaced in place, and the one it replaces is dropped`() {
        withPool { pool in
            var burst = Burst()
            burst.append(pool.packet(byte: 1))
            burst[0] = pool.packet(byte: 2)
            #expect(burst[0].bytes.firstByte == 2 && pool.free == 99)
        }
    }

    @Test func `An error in the middle of an access leaves the packet in the burst`() {
        struct Stop: Error {}
        func fail(_ packet: inout Packet) throws { throw Stop() }
        withPool { pool in
            do {
                var burst = Burst()
                burst.append(pool.packet(byte: 1))
                #expect(throws: Stop.self) { try fail(&burst[0]) }
                #expect(burst.count == 1 && burst[0].bytes.firstByte == 1 && pool.free == 99)
            }
            #expect(pool.free == 100)
        }
    }

    @Test func `An error in the middle of keeping some leaves the rest, each once and in order`() {
        struct Stop: Error {}
        withPool { pool in
            var burst = Burst()
            for number in 0..<20 { burst.append(pool.packet(byte: UInt8(number))) }
            _ = burst.popFirst()
            do throws(Stop) {
                try burst.keep { packet throws(Stop) in
                    if packet.bytes.firstByte == 10 { throw Stop() }
                    return packet.bytes.firstByte % 3 == 0
                }
                Issue.record("it went on")
            } catch {}
            var seen: [UInt8] = []
            burst.forEach { seen.append($0.bytes.firstByte) }
            #expect(seen == [3, 6, 9] + Array(10..<20))
            seen = []
            do throws(Stop) {
                try burst.forEach { packet throws(Stop) in
                    if packet.bytes.firstByte == 9 { throw Stop() }
                    seen.append(packet.bytes.firstByte)
                }
                Issue.record("it went on")
            } catch {}
            #expect(seen == [3, 6] && burst.count == 13 && pool.free == 87)
            burst.removeAll()
            #expect(pool.free == 100)
        }
    }

    @Test func `Dropping a burst drops what is left in it`() {
        withPool { pool in
            do {
                var burst = Burst()
                for _ in 0..<10 { burst.append(pool.packet()) }
                _ = burst.popFirst()
            }
            #expect(pool.free == 100)
            var burst = Burst()
            for _ in 0..<10 { burst.append(pool.packet()) }
            burst.removeAll()
            #expect(burst.isEmpty && pool.free == 100)
        }
    }

    @Test func `A look at a packet of a burst that ends in an error leaves it there, once`() {
        struct Refusal: Error {}
        withPool { pool in
            var burst = Burst()
            burst.append(pool.packet(byte: 1))
            burst.append(pool.packet(byte: 2))
            do throws(Refusal) {
                try burst[1].forEachSegment { _ throws(Refusal) in throw Refusal() }
                Issue.record("it went on")
            } catch {}
            #expect(burst.count == 2)
            #expect(pool.free == 98)
            #expect(burst[1].bytes.firstByte == 2)
            burst.removeAll()
            #expect(pool.free == 100)
        }
    }

    @Test func `A part of a packet is copied behind room for other headers, with its metadata`() {
        withPool { pool in
            var source = pool.packet(count: 50, byte: 7)
            (source.timestamp, source.port, source.flags) = (5, 3, .checksumVerified)
            for (start, count, front) in [(0, 50, 0), (42, 8, 70), (50, 0, 42), (10, 20, 1)] {
                var copy = pool.makePacket()!
                #expect(copy.copyPart(of: source, from: start, count: count, behind: front) == true)
                #expect(copy.count == front + count && copy.headroom == 256)
                #expect(copy.timestamp == 5 && copy.port == 3 && copy.flags == .checksumVerified)
                #expect(copy.trimFront(front) == true)
                let isCopied = unsafe copy.bytes.withUnsafeBytes { unsafe $0.allSatisfy { $0 == 7 } }
                #expect(isCopied)
            }
            for (start, count, front) in [
                (0, 51, 0), (51, 0, 0), (-1, 1, 0), (0, -1, 0), (0, 1, -1), (0, 50, 1729), (1, .max, 0),
                (0, 1, .max),
            ] {
                var copy = pool.makePacket()!
                #expect(copy.copyPart(of: source, from: start, count: count, behind: front) == false)
                #expect(copy.count == 0 && copy.timestamp == 0)
            }
        }
    }
}
