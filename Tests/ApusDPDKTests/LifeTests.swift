import ApusPorts
import ApusRings
import CDPDK
import Glibc
import Testing

@testable import ApusDPDK

extension DeviceTests {
    @Test func `A device opens and closes a hundred times, and no memory is lost`() throws {
        let rings = try Rings()
        // A quarter of DPDK's memory each time.
        var options = DPDKOptions()
        options.framesPerQueue = 16384
        for round in 0..<100 {
            var ports = try JoinedPorts(rings, options)
            let sent = [[UInt8]](repeating: [UInt8](repeating: UInt8(round), count: 60), count: 100)
            #expect(try ports.first.send(sent, to: &ports.second) == sent)
            var burst = Burst()
            // What nobody receives is no loss either.
            for _ in 0..<20 { burst.append(try ports.second.packet(sent[0])) }
            ports.second.transmit(&burst)
        }
        #expect(MbufMemory.retiredCount == 0)
        #expect(rings.waiting == [0, 0])
    }

    @Test func `Frames that went from port to port leave nothing behind when both are closed`() throws {
        let rings = (try Rings(), try Rings())
        for _ in 0..<3 {
            var near = try JoinedPorts(rings.0)
            var far = try JoinedPorts(rings.1)
            var burst = Burst()
            for _ in 0..<20 {
                for _ in 0..<64 { burst.append(try near.first.packet([UInt8](repeating: 1, count: 60))) }
                near.first.transmit(&burst)
                near.second.receive(into: &burst)
                far.first.transmit(&burst)
                far.second.receive(into: &burst)
                burst.removeAll()
            }
            let packet = try far.first.packet([1])
            _ = consume packet
        }
        #expect(MbufMemory.retiredCount == 0)
    }

    @Test func `Packets outlive their port, and can be sent by another`() throws {
        var held = Burst()
        do {
            var ports = try JoinedPorts()
            for number in 0..<8 as Range<UInt8> {
                held.append(try ports.first.packet([UInt8](repeating: number, count: 60)))
            }
        }
        #expect(MbufMemory.retiredCount == 1)
        var others = try JoinedPorts()
        #expect(others.first.transmit(&held) == 8)
        others.second.receive(into: &held)
        var numbers: [UInt8] = []
        held.forEach { numbers.append($0.octets[59]) }
        #expect(numbers == Array(0..<8))
        _ = held.popFirst()
        #expect(MbufMemory.retiredCount == 1)
        // By DPDK, which does not say so to a frame's pool.
        #expect(others.second.transmit(&held) == 7)
        #expect(MbufMemory.retiredCount == 1)
        others.first.receive(into: &held)
        held.removeAll()
        #expect(MbufMemory.retiredCount == 0)
    }

    @Test func `A queue is opened again while packets of it are held, which stay as they are`() throws {
        try Self.startDPDK()
        let interface = try DPDKInterface(Self.name("net_null"), JoinedPorts.small)
        var burst = Burst()
        do {
            var port = try interface.open()
            #expect(port.receive(into: &burst) > 8)
            while burst.count > 8 { _ = burst.popFirst() }
            burst.forEach { $0.timestamp = 5 }
            let error = try #require(throws: DPDKError.self) { _ = try interface.open() }
            #expect("\(error)".hasSuffix("queue 0 is open already"))
        }
        var port = try interface.open()
        burst.forEach { #expect($0.timestamp == 5 && $0.count == 64) }
        #expect(port.driver.pool.free + port.driver.framesInside + 8 == JoinedPorts.frames)
        burst.removeAll()
        #expect(port.driver.pool.free + port.driver.framesInside == JoinedPorts.frames)
        let home = port.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `A port goes from thread to thread, and its packets come home from any`() throws {
        var ports = try JoinedPorts()
        var burst = Burst()
        for round in 0..<20 {
            ports.first.handOver()
            ports.second.handOver()
            let box = Box(consume ports)
            let thread = Thread(box) { box in
                var ports = box.take()
                var burst = Burst()
                for _ in 0..<64 {
                    if let packet = try? ports.first.packet([UInt8](repeating: 3, count: 60)) {
                        burst.append(packet)
                    }
                }
                ports.first.transmit(&burst)
                ports.second.receive(into: &burst)
                ports.first.handOver()
                ports.second.handOver()
                return (Box(ports), Box(burst))
            }
            let result = thread.join()
            ports = result.0.take()
            burst = result.1.take()
            #expect(burst.count == 64, "round \(round)")
            burst.removeAll()
        }
        let free = ports.first.driver.pool.free + ports.second.driver.pool.free
        #expect(ports.frames(held: free) == 2 * JoinedPorts.frames)
        let home = ports.first.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `Queues of a device are ports of their own, each on a thread`() throws {
        try Self.startDPDK()
        var options = JoinedPorts.small
        options.queues = 2
        let interface = try DPDKInterface(Self.name("net_null"), options)
        let threads = try (0..<2).map { queue in
            Thread(Box(try interface.open(queue: queue))) { box in
                var port = box.take()
                var burst = Burst()
                for _ in 0..<5000 {
                    port.receive(into: &burst)
                    port.transmit(&burst)
                    port.flush()
                }
                port.handOver()
                return Box(port)
            }
        }
        var one = threads[0].join().take()
        var two = threads[1].join().take()
        let statistics = (one.statistics(), two.statistics())
        #expect(statistics.0.received >= 100_000 && statistics.1.received >= 100_000)
        #expect(statistics.0.sent == statistics.0.received && statistics.1.sent == statistics.1.received)
        // What one queue received the other sends.
        var burst = Burst()
        let received = one.receive(into: &burst)
        #expect(burst[0].queue == 0)
        #expect(two.transmit(&burst) == received)
        #expect(one.driver.framesInside == JoinedPorts.frames - received)
        #expect(two.driver.framesInside == JoinedPorts.frames + received)
        let home = one.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `A pool that has run dry comes back, also from other threads`() throws {
        try Self.startDPDK()
        var port = try DPDKInterface(Self.name("net_null"), JoinedPorts.small).open()
        for _ in 0..<3 {
            var held: [Box<Burst>] = []
            while true {
                var burst = Burst()
                if port.receive(into: &burst) == 0 { break }
                held.append(Box(burst))
            }
            #expect(held.count >= 6)
            // Some are at hand here, so that those of the other thread are not asked for to make one.
            held.removeLast()
            #expect(port.driver.pool.atHand > 0)
            // The last reference to all of them is the thread's.
            let others = Box(consume held)
            held = []
            _ = Thread(others) { others in others.take().count }.join()
            var received = 0
            for _ in 0..<8 {
                var burst = Burst()
                received += port.receive(into: &burst)
            }
            #expect(received > 64)
        }
        let home = port.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `Every frame can be taken, and all come back`() throws {
        var ports = try JoinedPorts()
        for _ in 0..<3 {
            var held: [Box<Burst>] = []
            var count = 0
            while count < 10 * JoinedPorts.frames {
                var burst = Burst()
                while burst.room > 0, let packet = ports.first.makePacket() { burst.append(packet) }
                if burst.isEmpty { break }
                count += burst.count
                held.append(Box(burst))
            }
            #expect(count == JoinedPorts.frames)
            #expect(ports.first.driver.framesInside == 0)
            held.removeAll()
            #expect(ports.first.driver.pool.free == JoinedPorts.frames)
            // The most of them are DPDK's again with the next look at the device.
            var burst = Burst()
            ports.first.receive(into: &burst)
            #expect(ports.first.driver.pool.free <= DPDKDriver.enough)
            let home = ports.first.home
            #expect(home == JoinedPorts.frames)
        }
    }
}
