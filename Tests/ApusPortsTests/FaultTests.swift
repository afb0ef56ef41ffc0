import ApusPorts
import ApusRings
import Testing

@Suite("Faults round a driver")
struct FaultTests {
    /// Sends `count` numbered packets over faults; what arrived, and what the faults say of it.
    func run(
        _ faults: Faults, seed: UInt64, count: UInt64 = 2000, sending: Bool = true, frames: Int = 1000
    ) throws -> (arrived: [UInt64], statistics: FaultStatistics, drops: UInt64) {
        let pair = try MemoryPair(frames: frames, ringCapacity: 64, hugePages: .never)
        var source = Port(
            FaultyDriver(pair.first.driver, sending: sending ? faults : .none, seed: seed))
        var sink = Port(
            FaultyDriver(pair.second.driver, receiving: sending ? .none : faults, seed: seed))
        var (sent, arrived): (UInt64, [UInt64]) = (0, [])
        while sent < count {
            sent += UInt64(source.send(sent..<min(sent + 16, count)))
            arrived += sink.receiveNumbers()
        }
        for _ in 0..<100 {
            source.driver.releaseReordered()
            sink.driver.releaseReordered()
            source.flush()
            arrived += sink.receiveNumbers()
        }
        let drops = (source.statistics().drops[.injectedLoss], sink.statistics().drops[.injectedLoss])
        #expect(source.driver.framesInside == 0 && sink.driver.framesInside == 0)
        #expect(source.driver.pool.free == frames && sink.driver.pool.free == frames)
        let statistics = sending ? source.driver.sendingFaults : sink.driver.receivingFaults
        #expect(statistics.entered == count && statistics.held == 0)
        #expect(statistics.left == UInt64(arrived.count))
        #expect(statistics.entered + statistics.duplicated == statistics.left + statistics.lost)
        #expect(drops == (sending ? (statistics.lost, 0) : (0, statistics.lost)))
        #expect(sink.statistics().received == UInt64(arrived.count))
        return (arrived, statistics, statistics.lost)
    }

    static let everything = Faults(
        loss: 0.1, corruption: 0.1, duplication: 0.1, reordering: 0.1, packetDelay: 0...3)

    @Test func `A perfect way changes nothing`() throws {
        let (arrived, statistics, _) = try run(.none, seed: 1)
        #expect(arrived == Array(0..<2000))
        #expect(statistics.corrupted + statistics.duplicated + statistics.reordered == 0)
    }

    @Test(arguments: [true, false])
    func `The same seed gives the same faults, and another seed others`(sending: Bool) throws {
        let first = try run(Self.everything, seed: 7, sending: sending)
        let again = try run(Self.everything, seed: 7, sending: sending)
        let other = try run(Self.everything, seed: 8, sending: sending)
        #expect(first.arrived == again.arrived && first.statistics == again.statistics)
        #expect(first.arrived != other.arrived)
    }

    @Test(arguments: [0.0, 0.01, 0.3, 1.0], [true, false])
    func `As many are lost as asked for, and the others come in order`(loss: Double, sending: Bool) throws {
        let (arrived, statistics, drops) = try run(Faults(loss: loss), seed: 3, sending: sending)
        #expect(abs(Double(statistics.lost) - 2000 * loss) <= 80)
        #expect(drops == statistics.lost && arrived.count == 2000 - Int(drops))
        #expect(arrived == arrived.sorted())
    }

    @Test func `Reordered packets are passed by as many as allowed and no more`() throws {
        let faults = Faults(reordering: 0.2, maximumReorderDistance: 5)
        let (arrived, statistics, _) = try run(faults, seed: 4)
        #expect(arrived.sorted() == Array(0..<2000))
        #expect((300...500).contains(statistics.reordered))
        var furthest = 0
        for (position, number) in arrived.enumerated() {
            furthest = max(furthest, arrived[..<position].count { $0 > number })
        }
        #expect((1...5).contains(furthest))
    }

    @Test func `A duplicate has the bytes of the first, in a frame of its own`() throws {
        let (arrived, statistics, _) = try run(Faults(duplication: 0.25), seed: 5)
        #expect((400...600).contains(statistics.duplicated))
        #expect(arrived.count == 2000 + Int(statistics.duplicated))
        #expect(Set(arrived).count == 2000 && arrived == arrived.sorted())
    }

    @Test func `A duplicate for which there is no frame is not made, and that is counted`() throws {
        let pair = try MemoryPair(frames: 4, hugePages: .never)
        var source = Port(FaultyDriver(pair.first.driver, sending: Faults(duplication: 1), seed: 1))
        #expect(source.send(0..<4) == 4)
        let statistics = source.driver.sendingFaults
        #expect(statistics.duplicated == 0 && statistics.duplicationsMissed == 4 && statistics.left == 4)
        var sink = pair.second
        #expect(sink.receiveNumbers() == [0, 1, 2, 3])
    }

    @Test func `Corruption flips bits, at least one and no more than allowed`() throws {
        let pair = try MemoryPair(frames: 100, hugePages: .never)
        var source = Port(
            FaultyDriver(pair.first.driver, sending: Faults(corruption: 1, maximumBitFlips: 4), seed: 6))
        var sink = pair.second
        var flips: Set<Int> = []
        for _ in 0..<200 {
            var burst = Burst()
            burst.append(source.packet(number: 0, count: 20)!)
            for offset in 8..<20 { burst[0].setByte(0, at: offset) }
            source.transmit(&burst)
            sink.receive(into: &burst)
            flips.insert((0..<20).reduce(0) { $0 + burst[0].byte(at: $1).nonzeroBitCount })
        }
        // Flipping a bit twice undoes it.
        #expect(flips.isSubset(of: [0, 1, 2, 3, 4]) && flips.isSuperset(of: [1, 2, 3, 4]))
        #expect(source.driver.sendingFaults.corrupted == 200)
    }

    @Test func `Packets that are delayed by a fixed number of packets stay in order`() throws {
        let pair = try MemoryPair(frames: 100, hugePages: .never)
        var source = Port(FaultyDriver(pair.first.driver, sending: Faults(packetDelay: 3...3), seed: 1))
        var sink = pair.second
        #expect(source.send(0..<10) == 10)
        #expect(sink.receiveNumbers() == [0, 1, 2, 3, 4, 5, 6])
        #expect(source.driver.sendingFaults.held == 3 && source.driver.framesInside == 3)
        source.driver.releaseReordered()
        source.flush()
        #expect(sink.receiveNumbers() == [7, 8, 9])
    }

    @Test func `Delayed packets come when their time has come, in the order of their times`() throws {
        let pair = try MemoryPair(frames: 200, hugePages: .never)
        let faults = Faults(delay: 1_000_000...2_000_000)
        var source = pair.first
        var sink = Port(FaultyDriver(pair.second.driver, receiving: faults, seed: 9))
        var arrived: [UInt64] = []
        for step in 0..<60 as Range<UInt64> {
            sink.driver.now = step * 100_000
            if step < 30 { #expect(source.send(step * 4..<step * 4 + 4) == 4) }
            for number in sink.receiveNumbers() {
                // It came in at step number / 4 and is out between 1 and 2 ms later.
                let late = Int(step) - Int(number / 4)
                #expect((10...20).contains(late))
                arrived.append(number)
            }
        }
        #expect(arrived.sorted() == Array(0..<120))
        #expect(arrived != arrived.sorted(), "different delays change the order")
        #expect(source.driver.pool.free == 200)
    }

    @Test func `No more packets are held back than allowed; others pass and are counted`() throws {
        let pair = try MemoryPair(frames: 100, hugePages: .never)
        var source = Port(
            FaultyDriver(pair.first.driver, sending: Faults(delay: 5...5, maximumHeld: 8), seed: 1))
        var sink = pair.second
        #expect(source.send(0..<20) == 20)
        #expect(sink.receiveNumbers() == Array(8..<20))
        let statistics = source.driver.sendingFaults
        #expect(statistics.held == 8 && statistics.holdsMissed == 12)
        source.driver.now = 5
        source.flush()
        #expect(sink.receiveNumbers() == Array(0..<8))
    }

    @Test func `What can't go wrong so is refused when it is described, not when a packet comes`() async {
        await #expect(processExitsWith: .failure) { _ = Faults(corruption: 1, maximumBitFlips: 0) }
        await #expect(processExitsWith: .failure) { _ = Faults(reordering: 1, maximumReorderDistance: 0) }
        await #expect(processExitsWith: .failure) { _ = Faults(maximumHeld: .max) }
        await #expect(processExitsWith: .failure) { _ = Faults(loss: .nan) }
    }

    @Test func `The furthest delays there are hold packets back, and stop nothing`() throws {
        let pair = try MemoryPair(frames: 50, hugePages: .never)
        let faults = Faults(
            reordering: 1, maximumReorderDistance: .max, packetDelay: (.max - 1)...(.max), maximumHeld: 50)
        var source = Port(FaultyDriver(pair.first.driver, sending: faults, seed: 1))
        #expect(source.send(0..<50) == 50)
        #expect(source.driver.sendingFaults.held == 50)
        source.driver.releaseReordered()
        source.flush()
        #expect(source.driver.sendingFaults.held == 0)
    }

    @Test func `Packets held back give their frames back when the port goes`() throws {
        let pair = try MemoryPair(frames: 50, hugePages: .never)
        var sink = pair.second
        do {
            var source = Port(
                FaultyDriver(pair.first.driver, receiving: Faults(delay: 5...5), seed: 1))
            #expect(sink.send(0..<30) == 30)
            #expect(source.receiveNumbers() == [])
            #expect(source.driver.framesInside == 30)
        }
        #expect(sink.driver.pool.free == 50)
    }
}

extension Packet {
    func byte(at offset: Int) -> UInt8 {
        let bytes = bytes
        return unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    mutating func setByte(_ byte: UInt8, at offset: Int) {
        var bytes = mutableBytes
        bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
}
