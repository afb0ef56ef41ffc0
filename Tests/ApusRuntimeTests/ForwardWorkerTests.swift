import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Testing

@testable import ApusRuntime

@Suite("A forwarder's worker")
struct ForwardWorkerTests {
    static let listen = Endpoint("10.1.0.2:5004")!

    static func stream(
        _ destinations: [Destination], listen: Endpoint = Self.listen, hopLimit: UInt8? = nil, slot: Int = 0,
        generation: UInt64 = 1
    ) -> ForwardingPlan.Stream {
        ForwardingPlan.Stream(
            slot: slot, generation: generation, listen: listen, hopLimit: hopLimit, destinations: destinations
        )
    }

    @Test func `A datagram goes on from the relay's address to the destination, its payload untouched`()
        throws
    {
        var rig = try RelayRig()
        rig.order([Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        rig.send([1, 2, 3], to: Self.listen, hopLimit: 17)
        let arrived = rig.arrivals()
        #expect(arrived.count == 1)
        let packet = try #require(arrived.first)
        #expect(packet.payload == [1, 2, 3])
        #expect(
            "\(packet.headers.source)" == "10.1.0.2:5004"
                && "\(packet.headers.destination)" == "10.2.0.1:5006")
        #expect(packet.source == RelayRig.far && packet.destination == RelayRig.screen)
        #expect(packet.isChecksumRight && packet.headers.hopLimit == 16)
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test(arguments: [
        ("10.1.0.2:5004", "10.1.0.1:4000", "10.2.0.1:5006", "10.2.0.2:5004"),
        ("10.1.0.2:5004", "10.1.0.1:4000", "[2001:db8:2::1]:5006", "[2001:db8:2::2]:5004"),
        ("[2001:db8:1::2]:5004", "[2001:db8:1::1]:4000", "10.2.0.1:5006", "10.2.0.2:5004"),
        ("[2001:db8:1::2]:5004", "[2001:db8:1::1]:4000", "[2001:db8:2::1]:5006", "[2001:db8:2::2]:5004"),
    ])
    func `IPv4 and IPv6 go to either, with right checksums, at every payload length`(
        _ listen: String, _ source: String, _ destination: String, _ from: String
    ) throws {
        var rig = try RelayRig()
        rig.order([Self.stream([RelayRig.ready(destination, from: from)], listen: Endpoint(listen)!)])
        for length in [0, 1, 2, 3, 17, 18, 64, 1199, 1400] {
            let payload = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ length) }
            rig.send(payload, to: Endpoint(listen)!, from: Endpoint(source)!)
            let packet = try #require(rig.arrivals().first)
            #expect(packet.payload == payload && packet.isChecksumRight)
            #expect("\(packet.headers.destination)" == destination && "\(packet.headers.source)" == from)
        }
        let drained = rig.isDrained()
        #expect(drained)
    }

    @Test func `A datagram without checksum stays without over IPv4, and gets one over IPv6`() throws {
        var rig = try RelayRig()
        rig.order([
            Self.stream([
                RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                RelayRig.ready("[2001:db8::1]:5006", from: "[2001:db8::2]:5004"),
            ])
        ])
        rig.send([9, 8, 7], to: Self.listen, checksum: 0)
        let arrived = rig.arrivals()
        #expect(arrived.count == 2)
        for packet in arrived {
            #expect(packet.isChecksumRight && (packet.headers.udpChecksum == 0) == !packet.headers.isIPv6)
        }
    }

    @Test func `A checksum the sender left to its device is completed`() throws {
        var rig = try RelayRig()
        rig.order([Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        let payload: [UInt8] = [1, 2, 3, 4, 5]
        let partial = InternetChecksum(
            pseudoHeader: IPv4Address("10.1.0.1")!, IPv4Address("10.1.0.2")!, .udp, length: payload.count + 8
        ).folded
        rig.send(payload, to: Self.listen, checksum: partial)
        let packet = try #require(rig.arrivals().first)
        #expect(packet.isChecksumRight && packet.headers.udpChecksum != 0)
        #expect(rig.counters.completedChecksums.value == 1)
    }

    @Test func `What became of checksums is in the status, of all workers together`() {
        let counters = RelayCounters(slots: 1)
        counters.completedChecksums.add()
        counters.unverifiedChecksums.add(3)
        var status = ForwarderStatus()
        status.add(counters)
        status.add(counters)
        #expect(status.completedChecksums == 2 && status.unverifiedChecksums == 6)
    }

    @Test func `Damage to the payload is dropped by name`() throws {
        var rig = try RelayRig()
        rig.order([Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        rig.send([1, 2, 3, 4], to: Self.listen, checksum: 0x1234)
        let arrived = rig.arrivals()
        #expect(arrived.isEmpty && rig.drops == ["bad_udp_checksum": 1])
    }

    @Test func `Each further destination gets a copy, the first the packet itself`() throws {
        var rig = try RelayRig()
        rig.order([
            Self.stream((1...4).map { RelayRig.ready("10.2.0.\($0):5006", from: "10.1.0.2:5004") })
        ])
        rig.send([42], to: Self.listen)
        // Three copies came from the pool of the port they leave by; the packet itself is the camera's.
        #expect(rig.cameraPort.driver.pool.free == rig.frames - 1)
        #expect(rig.worker.ports[1].driver.pool.free == rig.frames - 3)
        let arrived = rig.arrivals()
        #expect(Set(arrived.map { "\($0.headers.destination)" }).count == 4)
        #expect(arrived.allSatisfy { $0.payload == [42] && $0.isChecksumRight })
        #expect(rig.counters.copies.value == 4 && rig.counters.sent.value == 4)
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test func `Tags are taken off and put on as the ways in and out have them`() throws {
        let tag = VLANTags(VLANTag(identifier: 100))
        let twice = VLANTags(
            outer: VLANTag(tagProtocol: EtherType(rawValue: 0x88a8), identifier: 7),
            inner: VLANTag(identifier: 8))
        var rig = try RelayRig()
        rig.order([
            Self.stream([
                RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                RelayRig.ready("10.2.0.2:5006", from: "10.1.0.2:5004", tags: twice),
            ])
        ])
        rig.send([5, 5], to: Self.listen, tags: tag)
        let arrived = rig.arrivals().sorted { $0.headers.tags.count < $1.headers.tags.count }
        #expect(arrived.map(\.headers.tags) == [VLANTags(), twice])
        #expect(arrived.allSatisfy { $0.payload == [5, 5] && $0.isChecksumRight })
    }

    @Test func `Packets wait for their next hop in order, and those beyond the bound are dropped by name`()
        throws
    {
        var rig = try RelayRig(waiting: 6)
        let endpoint = Endpoint("10.2.0.1:5006")!
        rig.order([Self.stream([Destination(endpoint, path: .unresolved(neighbor: 0))])])
        for number in 1...5 { rig.send([UInt8(number)], to: Self.listen) }
        #expect(rig.counters.waiting.value == 3 && rig.drops == ["waiting_queue_full": 2])
        let early = rig.arrivals()
        #expect(early.isEmpty)
        rig.order([Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        rig.run()
        #expect(rig.arrivals().map(\.payload) == [[1], [2], [3]])
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test func `Next hops that do not answer leave room for others`() throws {
        var rig = try RelayRig(slots: 8, waiting: 16)
        // Streams 0 and 1 go by one neighbor, each of the others by its own.
        let destinations = (1...8).map { Endpoint("10.2.0.\($0):5006")! }
        func listen(_ slot: Int) -> Endpoint { Endpoint("10.1.0.2:\(5000 + slot)")! }
        rig.order(
            destinations.enumerated().map { slot, endpoint in
                Self.stream(
                    [Destination(endpoint, path: .unresolved(neighbor: max(0, slot - 1)))],
                    listen: listen(slot),
                    slot: slot)
            })
        for _ in 0..<20 { for slot in 0..<2 { rig.send([0], to: listen(slot)) } }
        #expect(rig.counters.waiting.value == 8)
        for _ in 0..<20 { rig.send([2], to: listen(2)) }
        #expect(rig.counters.waiting.value == 12)
        for slot in 3..<8 { rig.send([UInt8(slot)], to: listen(slot)) }
        #expect(rig.counters.streams[7].dropped.value == 1 && rig.counters.waiting.value == 16)
        #expect(rig.counters.streams[6].dropped.value == 0)
        // What went takes nothing of the room any more, whatever its neighbor's number was.
        rig.order([
            Self.stream([Destination(destinations[0], path: .unresolved(neighbor: 5))], listen: listen(0))
        ])
        #expect(rig.counters.waiting.value == 4)
        for _ in 0..<20 { rig.send([0], to: listen(0)) }
        let conserved = rig.isConserved()
        #expect(rig.counters.waiting.value == 8 && conserved)
    }

    @Test func `What can't go on is not copied first`() throws {
        var rig = try RelayRig(frames: 64, waiting: 0)
        rig.order([
            Self.stream([
                RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004"),
                Destination(Endpoint("10.2.0.2:5006")!, path: .unreachable),
                RelayRig.ready("10.2.0.3:5006", from: "10.1.0.2:5004", mtu: 28),
                Destination(Endpoint("10.2.0.4:5006")!, path: .unresolved(neighbor: 0)),
            ])
        ])
        // No frame is left for a copy.
        var near = Burst()
        var far = Burst()
        while let packet = rig.worker.ports[0].makePacket() { near.append(packet) }
        while let packet = rig.worker.ports[1].makePacket() { far.append(packet) }
        rig.send([1], to: Self.listen)
        #expect(rig.drops == ["unreachable": 1, "too_long": 1, "waiting_queue_full": 1])
        #expect(rig.counters.sent.value == 1 && rig.counters.streams[0].dropped.value == 3)
        near.removeAll()
        far.removeAll()
        let arrived = rig.arrivals()
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(arrived.count == 1 && conserved && drained)
    }

    @Test func `A packet whose next hop stays unknown is given up in time, one whose stream went too`() throws
    {
        var rig = try RelayRig()
        let destination = Destination(Endpoint("10.2.0.1:5006")!, path: .unresolved(neighbor: 0))
        rig.order([Self.stream([destination])])
        rig.worker.patience = 0
        rig.send([1], to: Self.listen)
        rig.run()
        #expect(rig.drops == ["unresolved": 1])
        rig.worker.patience = 1_000_000_000
        rig.send([2], to: Self.listen)
        rig.order([Self.stream([destination], generation: 2)])
        #expect(rig.drops == ["unresolved": 1, "stream_removed": 1])
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test func `What can't go on is dropped by name`() throws {
        var rig = try RelayRig()
        rig.order(
            [
                Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004", mtu: 100)]),
                Self.stream(
                    [Destination(Endpoint("10.9.0.1:1")!, path: .unreachable)],
                    listen: Endpoint("10.1.0.2:6000")!, slot: 1
                ),
            ], own: [.v4(IPv4Address("10.1.0.2")!)])
        rig.send([UInt8](repeating: 0, count: 73), to: Self.listen)
        rig.send([1], to: Endpoint("10.1.0.2:6000")!)
        rig.send([1], to: Endpoint("10.1.0.2:7000")!)
        rig.send([1], to: Self.listen, from: Endpoint("10.1.0.2:9")!)
        rig.send([1], to: Self.listen, hopLimit: 1)
        #expect(
            rig.drops == [
                "too_long": 1, "unreachable": 1, "no_stream": 1, "own_address": 1, "hop_limit_exceeded": 1,
            ])
        rig.send([UInt8](repeating: 0, count: 72), to: Self.listen)
        let arrived = rig.arrivals()
        #expect(arrived.count == 1)
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test func `No copy is made for a ring that has no room for it`() throws {
        // 16 in the ring and 64 before it: of the packets to three destinations 26 and two copies of the next, which
        // are all frames that copies can have.
        var rig = try RelayRig(frames: 54, ring: 16)
        rig.order([
            Self.stream(
                ["10.2.0.1:5006", "10.2.0.1:5008", "10.2.0.1:5010"].map {
                    RelayRig.ready($0, from: "10.1.0.2:5004")
                })
        ])
        for number in 0..<40 { rig.send([UInt8(number)], to: Self.listen) }
        #expect(rig.drops == ["transmit_ring_full": 40])
        #expect(rig.counters.sent.value == 80)
        for _ in 0..<20 {
            _ = rig.arrivals()
            rig.run()
        }
        let (conserved, drained) = (rig.isConserved(), rig.isDrained())
        #expect(conserved && drained)
    }

    @Test func `A receiver that does not keep up costs its packets, by name, and no frame`() throws {
        var rig = try RelayRig(frames: 512, ring: 16)
        rig.order([Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")])])
        for number in 0..<200 { rig.send([UInt8(number)], to: Self.listen) }
        #expect(rig.drops["transmit_ring_full"] ?? 0 > 0)
        let conserved = rig.isConserved()
        #expect(conserved)
        var (seen, last) = (0, -1)
        for _ in 0..<20 {
            for packet in rig.arrivals() {
                #expect(Int(packet.payload[0]) > last)
                last = Int(packet.payload[0])
                seen += 1
            }
            rig.run()
        }
        #expect(seen == Int(rig.counters.sent.value))
        let drained = rig.isDrained()
        #expect(drained)
    }

    @Test func `What could not be sent when it is stopped is dropped by name, of its stream too`() throws {
        for sends in [0, 1, 15, 16, 17, 40, 90] {
            var rig = try RelayRig(frames: 512, ring: 16, waiting: 128)
            let second = Endpoint("10.1.0.2:5006")!
            rig.order([
                Self.stream([RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")]),
                Self.stream(
                    [
                        RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5006"),
                        Destination(Endpoint("10.2.0.9:1")!, path: .unresolved(neighbor: 0)),
                    ], listen: second, slot: 1),
            ])
            for number in 0..<sends { rig.send([1], to: number % 2 == 0 ? Self.listen : second) }
            rig.worker.finish(rig.counters)
            #expect(rig.counters.waiting.value == 0 && rig.drops["unresolved"] ?? 0 == sends / 2)
            let (conserved, arrived) = (rig.isConserved(), rig.arrivals())
            #expect(conserved && arrived.count == Int(rig.counters.sent.value), "\(sends)")
            for slot in 0..<2 {
                let stream = StreamFigures(rig.counters.streams[slot], generation: 1)
                let port = slot == 0 ? 5004 : 5006
                #expect(
                    Int(stream?.sent ?? 0) == arrived.count { $0.headers.source.port == port }, "\(sends)")
                let copies = (slot == 0 ? (sends + 1) / 2 : sends / 2 * 2)
                #expect(Int((stream?.sent ?? 0) + (stream?.dropped ?? 0)) == copies, "\(sends)")
            }
        }
    }

    @Test func `Figures stay with a stream over a change of plan, and begin anew for another one`() throws {
        var rig = try RelayRig()
        let destinations = [RelayRig.ready("10.2.0.1:5006", from: "10.1.0.2:5004")]
        rig.order([Self.stream(destinations)])
        rig.send([1], to: Self.listen)
        rig.order([
            Self.stream(destinations),
            Self.stream(destinations, listen: Endpoint("10.1.0.2:1")!, slot: 1, generation: 2),
        ])
        rig.send([1], to: Self.listen)
        #expect(rig.counters.streams[0].packets.value == 2)
        rig.order([Self.stream(destinations, generation: 3)])
        #expect(rig.counters.streams[0].packets.value == 0 && rig.counters.streams[0].generation.value == 3)
    }
}
