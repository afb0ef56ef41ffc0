import ApusPorts
import ApusRings
import ApusWire
import CLinux
import CXDP
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

/// The cases about what descriptors and rings may hold, and what is counted of it.
extension KernelSuiteTests {
    /// Descriptors that are right and wrong in every way the aligned mode knows; `valid` says which the
    /// kernel must send. The octets sent are those of the memory, which is filled with one frame before.
    private func invalidDescriptors(_ mode: XDPMode, _ size: FrameSize) throws {
        try withEnds(
            "inv", mode,
            {
                $0.frameSize = size; $0.multiBuffer = .never
            }
        ) { sender, receiver in
            let memory = sender.driver.memorySize
            let frame = Numbered.frame(1)
            let half = UInt64(size.rawValue)
            let cases: [(XDPDescriptor, valid: Bool)] = [
                // At the very start of the memory.
                (XDPDescriptor(address: 0, length: 64, options: 0), true),
                (XDPDescriptor(address: half * 2, length: 64, options: 0), true),
                // Before the start.
                (XDPDescriptor(address: UInt64(bitPattern: -2), length: 64, options: 0), false),
                // Longer than a frame.
                (XDPDescriptor(address: half * 4, length: 65536, options: 0), false),
                // Up to the end, behind it, and across it.
                (XDPDescriptor(address: memory - 64, length: 64, options: 0), true),
                (XDPDescriptor(address: memory, length: 64, options: 0), false),
                (XDPDescriptor(address: memory - 32, length: 64, options: 0), false),
                // Across the end of a frame.
                (XDPDescriptor(address: half * 8 - 32, length: 64, options: 0), false),
                // Across 2 KiB: wrong only with frames of that size.
                (XDPDescriptor(address: 2048 * 21 - 32, length: 64, options: 0), size == .bytes4096),
                // Options nobody knows.
                (XDPDescriptor(address: half * 10, length: 64, options: 1 << 5), false),
                (XDPDescriptor(address: half * 12, length: 64, options: 0), true),
            ]
            var before: [(UInt64, [UInt8])] = []
            for (entry, valid) in cases where valid {
                before.append((entry.address, sender.driver.write(frame, at: entry.address)))
            }
            sender.driver.submitRaw(cases.map(\.0))
            for (address, octets) in before { sender.driver.write(octets, at: address) }
            let valid = cases.filter(\.valid).count
            expectEqual(receiver.receive(valid, quietAfter: 200), Array(repeating: frame, count: valid))
            let refused = sender.driver.kernelStatistics.transmitInvalidDescriptors
            #expect(refused == UInt64(cases.count - valid))
            #expect(sender.statistics().drops[.invalidDescriptor] == refused)
            // The port goes on.
            sender.send([Numbered.frame(9)])
            expectEqual(receiver.receive(1), [Numbered.frame(9)])
        }
    }

    @Test(arguments: modes)
    func ALIGNED_INV_DESC(_ mode: XDPMode) throws { try invalidDescriptors(mode, .bytes4096) }

    @Test(arguments: modes)
    func ALIGNED_INV_DESC_2K_FRAME_SIZE(_ mode: XDPMode) throws { try invalidDescriptors(mode, .bytes2048) }

    @Test(arguments: modes)
    func STAT_RX_DROPPED(_ mode: XDPMode) throws {
        // Longer than a frame, and no second frame allowed.
        try withEnds(
            "rxdrop", mode, mtu: 3000, { $0.frameSize = .bytes4096 },
            receiver: {
                $0.frameSize = .bytes2048
                $0.multiBuffer = .never
            }
        ) { sender, receiver in
            sender.send((0..<100).map { Numbered.frame($0, length: 2900) })
            sender.send([Numbered.frame(5)])
            expectEqual(receiver.receive(1), [Numbered.frame(5)])
            #expect(receiver.driver.kernelStatistics.receiveDropped == 100)
            #expect(receiver.statistics().drops[.kernel] == 100)
        }
    }

    @Test(arguments: modes)
    func STAT_TX_INVALID(_ mode: XDPMode) throws {
        try withEnds("txinv", mode) { sender, receiver in
            sender.driver.submitRaw(
                (0..<64).map { _ in XDPDescriptor(address: 1 << 40, length: 64, options: 0) })
            #expect(sender.driver.kernelStatistics.transmitInvalidDescriptors == 64)
            #expect(sender.statistics().drops[.invalidDescriptor] == 64)
        }
    }

    @Test(arguments: modes)
    func STAT_RX_FULL(_ mode: XDPMode) throws {
        try withEnds("rxfull", mode, receiver: { $0.receiveRing = 128 }) { sender, receiver in
            sender.send((0..<512).map { Numbered.frame($0) })
            sender.settle(inside: 4096)
            #expect(receiver.driver.kernelStatistics.receiveRingFull == 512 - 128)
            #expect(receiver.statistics().drops[.receiveRingFull] == 512 - 128)
            expectEqual(receiver.receive(512, quietAfter: 100), (0..<128).map { Numbered.frame($0) })
        }
    }

    @Test(arguments: modes)
    func STAT_FILL_EMPTY(_ mode: XDPMode) throws {
        // 16 frames, of which the kernel gets 8.
        try withEnds("fillempty", mode, receiver: { $0.framesPerQueue = 16 }) { sender, receiver in
            sender.send((0..<64).map { Numbered.frame($0) })
            sender.settle(inside: 4096)
            #expect(receiver.driver.kernelStatistics.fillRingEmpty >= 56)
            #expect(receiver.statistics().drops[.fillRingEmpty] == 56)
            #expect(receiver.statistics().drops[.kernel] == 0)
            // Once they are read, frames go back to the kernel and traffic goes on.
            #expect(receiver.receive(8).count == 8)
            sender.send([Numbered.frame(99)])
            expectEqual(receiver.receive(1), [Numbered.frame(99)])
        }
    }

    @Test(arguments: modes)
    func ALIGNED_INV_DESC_MULTI_BUFF(_ mode: XDPMode) throws {
        try withEnds("invmb", mode, mtu: 9000) { sender, receiver in
            if try sender.lacksMultiBuffer() { return }
            let frame = Numbered.frame(1, length: 200)
            let (first, second) = (UInt64(320), UInt64(2048 + 320))
            sender.driver.write(frame, at: first)
            sender.driver.write(Array(frame.dropFirst(100)), at: second)
            let more = XDPDescriptor.continued
            let cases: [([XDPDescriptor], valid: Bool)] = [
                (
                    [
                        .init(address: first, length: 100, options: more),
                        .init(address: second, length: 100, options: 0),
                    ], true
                ),
                // A middle, a first and a last part that lie outside, and one that is too long.
                (
                    [
                        .init(address: first, length: 100, options: more),
                        .init(address: 1 << 40, length: 50, options: more),
                        .init(address: second, length: 100, options: 0),
                    ], false
                ),
                (
                    [
                        .init(address: 1 << 40, length: 100, options: more),
                        .init(address: second, length: 100, options: 0),
                    ], false
                ),
                (
                    [
                        .init(address: first, length: 100, options: more),
                        .init(address: 1 << 40, length: 100, options: 0),
                    ], false
                ),
                (
                    [
                        .init(address: first, length: 100, options: more),
                        .init(address: second, length: 4096, options: 0),
                    ], false
                ),
                ([.init(address: first, length: 200, options: 0)], true),
            ]
            sender.driver.submitRaw(cases.flatMap(\.0))
            let valid = cases.filter(\.valid).count
            expectEqual(receiver.receive(valid, quietAfter: 200), Array(repeating: frame, count: valid))
            #expect(sender.driver.kernelStatistics.transmitInvalidDescriptors > 0)
        }
    }

    @Test(arguments: modes)
    func TOO_MANY_FRAGS(_ mode: XDPMode) throws {
        try withEnds("frags", mode, mtu: 9000, { $0.framesPerQueue = 512 }) { sender, receiver in
            if try sender.lacksMultiBuffer() { return }
            // 18 descriptors are the most that fit in a socket buffer. The driver refuses more by itself.
            func chain(_ segments: Int, _ port: inout Port<XDPDriver>) -> Packet {
                let frame = Numbered.frame(segments, length: segments * 64)
                var (first, last): (Frame?, Frame?) = (nil, nil)
                for index in 0..<segments {
                    var packet = port.makePacket()!
                    packet.fill(Array(frame[index * 64..<(index + 1) * 64]))
                    let raw = unsafe packet.takeFrame()
                    if let last = unsafe last {
                        unsafe last.header.pointee.next = raw.header
                    } else {
                        unsafe first = raw
                    }
                    unsafe last = raw
                }
                return unsafe Packet(adopting: first!)
            }
            let free = sender.driver.pool.free
            var burst = Burst()
            for segments in [17, 18, 19, 2] { burst.append(chain(segments, &sender)) }
            #expect(sender.transmit(&burst) == 4)
            sender.flush()
            expectEqual(
                receiver.receive(3, quietAfter: 200), [17, 18, 2].map { Numbered.frame($0, length: $0 * 64) })
            #expect(sender.statistics().drops[.tooLong] == 1)
            sender.settle(inside: 256)
            #expect(sender.driver.pool.free == free)
            // And so does the kernel, when it is given more all the same.
            sender.driver.submitRaw(
                (0..<19).map {
                    XDPDescriptor(address: UInt64($0) * 2048 + 320, length: 64, options: $0 < 18 ? 1 : 0)
                })
            #expect(receiver.receive(1, quietAfter: 100).isEmpty)
            sender.send([Numbered.frame(5)])
            expectEqual(receiver.receive(1), [Numbered.frame(5)])
        }
    }

    @Test(arguments: modes)
    func TX_QUEUE_CONSUMER(_ mode: XDPMode) throws {
        // In copy mode one sendto(2) sends no more than a budget of 32; the ring's consumer index says how far
        // it came, and a flush goes on until all is sent.
        try withEnds("consumer", mode) { sender, receiver in
            var burst = Burst()
            for number in 0..<256 {
                var packet = sender.makePacket()!
                packet.fill(Numbered.frame(number))
                burst.append(packet)
                if burst.room == 0 { #expect(sender.transmit(&burst) == 64) }
            }
            #expect(unsafe sender.driver.transmitRing.pending() == 256)
            let code = sendto(sender.driver.readyDescriptor, nil, 0, APUS_MSG_DONTWAIT, nil, 0)
            #expect(code == -1 && errno == EAGAIN)
            let left = unsafe sender.driver.transmitRing.pending()
            if left == 256 {
                print("TX_QUEUE_CONSUMER: before Linux 6.17 the index is published with the next call")
            } else {
                #expect(left == 256 - 32)
            }
            sender.flush()
            #expect(unsafe sender.driver.transmitRing.pending() == 0)
            #expect((7...9).contains(sender.driver.wakeups.transmit))
            expectEqual(receiver.receive(256), (0..<256).map { Numbered.frame($0) })
        }
    }
}

/// The TX ring as the kernel sees it, past the driver's checks.
extension XDPDriver {
    var memorySize: UInt64 { slotCount << shift }

    /// Writes into the memory and gives what was there: it may be a frame's header.
    @discardableResult
    func write(_ octets: [UInt8], at address: UInt64) -> [UInt8] {
        let place = unsafe UnsafeMutableRawBufferPointer(start: base + Int(address), count: octets.count)
        let before = unsafe Array(place)
        unsafe place.copyBytes(from: octets)
        return before
    }

    mutating func submitRaw(_ entries: [XDPDescriptor]) {
        #expect(unsafe transmitRing.reserve(UInt32(entries.count)) >= entries.count)
        for (index, entry) in entries.enumerated() { unsafe transmitRing.write(entry, at: UInt32(index)) }
        unsafe transmitRing.submit(UInt32(entries.count))
        for _ in 0..<200 where unsafe transmitRing.pending() > 0 {
            _ = sendto(readyDescriptor, nil, 0, APUS_MSG_DONTWAIT, nil, 0)
            reclaim()
        }
        #expect(unsafe transmitRing.pending() == 0)
    }
}
