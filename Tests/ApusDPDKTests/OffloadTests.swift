import ApusPorts
import ApusRings
import CDPDK
import Seeds
import Testing

@testable import ApusDPDK

/// What is done beside moving packets, over devices that do none of it and over such as say that they did.
extension DeviceTests {
    static func options(_ change: (inout DPDKOptions) -> Void) -> DPDKOptions {
        var options = JoinedPorts.small
        change(&options)
        return options
    }

    /// A packet as it was received.
    private struct Seen: Equatable {
        var octets: [UInt8]
        var tag: UInt16?
    }

    /// Sends frames as they are, and gives what the other port makes of them.
    private func seen(_ frames: [[UInt8]], _ ports: inout JoinedPorts, tag: UInt16? = nil) throws -> [Seen] {
        var burst = Burst()
        var seen: [Seen] = []
        for frame in frames {
            burst.append(try ports.first.packet(frame))
            #expect(ports.first.transmit(&burst) == 1)
            if let tag { ports.rings.describe(1, flags: APUS_MBUF_RX_VLAN_STRIPPED, tag: tag) }
            #expect(ports.second.receive(into: &burst) == 1)
            let packet = burst.popFirst()!
            seen.append(Seen(octets: packet.octets, tag: packet.vlan))
        }
        return seen
    }

    @Test func `Tags are taken off and put back, and all that leaves is as it came`() throws {
        var random = Seeded(1)
        let frames = taggedFrames(600, &random)
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small, second: Self.options { $0.vlan = .strip })
        let wanted = frames.map { frame in
            let (octets, tag) = stripped(frame)
            return Seen(octets: octets, tag: tag)
        }
        #expect(wanted.filter { $0.tag != nil }.count > 250)
        #expect(try seen(frames, &ports) == wanted)
        let counted = ports.second.statistics().receivedBytes
        #expect(counted == UInt64(wanted.reduce(0) { $0 + $1.octets.count }))
        // In bursts, there and back: tagged ones and others mixed.
        var burst = Burst()
        var back: [[UInt8]] = []
        for start in stride(from: 0, to: frames.count, by: 50) {
            for frame in frames[start..<start + 50] { burst.append(try ports.first.packet(frame)) }
            #expect(ports.first.transmit(&burst) == 50 && ports.second.receive(into: &burst) == 50)
            #expect(ports.second.transmit(&burst) == 50 && ports.first.receive(into: &burst) == 50)
            while let packet = burst.popFirst() {
                #expect(packet.vlan == nil && packet.flags == [])
                back.append(packet.octets)
            }
        }
        #expect(back == frames)
        let statistics = ports.second.statistics()
        #expect(statistics.sentBytes == UInt64(frames.reduce(0) { $0 + $1.count }))
        #expect(statistics.drops.total == 0)
        let home = ports.second.home
        #expect(home == JoinedPorts.frames)
    }

    @Test func `What a device has taken off is no other than what software does, and is put back unasked`()
        throws
    {
        var random = Seeded(2)
        let frames = taggedFrames(200, &random).filter { stripped($0).tag != nil }
        var strips = try JoinedPorts(
            Rings(), first: JoinedPorts.small, second: Self.options { $0.vlan = .strip })
        var keeps = try JoinedPorts()
        for frame in frames {
            let (octets, tag) = stripped(frame)
            #expect(try seen([octets], &strips, tag: tag) == [Seen(octets: octets, tag: tag)])
            #expect(try seen([octets], &keeps, tag: tag) == [Seen(octets: frame, tag: nil)])
        }
        // Of a packet with two tags a device takes one.
        let twice = SeededFrame(&random, tags: [(0x8100, 1), (0x8100, 2)]).whole
        let once = stripped(twice).octets
        #expect(try seen([once], &strips, tag: 1) == [Seen(octets: once, tag: 1)])
    }

    @Test func `A device is asked for what it can, and for a hash where that is ours`() {
        var (info, options) = (apus_port_info(), DPDKOptions())
        (options.vlan, options.flowHash) = (.strip, true)
        (info.rx_offloads, info.tx_offloads) = (.max, .max)
        (info.rss_types, info.rss_key_size) = (.max, 40)
        let all = Offloads(info, options)
        #expect(all.receiveFlags == APUS_RX_UDP_CKSUM | APUS_RX_VLAN_STRIP | APUS_RX_RSS_HASH)
        #expect(all.transmitFlags == APUS_TX_UDP_CKSUM | APUS_TX_TCP_CKSUM | APUS_TX_VLAN_INSERT)
        // A key that can't be set, and one over addresses only.
        info.rss_key_size = 0
        #expect(!Offloads(info, options).deviceHashes)
        (info.rss_key_size, info.rss_types) = (40, APUS_RSS_ADDRESSES)
        #expect(!Offloads(info, options).deviceHashes)
        // A card that inserts tags only while it strips them is not asked to where it can't.
        info.rx_offloads = 0
        let none = Offloads(info, options)
        #expect(none.stripsTags && !none.deviceStrips && !none.deviceInserts && none.receiveFlags == 0)
        #expect(Offloads(info, DPDKOptions()).transmitFlags == APUS_TX_UDP_CKSUM | APUS_TX_TCP_CKSUM)
        options.checksumOffload = false
        #expect(Offloads(info, options).transmitFlags == 0)
    }

    @Test func `Who does what is in the grant, and why not the device`() throws {
        var ports = try JoinedPorts(
            Rings(), first: JoinedPorts.small,
            second: Self.options { ($0.vlan, $0.flowHash, $0.timestamps) = (.strip, true, true) })
        func feature(_ name: String, _ grant: PortGrant) -> PortGrant.Feature? {
            grant.features.first { $0.name == name }
        }
        let (plain, full) = (ports.first.grant, ports.second.grant)
        for name in ["VLAN strip", "VLAN insert", "flow hash", "receive timestamps"] {
            #expect(feature(name, plain) == .init(name, requested: "no", granted: "no"))
            let reason = "the driver net_ring has none"
            #expect(
                feature(name, full) == .init(name, requested: "device", granted: "software", reason: reason))
        }
        for name in ["UDP checksum", "transmit checksum"] {
            #expect(feature(name, plain)?.granted == "software" && feature(name, plain)?.reason != nil)
        }
        let burst = Burst()
        #expect(burst.isEmpty && ports.first.statistics().sent == 0)
    }
}
