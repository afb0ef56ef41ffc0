import ApusPorts
import ApusRings
import ApusWire
import CDPDK
import CLinux
import Foundation
import Glibc
import Seeds
import Testing

@testable import ApusDPDK

/// What received packets carry beside their bytes.
extension DeviceTests {
    @Test
    func `The hash of a flow is that of the symmetric key, for both directions, and for no other packet`()
        throws
    {
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small,
            second: Self.options { ($0.flowHash, $0.vlan) = (true, .strip) })
        var random = Seeded(6)
        var burst = Burst()
        for frame in taggedFrames(200, &random, shortest: 60) {
            burst.append(try ports.first.packet(frame))
            ports.first.transmit(&burst)
            // A hash whose key is not ours is none: this device was not asked for one.
            ports.rings.describe(1, flags: APUS_MBUF_RX_RSS_HASH, hash: 0xdead_beef)
            #expect(ports.second.receive(into: &burst) == 1)
            let wanted = unsafe ToeplitzKey.symmetricHash(of: frame.span.bytes)
            let packet = burst.popFirst()!
            #expect(packet.flowHash == wanted && (wanted != nil || packet.flowHash == nil))
        }
        burst.append(try ports.first.packet([UInt8](repeating: 0, count: 60)))
        ports.first.transmit(&burst)
        ports.second.receive(into: &burst)
        #expect(burst[0].flowHash == nil)
    }

    @Test func `A hash that the device has found is taken, and what it has none of gets one`() throws {
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small, second: Self.options { $0.flowHash = true })
        ports.second.driver.offloads.deviceHashes = true
        var random = Seeded(7)
        var burst = Burst()
        for number in 0..<50 as Range<UInt32> {
            let frame = SeededFrame(&random).whole
            burst.append(try ports.first.packet(frame))
            ports.first.transmit(&burst)
            let isKnown = number % 2 == 0
            ports.rings.describe(1, flags: isKnown ? APUS_MBUF_RX_RSS_HASH : 0, hash: number)
            #expect(ports.second.receive(into: &burst) == 1)
            let software = unsafe ToeplitzKey.symmetricHash(of: frame.span.bytes)
            let packet = burst.popFirst()!
            #expect(packet.flowHash == (isKnown ? number : software))
        }
    }

    @Test func `The time that a device's clock had is taken, and what it has none of gets the host's`() throws
    {
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small, second: Self.options { $0.timestamps = true })
        var clock = DeviceClock(.ticks)
        let now = apus_clock(CLOCK_REALTIME)
        // Ten nanoseconds a tick.
        clock.begin(
            .init(ticks: 5_000_000, nanoseconds: now - 10_000_000), .init(ticks: 6_000_000, nanoseconds: now))
        ports.second.driver.offloads.clock = clock
        var burst = Burst()
        for ticks in [6_000_000, 6_000_123, 5_999_000] as [UInt64] {
            burst.append(try ports.first.packet([UInt8](repeating: 1, count: 60)))
            ports.first.transmit(&burst)
            ports.rings.describe(1, flags: clock.flag, time: ticks, at: clock.offset)
            #expect(ports.second.receive(into: &burst) == 1)
            let packet = burst.popFirst()!
            #expect(packet.flags == .hardwareTimestamp)
            #expect(Int64(bitPattern: packet.timestamp &- now) == 10 * (Int64(ticks) - 6_000_000))
        }
        burst.append(try ports.first.packet([UInt8](repeating: 1, count: 60)))
        ports.first.transmit(&burst)
        #expect(ports.second.receive(into: &burst) == 1)
        #expect(burst[0].timestamp >= now && burst[0].flags == [])
    }

    @Test func `A frame that was used before carries no tag, hash or time of that packet`() throws {
        var ports = try JoinedPorts()
        for _ in 0..<3 {
            var burst = Burst()
            for _ in 0..<64 {
                var packet = try ports.first.packet([UInt8](repeating: 1, count: 60))
                (packet.vlan, packet.timestamp) = (3, 4)
                unsafe packet.rawFrame.header.pointee.flowHash = 5
                packet.flags.insert([.flowHash, .hardwareTimestamp, .checksumVerified])
                burst.append(packet)
            }
            ports.first.transmit(&burst)
            #expect(ports.second.receive(into: &burst) == 64)
            burst.forEach {
                #expect($0.vlan == nil && $0.flowHash == nil && $0.timestamp == 0 && $0.flags == [])
                #expect($0.count == 64)
            }
        }
        let packet = ports.second.makePacket()!
        #expect(packet.vlan == nil && packet.flowHash == nil && packet.flags == [] && packet.timestamp == 0)
    }

    @Test func `A burst is stamped with the time at which it was received, where that is asked for`() throws {
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small, second: Self.options { $0.timestamps = true })
        var burst = Burst()
        for _ in 0..<3 { burst.append(try ports.first.packet([UInt8](repeating: 1, count: 60))) }
        ports.first.transmit(&burst)
        let before = apus_clock(CLOCK_REALTIME)
        ports.second.receive(into: &burst)
        let after = apus_clock(CLOCK_REALTIME)
        burst.forEach {
            #expect($0.timestamp >= before && $0.timestamp <= after && $0.flags == [])
        }
        #expect(burst[0].timestamp == burst[2].timestamp)
    }

    @Test func `net_pcap tells when its packets were captured`() throws {
        try Self.startDPDK()
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "apus-times-\(getpid()).pcap"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let times = (0..<40).map { UInt64(1_700_000_000_000_000 + 1_234_567 * $0) * 1000 }
        do {
            var port = Port(try CaptureDriver(writing: path))
            var burst = Burst()
            for time in times {
                guard var packet = port.makePacket() else { throw NoFrame() }
                packet.set([UInt8](repeating: 1, count: 60))
                packet.timestamp = time
                burst.append(packet)
            }
            port.transmit(&burst)
            try port.intoDriver().finish()
        }
        let options = Self.options { $0.timestamps = true }
        var port = try DPDKInterface("\(Self.name("net_pcap")),rx_pcap=\(path)", options).open()
        var burst = Burst()
        for _ in 0..<10 where burst.count < 40 { port.receive(into: &burst) }
        var got: [UInt64] = []
        burst.forEach {
            got.append($0.timestamp)
            #expect($0.flags == [])
        }
        #expect(got == times)
        #expect(
            port.grant.features.contains(.init("receive timestamps", requested: "device", granted: "device")))
    }
}
