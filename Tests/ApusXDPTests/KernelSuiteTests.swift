import ApusPorts
import ApusRings
import ApusWire
import CXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// The cases of the kernel's own AF_XDP test suite (tools/testing/selftests/bpf, test_xsk) that its CI runs,
/// by their names and what they expect, over veth in copy mode, in native (DRV) and generic (SKB) mode.
///
/// Zero-copy mode is not among them: veth has none, and this needs a device that has.
@Suite("Kernel suite", .requires(.root))
struct KernelSuiteTests {
    static let modes: [XDPMode] = [.native, .generic]

    @Test(arguments: modes)
    func SEND_RECEIVE(_ mode: XDPMode) throws {
        try withEnds("sr", mode, { $0.frameSize = .bytes4096 }) { sender, receiver in
            let frames = (0..<4096).map { Numbered.frame($0) }
            for start in stride(from: 0, to: 4096, by: 512) {
                let part = Array(frames[start..<start + 512])
                sender.send(part)
                expectEqual(receiver.receive(512), part)
            }
            #expect(sender.statistics().sent == 4096 && receiver.statistics().received == 4096)
            #expect(receiver.statistics().drops.total == 0)
        }
    }

    @Test(arguments: modes)
    func SEND_RECEIVE_2K_FRAME(_ mode: XDPMode) throws {
        try withEnds("sr2k", mode, { $0.frameSize = .bytes2048 }) { sender, receiver in
            let frames = (0..<1024).map { Numbered.frame($0, length: 64 + $0) }
            for start in stride(from: 0, to: 1024, by: 256) {
                let part = Array(frames[start..<start + 256])
                sender.send(part)
                expectEqual(receiver.receive(256), part)
            }
        }
    }

    @Test(arguments: modes)
    func SEND_RECEIVE_SINGLE_PKT(_ mode: XDPMode) throws {
        try withEnds("single", mode) { sender, receiver in
            sender.send([Numbered.frame(7)])
            expectEqual(receiver.receive(1), [Numbered.frame(7)])
        }
    }

    @Test(arguments: modes)
    func POLL_RX(_ mode: XDPMode) throws {
        try withEnds("pollrx", mode) { sender, receiver in
            for number in 0..<100 {
                sender.send([Numbered.frame(number)])
                var ready = pollfd(fd: receiver.driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
                #expect(unsafe poll(&ready, 1, 2000) == 1 && ready.revents & Int16(POLLIN) != 0)
                expectEqual(receiver.receive(1), [Numbered.frame(number)])
            }
        }
    }

    @Test(arguments: modes)
    func POLL_TX(_ mode: XDPMode) throws {
        try withEnds("polltx", mode) { sender, receiver in
            // poll(2) for writing drives transmission too, without a flush of ours.
            var burst = Burst()
            for number in 0..<32 {
                var packet = sender.makePacket()!
                packet.fill(Numbered.frame(number))
                burst.append(packet)
            }
            #expect(sender.transmit(&burst) == 32)
            #expect(sender.driver.wakeups.transmit == 0)
            var ready = pollfd(fd: sender.driver.readyDescriptor, events: Int16(POLLOUT), revents: 0)
            #expect(unsafe poll(&ready, 1, 2000) == 1 && ready.revents & Int16(POLLOUT) != 0)
            expectEqual(receiver.receive(32), (0..<32).map { Numbered.frame($0) })
        }
    }

    @Test(arguments: modes)
    func POLL_RXQ_FULL(_ mode: XDPMode) throws {
        try withEnds("pollrxfull", mode, receiver: { $0.receiveRing = 64 }) { sender, receiver in
            // Nobody sends: poll comes back when its time is over.
            var ready = pollfd(fd: receiver.driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
            #expect(unsafe poll(&ready, 1, 100) == 0)
            // Nobody reads: poll says readable at once, and the port survives to be read later.
            sender.send((0..<256).map { Numbered.frame($0) })
            #expect(unsafe poll(&ready, 1, 2000) == 1)
            expectEqual(receiver.receive(64), (0..<64).map { Numbered.frame($0) })
            sender.send([Numbered.frame(1000)])
            expectEqual(receiver.receive(1), [Numbered.frame(1000)])
        }
    }

    @Test(arguments: modes)
    func POLL_TXQ_FULL(_ mode: XDPMode) throws {
        try withEnds("polltxfull", mode, { $0.transmitRing = 32 }) { sender, receiver in
            // The ring is filled behind the driver's back, so that it can't be drained by it.
            let descriptor = sender.driver.readyDescriptor
            let free = unsafe sender.driver.transmitRing.reserve(32)
            #expect(free == 32)
            for index in 0..<32 as Range<UInt32> {
                unsafe sender.driver.transmitRing.write(
                    XDPDescriptor(address: UInt64(index) * 2048 + 320, length: 64, options: 0), at: index)
            }
            unsafe sender.driver.transmitRing.submit(32)
            #expect(unsafe sender.driver.transmitRing.reserve(1) == 0)
            // In copy mode poll itself makes room; it must come back within its time.
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            #expect(unsafe poll(&ready, 1, 1000) == 1)
            #expect(unsafe sender.driver.transmitRing.reserve(32) == 32)
            _ = receiver.receive(1, quietAfter: 50)
        }
    }

    @Test(arguments: modes)
    func UMEM_HEADROOM(_ mode: XDPMode) throws {
        try withEnds("headroom", mode) { sender, receiver in
            sender.send([Numbered.frame(3)])
            receiver.wait(milliseconds: 1000)
            var burst = Burst()
            #expect(receiver.receive(into: &burst) == 1)
            // 64 octets of header, which the kernel does not touch, and its own 256.
            let packet = burst.popFirst()!
            #expect(packet.headroom == 256)
            #expect(unsafe packet.rawFrame.header.pointee.offset == 320)
            #expect(unsafe packet.rawFrame.header.pointee.slotSize == 2048)
            expectEqual([packet.octets], [Numbered.frame(3)])
        }
    }

    @Test(arguments: modes)
    func BIDIRECTIONAL(_ mode: XDPMode) throws {
        let net = try Pair("bidi")
        defer { net.lab.close() }
        let first = try net.a.enter { try XDPInterface("va", options(mode)) }
        let second = try net.b.enter { try XDPInterface("vb", options(mode)) }
        try first.add(Endpoint("192.0.2.1:5004")!)
        try second.add(Endpoint("192.0.2.2:5004")!)
        var a = try net.a.enter { try first.open(queue: 0) }
        var b = try net.b.enter { try second.open(queue: 0) }
        try net.b.enter {
            for round in 0..<20 {
                let there = (0..<100).map { Numbered.frame(round * 100 + $0) }
                let back = (0..<100).map {
                    Numbered.frame(round * 100 + $0, length: 900, to: "192.0.2.1:5004")
                }
                a.send(there)
                b.send(back)
                expectEqual(b.receive(100), there)
                expectEqual(a.receive(100), back)
            }
            a.handOver()
            b.handOver()
        }
        try net.a.enter { try first.steering?.detach() }
        try net.b.enter { try second.steering?.detach() }
    }
}
