import ApusPorts
import ApusRings
import Glibc
import Testing

extension Port where Driver: ~Copyable {
    /// A packet of this port's pool that carries `number` in its first eight bytes.
    mutating func packet(number: UInt64, count: Int = 60) -> Packet? {
        guard var packet = makePacket() else { return nil }
        precondition(packet.append(count))
        var bytes = packet.mutableBytes
        bytes.storeBytes(of: number, toByteOffset: 0, as: UInt64.self)
        return packet
    }

    /// Sends a packet for each number, as many as the pool and the port take; how many were taken.
    mutating func send(_ numbers: Range<UInt64>) -> Int {
        var burst = Burst()
        var taken = 0
        for number in numbers {
            if burst.room == 0 { taken += transmit(&burst) }
            guard burst.room > 0, let packet = packet(number: number) else { break }
            burst.append(packet)
        }
        return taken + transmit(&burst)
    }

    /// The numbers of all packets that are there to be received.
    mutating func receiveNumbers() -> [UInt64] {
        var numbers: [UInt64] = []
        var burst = Burst()
        while receive(into: &burst) > 0 {
            while let packet = burst.popFirst() { numbers.append(packet.number) }
        }
        return numbers
    }
}

extension Packet {
    /// What `packet(number:)` put in.
    var number: UInt64 {
        let bytes = bytes
        return unsafe bytes.unsafeLoadUnaligned(as: UInt64.self)
    }
}

@Suite("A pair of ports in memory")
struct MemoryPairTests {
    @Test func `Statistics are printed by name, what is not zero of the drops`() {
        var statistics = PortStatistics()
        (statistics.received, statistics.receivedBytes, statistics.sent) = (2, 120, 1)
        #expect(
            "\(statistics)" == "received 2 packets, 120 bytes; sent 1 packets, 0 bytes; dropped: none")
        statistics.drops[.tooLong] = 1
        statistics.drops[.poolEmpty] = 3
        #expect("\(statistics)".hasSuffix("; dropped: pool_empty 3, too_long 1"))
        #expect("\(PortDrops())" == "none")
    }

    @Test(arguments: [.max, .max / 2 + 1, (1 << 19) + 1, 0, -1, .min])
    func `A number of frames that no memory has is refused`(frames: Int) {
        #expect(throws: MemoryError.badFrameCount(frames, maximum: 1 << 19)) {
            _ = try MemoryPair(frames: frames)
        }
    }

    @Test func `What one end sends the other receives, in order and without a copy`() throws {
        var pair = try MemoryPair(frames: 100, hugePages: .never)
        var burst = Burst()
        burst.append(pair.first.packet(number: 1)!)
        burst.append(pair.first.packet(number: 2, count: 1500)!)
        let address = unsafe UInt(bitPattern: burst.rawFrame(at: 0).header)
        #expect(pair.first.transmit(&burst) == 2)
        let empty = burst.isEmpty
        #expect(empty)
        #expect(pair.second.receive(into: &burst) == 2)
        #expect(unsafe UInt(bitPattern: burst.rawFrame(at: 0).header) == address)
        let numbers = [burst[0].number, burst[1].number]
        #expect(numbers == [1, 2])
        #expect(pair.second.receive(into: &burst) == 0)

        let (sent, received) = (pair.first.statistics(), pair.second.statistics())
        #expect(sent.sent == 2 && sent.sentBytes == 1560 && sent.received == 0)
        #expect(received.received == 2 && received.receivedBytes == 1560 && received.sent == 0)
        #expect(sent.drops.total + received.drops.total == 0)
    }

    @Test func `What is special to one of two drivers is had from the one that is there`() throws {
        struct Stop: Error {}
        let pair = try MemoryPair(frames: 8, hugePages: .never)
        var first = Port(EitherDriver<MemoryDriver, CaptureDriver>(first: pair.first.intoDriver()))
        #expect(first.send(0..<3) == 3)
        #expect(first.driver.withFirst { $0.framesInside } == 3)
        #expect(first.driver.withSecond { $0.isFinished } == nil)
        var second = Port(EitherDriver<MemoryDriver, CaptureDriver>(second: try CaptureDriver()))
        #expect(second.driver.withFirst { $0.framesInside } == nil)
        #expect(second.driver.withSecond { $0.isFinished } == true)
        #expect(throws: Stop.self) {
            try second.driver.withSecond { (_) throws(Stop) in throw Stop() }
        }
    }

    @Test func `What the ring has no room for stays in the burst`() throws {
        var pair = try MemoryPair(frames: 100, ringCapacity: 5, hugePages: .never)
        #expect(pair.first.grant.description == "memory:first queue 0: memory, ring 8")
        var burst = Burst()
        for number in 0..<11 { burst.append(pair.first.packet(number: UInt64(number))!) }
        #expect(pair.first.transmit(&burst) == 8)
        let left = (burst.count, burst[0].number)
        #expect(left == (3, 8))
        #expect(pair.first.transmit(&burst) == 0)
        #expect(pair.first.driver.framesInside == 8)
        #expect(pair.second.receiveNumbers() == [0, 1, 2, 3, 4, 5, 6, 7])
        #expect(pair.first.driver.framesInside == 0)
        #expect(pair.first.transmit(&burst) == 3)
        #expect(pair.second.receiveNumbers() == [8, 9, 10])
    }

    @Test func `Frames come home when the other end drops them, and cross back when it sends them`() throws {
        var pair = try MemoryPair(frames: 20, hugePages: .never)
        for _ in 0..<10 {
            #expect(pair.first.send(0..<20) == 20)
            #expect(pair.first.driver.pool.free == 0)
            var burst = Burst()
            #expect(pair.second.receive(into: &burst) == 20)
            #expect(pair.second.transmit(&burst) == 20)
            #expect(pair.second.driver.pool.free == 20, "it used none of its own")
            #expect(pair.first.receiveNumbers().count == 20)
            #expect(pair.first.driver.pool.free == 20)
        }
    }

    @Test func `A packet of several segments crosses whole and is counted whole`() throws {
        var pair = try MemoryPair(frames: 20, hugePages: .never)
        let chain = pair.first.packet(number: 5, count: 1000)!
        let tail = pair.first.packet(number: 6, count: 200)!
        let head = unsafe chain.takeFrame()
        unsafe head.header.pointee.next = tail.takeFrame().header
        var burst = Burst()
        burst.append(unsafe Packet(adopting: head))
        #expect(pair.first.transmit(&burst) == 1)
        #expect(pair.first.driver.framesInside == 2)
        #expect(pair.first.statistics().sentBytes == 1200)
        #expect(pair.second.receive(into: &burst) == 1)
        #expect(pair.first.driver.framesInside == 0)
        #expect(pair.second.statistics().receivedBytes == 1200)
        let total = burst[0].totalCount
        #expect(total == 1200)
        burst.removeAll()
        #expect(pair.first.driver.pool.free == 20)
    }

    @Test func `Two threads pass 100,000 packets to and fro, and no frame is lost`() throws {
        let total: UInt64 = 100_000
        let pair = try MemoryPair(frames: 512, ringCapacity: 128, hugePages: .never)
        let echo = Thread(pair.second) { port in
            var port = port
            var burst = Burst()
            var echoed: UInt64 = 0
            while echoed < total {
                if port.receive(into: &burst) == 0, burst.isEmpty { sched_yield() }
                echoed += UInt64(port.transmit(&burst))
            }
            // What it took from its pool is home; the other side's frames may still be on their way.
            return port.driver.pool.free == 512
        }
        var port = pair.first
        var (sent, expected): (UInt64, UInt64) = (0, 0)
        var disorder = 0
        var burst = Burst()
        while expected < total {
            let more = UInt64(port.send(sent..<min(sent + 32, total)))
            sent += more
            while let packet = burst.popFirst() {
                if packet.number != expected { disorder += 1 }
                expected += 1
            }
            if port.receive(into: &burst) == 0, more == 0 { sched_yield() }
        }
        #expect(disorder == 0)
        #expect(echo.join())
        #expect(port.driver.pool.free == 512)
    }
}
