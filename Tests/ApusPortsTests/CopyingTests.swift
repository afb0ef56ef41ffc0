import ApusPorts
import ApusRings
import Testing

/// One end of a pair in memory that sends from a single memory only, as a device does.
private struct DeviceDriver: PortDriver, ~Copyable {
    var base: MemoryDriver

    mutating func receive(into burst: inout Burst) -> Int { base.receive(into: &burst) }
    mutating func transmit(_ burst: inout Burst) -> Int { base.transmit(&burst) }
    mutating func flush() { base.flush() }
    var pool: FramePool {
        _read { yield base.pool }
        _modify { yield &base.pool }
    }
    func canSend(_ packet: borrowing Packet) -> Bool {
        let memory = base.pool.memory
        let distance = unsafe UnsafeRawPointer(packet.rawFrame.header) - UnsafeRawPointer(memory.base)
        return distance >= 0 && distance < memory.byteCount
    }
    var framesInside: Int { base.framesInside }
    var readyDescriptor: Int32 { base.readyDescriptor }
    var maximumPacketSize: Int { base.maximumPacketSize }
    var grant: PortGrant { base.grant }
    mutating func statistics() -> PortStatistics { base.statistics() }
}

@Suite("Sending packets of another memory")
struct CopyingTests {
    /// A device of `frames` frames of 2048 bytes, what is at the other end of its wire, and a pool of longer
    /// frames that it can't send from.
    private func device(
        frames: Int,
        _ body: (inout Port<DeviceDriver>, inout Port<MemoryDriver>, inout FramePool) throws -> Void
    ) throws {
        let own = try FrameMemory(frames: frames, hugePages: .never).makePool(frames: frames)
        let other = try FrameMemory(frames: 4, hugePages: .never).makePool(frames: 4)
        let pair = MemoryPair(first: own, second: other)
        var port = Port(DeviceDriver(base: pair.first.intoDriver()))
        var end = pair.second
        try withPool(size: .bytes4096) { try body(&port, &end, &$0) }
        #expect(port.driver.pool.free == frames)
    }

    @Test func `What fits no frame of the port is dropped by name, and what is behind it goes on`() throws {
        try device(frames: 8) { port, end, foreign in
            var burst = Burst()
            for (count, byte) in [(60, 1), (3000, 2), (60, 3), (1729, 4), (1728, 5)] {
                burst.append(foreign.packet(count: count, byte: UInt8(byte)))
            }
            burst.append(port.makePacket()!)
            for _ in 0..<10 where !burst.isEmpty { _ = port.transmitCopying(&burst) }
            let left = burst.count
            #expect(left == 0, "a packet that can never be copied is waited for")
            var received: [Int] = []
            end.receive(into: &burst)
            while let packet = burst.popFirst() { received.append(packet.count) }
            #expect(received == [60, 60, 1728, 0])
            let statistics = port.statistics()
            #expect(statistics.drops[.tooLong] == 2 && statistics.drops.total == 2 && statistics.sent == 4)
            #expect(foreign.free == foreign.capacity)
        }
    }

    @Test func `A packet of more segments than the pool has frames is dropped by name too`() throws {
        try device(frames: 2) { port, end, foreign in
            let frames = unsafe (0..<3).map { _ in unsafe foreign.packet(count: 100).takeFrame() }
            unsafe frames[0].header.pointee.next = frames[1].header
            unsafe frames[1].header.pointee.next = frames[2].header
            var burst = Burst()
            burst.append(unsafe Packet(adopting: frames[0]))
            #expect(port.transmitCopying(&burst) == 1)
            #expect(port.statistics().drops[.tooLong] == 1 && foreign.free == foreign.capacity)
        }
    }

    @Test func `For a free frame it waits, and nothing is lost or changes places`() throws {
        try device(frames: 2) { port, end, foreign in
            var burst = Burst()
            for byte in 1...5 { burst.append(foreign.packet(byte: UInt8(byte))) }
            var received: [UInt8] = []
            for round in 1...3 {
                #expect(port.transmitCopying(&burst) == min(2, 7 - 2 * round))
                #expect(port.transmitCopying(&burst) == 0)
                var arrived = Burst()
                end.receive(into: &arrived)
                while let packet = arrived.popFirst() { received.append(packet.bytes.firstByte) }
            }
            #expect(received == [1, 2, 3, 4, 5])
            #expect(port.statistics().drops.total == 0)
        }
    }
}
