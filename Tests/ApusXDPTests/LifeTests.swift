import ApusPorts
import ApusRings
import ApusWire
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

@Suite("AF_XDP port life", .requires(.root))
struct LifeTests {
    @Test(arguments: [XDPMode.native, .generic])
    func `Closing a port gives every frame back, wherever it was`(_ mode: XDPMode) throws {
        let net = try Pair("close")
        defer { net.lab.close() }
        let wire = try net.a.enter { try Wire("va") }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(mode))
            try interface.add(Endpoint("192.0.2.2:5004")!)
            for round in 0..<4 {
                var port = try interface.open(queue: 0)
                // Frames in the fill ring, unread in the RX ring, queued to be sent, and done.
                for number in 0..<100 { try wire.send(Numbered.frame(number)) }
                port.wait(milliseconds: 1000)
                var burst = Burst()
                _ = port.receive(into: &burst)
                port.transmit(&burst)
                if round % 2 == 1 { port.flush() }
                _ = consume port
                #expect(interface.freeFrames(queue: 0) == 8192)
            }
        }
    }

    @Test func `Of two queues either can be closed first, and opened again, while the other works`() throws {
        let net = try Pair("reopen", queues: 2)
        defer { net.lab.close() }
        try net.b.enter {
            let interface = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            try interface.add(Endpoint("192.0.2.2:5004")!)
            func arrives(_ port: inout Port<XDPDriver>) throws {
                // Enough flows that this queue gets some.
                try net.a.run(
                    ["bash", "-c", "for n in $(seq 1 64); do echo hello > /dev/udp/192.0.2.2/5004; done"])
                #expect(port.receive(64, quietAfter: 100).count > 0)
            }
            var one: Port<XDPDriver>? = try interface.open(queue: 0)
            var two: Port<XDPDriver>? = try interface.open(queue: 1)
            for _ in 0..<3 {
                // The first socket is the one libxdp ties the UMEM to.
                one = nil
                #expect(interface.freeFrames(queue: 0) == 1024)
                try arrives(&two!)
                one = try interface.open(queue: 0)
                try arrives(&one!)
                two = nil
                #expect(interface.freeFrames(queue: 1) == 1024)
                try arrives(&one!)
                two = try interface.open(queue: 1)
                try arrives(&two!)
            }
            one = nil
            two = nil
            one = try interface.open(queue: 0)
            try arrives(&one!)
        }
    }

    @Test func `An interface that was deleted and made again is opened with the frames of the one before`()
        throws
    {
        let net = try Pair("again")
        defer { net.close() }
        try net.b.enter {
            let former = try XDPInterface("vb", options(.native) { $0.framesPerQueue = 1024 })
            func open() throws {
                let port = try former.open(queue: 0)
                // The frames are in use.
                let busy = #expect(throws: XDPError.self) { _ = try XDPInterface(again: former) }
                #expect(busy?.cause == .queueBusy(0))
                _ = consume port
            }
            try open()
            try net.b.run("ip", "link", "delete", "dev", "vb")
            try former.steering?.detach()
            #expect(throws: XDPError.self) { _ = try XDPInterface(again: former) }
            #expect(former.knownQueues == 1)
            try net.lab.link(net.a, "va", ["192.0.2.1/24"], net.b, "vb", ["192.0.2.2/24"])
            let again = try XDPInterface(again: former)
            #expect(again.memory === former.memory && again.knownQueues == 1 && former.knownQueues == 0)
            try again.add(Endpoint("192.0.2.2:5004")!)
            var port = try again.open(queue: 0)
            #expect(port.driver.pool.free + port.driver.framesInside == 1024)
            // There are no others.
            #expect(throws: XDPError.self) { _ = try former.open(queue: 0) }
            let wire = try net.a.enter { try Wire("va") }
            try wire.send(Numbered.frame(1))
            expectEqual(port.receive(1), [Numbered.frame(1)])
        }
    }

    @Test func `Packets kept beyond the life of port and interface stay valid, and go home when dropped`()
        throws
    {
        let net = try Pair("kept")
        defer { net.lab.close() }
        let wire = try net.a.enter { try Wire("va") }
        try net.b.enter {
            var interface: XDPInterface? = try XDPInterface("vb", options(.native))
            try interface?.add(Endpoint("192.0.2.2:5004")!)
            var burst = Burst()
            func receive(_ count: Int) throws {
                var port = try interface!.open(queue: 0)
                for number in 0..<count { try wire.send(Numbered.frame(number)) }
                for _ in 0..<100 where burst.count < count {
                    port.wait(milliseconds: 10)
                    port.receive(into: &burst)
                }
            }
            try receive(10)
            #expect(interface?.freeFrames(queue: 0) == 8182)
            burst.removeAll()
            #expect(interface?.freeFrames(queue: 0) == 8192)
            try receive(20)
            interface = nil
            for number in 0..<20 {
                let intact = burst[number].octets == Numbered.frame(number)
                #expect(intact)
            }
            burst.removeAll()
        }
    }

    @Test(arguments: [XDPMode.native, .generic])
    func `Busy polling and no need-wakeup are granted, and carry packets`(_ mode: XDPMode) throws {
        let wanted = options(mode) {
            $0.busyPoll = XDPOptions.BusyPoll()
            $0.needWakeup = false
        }
        try withPort("busy", wanted) { port, wire, _, _ in
            let feature = port.grant.features.first { $0.name == "busy-poll" }
            #expect(feature?.granted == "yes")
            #expect(port.grant.features.first { $0.name == "need-wakeup" }?.granted == "no")
            var burst = Burst()
            for number in 0..<20 {
                try wire.send(Numbered.frame(number))
                for _ in 0..<1000 where port.receive(into: &burst) == 0 { usleep(100) }
                port.transmit(&burst)
                port.flush()
                let back = wire.receiveOurs() == Numbered.frame(number)
                #expect(back)
            }
            #expect(port.driver.wakeups.receive > 0 && port.driver.wakeups.transmit >= 20)
        }
    }

    @Test func `What is required and can't be had is an error with the reason, and leaves nothing behind`()
        throws
    {
        let net = try Pair("require")
        defer { net.lab.close() }
        try net.b.enter {
            let error = try #require(throws: XDPError.self) {
                let interface = try XDPInterface("vb", options(.native) { $0.zeroCopy = .required })
                _ = try interface.open(queue: 0)
            }
            guard case .lesserGrant(let required, let reasons) = error.cause else {
                Issue.record("\(error)")
                return
            }
            #expect(required == "zero-copy" && reasons.first?.contains("Operation not supported") == true)
            let other = try #require(throws: XDPError.self) {
                _ = try XDPInterface("vb", options(.generic) { $0.zeroCopy = .required })
            }
            #expect("\(other)" == "vb: required zero-copy, which can't be had: generic mode has none")
            let size = try #require(throws: XDPError.self) {
                _ = try XDPInterface("vb", options(.native) { $0.fillRing = 1000 })
            }
            #expect("\(size)" == "vb: fillRing is 1000, but must be a power of two up to 1048576")
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
    }

    @Test func `Zero-copy refused is said with the reason, and the copy that was granted works`() throws {
        try withPort("grant", options(.native)) { port, _, _, _ in
            let grant = port.grant
            #expect(grant.backend == .xdp && grant.interface == "vb" && grant.queue == 0)
            let zeroCopy = grant.features.first { $0.name == "zero-copy" }
            #expect(zeroCopy?.granted == "no")
            #expect(zeroCopy?.reason == "the driver refused it: Operation not supported")
            #expect(grant.features.first { $0.name == "XDP mode" }?.granted == "native")
        }
    }

    @Test func `Frames of another memory are refused and counted, and copied when that is asked for`() throws
    {
        try withPort("foreign", options(.native)) { port, wire, _, _ in
            let memory = try FrameMemory(frames: 8, frameSize: .bytes2048, hugePages: .never)
            var pool = try memory.makePool(frames: 8)
            var burst = Burst()
            func append() {
                var packet = unsafe Packet(adopting: pool.take()!)
                packet.fill(Numbered.frame(4))
                burst.append(packet)
            }
            append()
            let sendable = port.driver.canSend(burst[0])
            #expect(!sendable)
            #expect(port.transmit(&burst) == 1)
            #expect(port.statistics().drops[.foreignMemory] == 1)
            #expect(pool.free == 8)
            append()
            #expect(port.transmitCopying(&burst) == 1)
            port.flush()
            #expect(pool.free == 8)
            let back = wire.receiveOurs() == Numbered.frame(4)
            #expect(back)
        }
    }

    @Test func `The layout of descriptors and ring words is the kernel's`() {
        #expect(MemoryLayout<XDPDescriptor>.size == 16 && MemoryLayout<XDPDescriptor>.alignment == 8)
        #expect(MemoryLayout<XDPDescriptor>.offset(of: \.length) == 8)
        #expect(MemoryLayout<XDPDescriptor>.offset(of: \.options) == 12)
    }
}
