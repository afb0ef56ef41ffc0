import ApusRTP
import ApusRings
import ApusWire
import Seeds
import Testing

@Suite("The relay") struct RelayTests {
    private static let both = ForwardingPlan.listening(Traffic.v4, Traffic.v6)

    /// Frames that are refused, with the reason.
    private static var refusals: [(reason: ParseFailure, frame: [UInt8])] {
        let good = Traffic.frame(Traffic.rtp(1))
        let six = Traffic.frame(Traffic.rtp(1), to: Traffic.v6)
        func changed(_ frame: [UInt8], _ offset: Int, _ value: UInt8, fix: Bool = true) -> [UInt8] {
            var frame = frame
            frame[offset] = value
            if fix, offset >= 14, offset < 34 {
                (frame[24], frame[25]) = (0, 0)
                let checksum = InternetChecksum.of(Array(frame[14..<34]).raw)
                (frame[24], frame[25]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
            }
            return frame
        }
        let tag: [UInt8] = [0x81, 0, 0, 1]
        return [
            (.truncatedEthernet, Array(good[..<13])),
            (.truncatedEthernet, good[..<12] + [0x81, 0]),
            (.tooManyVLANTags, good[..<12] + tag + tag + tag + good[12...]),
            (.notIP, changed(good, 13, 6, fix: false)),
            (.truncatedIP, Array(good[..<40])),
            (.badIPVersion, changed(good, 14, 0x55)),
            (.badIPHeaderLength, changed(good, 14, 0x44)),
            (.badIPTotalLength, changed(good, 17, 10)),
            (.badIPHeaderChecksum, changed(good, 24, good[24] ^ 1, fix: false)),
            (.badIPOption, Traffic.withOptions([7, 1, 0, 0], good)),
            (.sourceRoute, Traffic.withOptions([131, 3, 4, 0], good)),
            (.firstFragment, changed(good, 20, 0x20)),
            (.laterFragment, changed(good, 21, 2)),
            (.jumbogram, six[..<18] + [0, 0, 0] + six[21...]),
            (.badExtensionHeader, six[..<20] + [60] + six[21...].prefix(33) + [17, 200] + six[56...]),
            (.notUDP, changed(good, 23, 6)),
            (.badUDPLength, changed(good, 39, 7)),
            (.badUDPChecksum, Traffic.frame(Traffic.rtp(1), checksum: .wrong)),
            (.missingUDPChecksum, Traffic.frame(Traffic.rtp(1), to: Traffic.v6, checksum: .absent)),
            (.martianSource, Traffic.frame(Traffic.rtp(1), from: Endpoint("127.0.0.1:4000")!)),
            (.martianSource, Traffic.frame(Traffic.rtp(1), from: Endpoint("224.0.0.1:4000")!)),
            (.martianSource, Traffic.frame(Traffic.rtp(1), from: Endpoint("[::1]:4000")!, to: Traffic.v6)),
            (.martianDestination, Traffic.frame(Traffic.rtp(1), to: Endpoint("0.0.0.0:5004")!)),
        ]
    }

    @Test func `each reason to refuse a frame is counted once, as that reason`() {
        for (reason, frame) in Self.refusals {
            var engine = Engine(Self.both)
            #expect(engine.accept(frame) == nil, "\(reason)")
            #expect(engine.count(reason) == 1, "\(reason)")
            #expect(engine.refused == 1, "\(reason)")
            #expect(engine.counters.received.value == 1)
            #expect(engine.counters.receivedBytes.value == UInt64(frame.count))
            #expect(engine.counters.accepted.value == 0)
            #expect(engine.figures() == StreamFigures())
        }
    }

    @Test func `each drop of the engine is counted once, as that drop`() {
        let drops: [(reason: RelayDrop, frame: [UInt8])] = [
            (.otherHost, Traffic.frame(Traffic.rtp(1), mac: Traffic.peer)),
            // Whose frame it is comes before what is in it.
            (.otherHost, Traffic.frame([], mac: Traffic.peer, checksum: .wrong)),
            // For one host, but broadcast on the link (RFC 1812 section 5.3.4).
            (.otherHost, Traffic.frame(Traffic.rtp(1), mac: .broadcast)),
            (.otherHost, Traffic.frame(Traffic.rtp(1), to: Traffic.v6, mac: .broadcast)),
            (.noStream, Traffic.frame(Traffic.rtp(1), to: Endpoint("192.0.2.1:5005")!)),
            (.noStream, Traffic.frame(Traffic.rtp(1), to: Endpoint("192.0.2.2:5004")!)),
            (.ownAddress, Traffic.frame(Traffic.rtp(1), from: Traffic.v4)),
            (.ownAddress, Traffic.frame(Traffic.rtp(1), from: Traffic.v6, to: Traffic.v6)),
            (.hopLimitExceeded, Traffic.frame(Traffic.rtp(1), hopLimit: 1)),
            (.hopLimitExceeded, Traffic.frame(Traffic.rtp(1), to: Traffic.v6, hopLimit: 0)),
        ]
        for (reason, frame) in drops {
            var engine = Engine(Self.both)
            #expect(engine.accept(frame) == nil, "\(reason)")
            #expect(engine.count(reason) == 1, "\(reason)")
            #expect(engine.refused == 1, "\(reason)")
        }
    }

    @Test func `what goes on is told where its stream, headers and hop limit are`() throws {
        var engine = Engine(Self.both)
        let four = try present(engine.accept(Traffic.frame(Traffic.rtp(1))))
        #expect(four.slot == 0)
        #expect(four.payloadOffset == 42 && four.payloadLength == Traffic.rtp(1).count)
        #expect(four.hopLimit == 63)
        #expect(four.checksum == .carried)
        let six = try present(engine.accept(Traffic.frame(Traffic.rtp(1), to: Traffic.v6, hopLimit: 2)))
        #expect(six.slot == 1)
        #expect(six.hopLimit == 1)
        #expect(engine.counters.accepted.value == 2)
        #expect(engine.refused == 0)
    }

    @Test func `a stream with a hop limit takes what came with 1`() throws {
        var engine = Engine(.listening(Traffic.v4, hopLimit: 9))
        for hopLimit in [1, 64, 255] as [UInt8] {
            #expect(engine.accept(Traffic.frame(Traffic.rtp(1), hopLimit: hopLimit))?.hopLimit == 9)
        }
    }

    private static func payload(_ frame: [UInt8], _ accepted: Relay.Accepted) -> [UInt8] {
        Array(frame[accepted.payloadOffset..<accepted.payloadOffset + accepted.payloadLength])
    }

    @Test func `VLAN tags and IPv4 options are no obstacle`() throws {
        var engine = Engine(Self.both)
        let inner = VLANTag(identifier: 7)
        let outer = VLANTag(tagProtocol: .serviceVLAN, identifier: 9)
        for tags in [VLANTags(), VLANTags(inner), VLANTags(outer: outer, inner: inner)] {
            for destination in [Traffic.v4, Traffic.v6] {
                let frame = Traffic.frame(Traffic.rtp(5), to: destination, tags: tags)
                let accepted = try present(engine.accept(frame))
                #expect(Self.payload(frame, accepted) == Traffic.rtp(5))
            }
        }
        for options in [[1, 1, 1, 0], [148, 4, 0, 0], [UInt8](repeating: 1, count: 40)] as [[UInt8]] {
            let frame = Traffic.withOptions(options, Traffic.frame(Traffic.rtp(6)))
            let accepted = try present(engine.accept(frame))
            #expect(Self.payload(frame, accepted) == Traffic.rtp(6))
        }
        #expect(engine.refused == 0)
    }

    @Test func `padding behind a short packet is not counted as payload`() {
        var engine = Engine(Self.both)
        #expect(engine.accept(Traffic.frame([1, 2]) + [UInt8](repeating: 0, count: 16)) != nil)
        #expect(engine.figures().bytes == 2)
    }

    @Test(arguments: [Traffic.v4, Traffic.v6])
    func `a checksum the kernel left to hardware is accepted, to be computed`(_ destination: Endpoint) {
        var engine = Engine(Self.both)
        let frame = Traffic.frame(Traffic.rtp(1), to: destination, checksum: .partial)
        #expect(engine.accept(frame)?.checksum == .left)
        let said = Traffic.frame(Traffic.rtp(1), to: destination, checksum: .wrong)
        #expect(engine.accept(said, partial: true)?.checksum == .left)
        #expect(engine.counters.completedChecksums.value == 2)
    }

    @Test func `without a checksum a packet goes on over IPv4 only, whatever the device says`() {
        for verified in [false, true] {
            var engine = Engine(Self.both)
            let four = Traffic.frame(Traffic.rtp(1), checksum: .absent)
            #expect(engine.accept(four, verified: verified)?.checksum == .absent)
            let six = Traffic.frame(Traffic.rtp(1), to: Traffic.v6, checksum: .absent)
            #expect(engine.accept(six, verified: verified) == nil)
            #expect(engine.count(ParseFailure.missingUDPChecksum) == 1)
        }
    }

    @Test func `what a device has verified is not read again`() {
        var engine = Engine(Self.both)
        let frame = Traffic.frame(Traffic.rtp(1), checksum: .wrong)
        #expect(engine.accept(frame, verified: true)?.checksum == .carried)
        #expect(engine.accept(frame) == nil)
    }

    @Test func `a group address is listened to when it is named`() {
        let groups = [Endpoint("239.1.2.3:5004")!, Endpoint("[ff0e::1:2]:5004")!]
        var engine = Engine(.listening(groups[0], groups[1]))
        let frames = [
            Traffic.frame(Traffic.rtp(1), to: groups[0], mac: MACAddress("01:00:5e:01:02:03")!),
            Traffic.frame(Traffic.rtp(1), to: groups[1], mac: MACAddress("33:33:00:01:00:02")!),
            Traffic.frame(Traffic.rtp(2), to: groups[0]),
        ]
        #expect(frames.map { engine.accept($0)?.slot } == [0, 1, 0])
    }

    @Test
    func `a listener at any address takes its family's own addresses, and yields to those who name one`() {
        var plan = ForwardingPlan.listening(
            Endpoint("0.0.0.0:5004")!, Endpoint("[::]:5006")!, Endpoint("192.0.2.7:5004")!)
        plan.ownAddresses = ["192.0.2.1", "192.0.2.7", "2001:db8::1"].map { IPAddress($0)! }
        var engine = Engine(plan)
        func slot(_ destination: String) -> Int? {
            engine.accept(Traffic.frame(Traffic.rtp(1), to: Endpoint(destination)!))?.slot
        }
        #expect(slot("192.0.2.1:5004") == 0)
        #expect(slot("192.0.2.7:5004") == 2)
        #expect(slot("[2001:db8::1]:5006") == 1)
        #expect(slot("192.0.2.1:5006") == nil)
        #expect(slot("[2001:db8::1]:5004") == nil)
        // Another host's packet that is routed through here, and a group nobody named.
        #expect(slot("203.0.113.5:5004") == nil)
        #expect(slot("[2001:db8::2]:5006") == nil)
        #expect(slot("239.1.2.3:5004") == nil)
        #expect(engine.count(RelayDrop.noStream) == 5)
    }

    @Test func `of two streams at one endpoint the first gets the packets`() {
        var engine = Engine(.listening(Traffic.v4, Traffic.v4))
        #expect(engine.accept(Traffic.frame(Traffic.rtp(1)))?.slot == 0)
    }

    @Test func `each of 10,000 streams gets its own packets and has its own destinations`() {
        let streams = 10_000
        func listen(_ number: Int) -> Endpoint {
            let address = IPv6Address(high: 0x2001_0db8_0000_0000 | UInt64(number & 7), low: 1)
            let port = UInt16(1024 + number / 2)
            return number % 2 == 0
                ? Endpoint(Traffic.v4.address, port: port) : Endpoint(.v6(address), port: port)
        }
        func destination(_ number: Int, _ copy: Int) -> Endpoint {
            Endpoint(.v4(IPv4Address(bits: 0xcb00_7100 | UInt32(copy))), port: UInt16(number))
        }
        let plan = ForwardingPlan(
            streams: (0..<streams).map { number in
                .init(
                    slot: streams - 1 - number, generation: 1, listen: listen(number),
                    destinations: (0..<number % 5).map {
                        Destination(destination(number, $0), path: .unresolved(neighbor: 0))
                    })
            }, ownAddresses: [Traffic.v4.address])
        var engine = Engine(plan, slots: streams)
        for number in 0..<streams {
            let slot = engine.accept(Traffic.frame(Traffic.rtp(1), to: listen(number)))?.slot
            #expect(slot == streams - 1 - number)
            #expect(engine.relay.table.ways(ofSlot: streams - 1 - number).count == number % 5)
            for copy in 0..<number % 5 {
                let way = engine.relay.table.ways(ofSlot: streams - 1 - number).lowerBound + copy
                let there = engine.relay.table.destinations[way].endpoint
                #expect(there == destination(number, copy))
            }
        }
        #expect(engine.refused == 0)
    }

    @Test func `an engine without a plan refuses everything`() {
        var engine = Engine(ForwardingPlan())
        #expect(engine.accept(Traffic.frame(Traffic.rtp(1))) == nil)
        #expect(engine.count(RelayDrop.noStream) == 1)
    }

    @Test func `received is accepted and refused, whatever the bytes are`() {
        for seed in 0..<200 {
            var random = Seeded(UInt64(seed))
            var engine = Engine(Self.both)
            var frames = 0
            for _ in 0..<50 {
                var frame = Self.someFrame(&random)
                for _ in 0..<random.below(4) where !frame.isEmpty {
                    frame[random.below(min(frame.count, 80))] = UInt8(truncatingIfNeeded: random.next())
                }
                for length in [frame.count, random.below(frame.count + 1)] {
                    let cut = Array(frame[..<length])
                    frames += 1
                    _ = engine.accept(cut, verified: random.below(4) == 0, partial: random.below(8) == 0)
                }
            }
            #expect(engine.counters.received.value == UInt64(frames))
            #expect(engine.counters.accepted.value + engine.refused == UInt64(frames))
            #expect(engine.figures(0).packets + engine.figures(1).packets == engine.counters.accepted.value)
        }
    }

    @Test func `every truncation of a frame is refused with a name`() {
        for destination in [Traffic.v4, Traffic.v6] {
            let tags = VLANTags(VLANTag(identifier: 5))
            let frame = Traffic.frame(Traffic.rtp(1), to: destination, tags: tags)
            var engine = Engine(Self.both)
            for length in 0..<frame.count { #expect(engine.accept(Array(frame[..<length])) == nil) }
            #expect(engine.refused == UInt64(frame.count))
            #expect(engine.accept(frame) != nil)
        }
    }

    private static func someFrame(_ random: inout Seeded) -> [UInt8] {
        if random.below(10) == 0 { return random.octets(random.below(100)) }
        let six = random.below(2) == 0
        let payload =
            random.below(3) == 0
            ? random.octets(random.below(60))
            : Traffic.rtp(UInt16(random.below(200)), body: random.octets(20))
        let checksum: Traffic.Checksum = [.right, .right, .right, .absent, .partial, .wrong][random.below(6)]
        let frame = Traffic.frame(
            payload, to: six ? Traffic.v6 : Traffic.v4, hopLimit: UInt8(random.below(4) * 80 + 1),
            tags: random.below(3) == 0 ? VLANTags(VLANTag(identifier: 5)) : VLANTags(), checksum: checksum)
        return six || random.below(3) > 0 || frame[12] == 0x81
            ? frame : Traffic.withOptions([1, 1, 1, 1], frame)
    }
}
