import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Seeds
import Testing

@testable import ApusRuntime

@Suite("What goes on behind new headers") struct RewriteTests {
    private static let out4 = UDPEncapsulation(
        nextHop: Traffic.peer, interface: Traffic.relay, tags: VLANTags(VLANTag(identifier: 3)),
        source: Traffic.v4, destination: Endpoint("203.0.113.1:6000")!)!
    private static let out6 = UDPEncapsulation(
        nextHop: Traffic.peer, interface: Traffic.relay, source: Traffic.v6,
        destination: Endpoint("[2001:db8:5::1]:6002")!)!

    /// The frame that a relay sends for one it accepted.
    private static func forwarded(
        _ frame: [UInt8], _ accepted: Relay.Accepted, _ headers: UDPEncapsulation,
        by port: inout Port<MemoryDriver>
    ) throws -> [UInt8] {
        var packet = port.makePacket()!
        let fits = packet.append(frame.count)
        #expect(fits)
        var bytes = packet.mutableBytes
        for (offset, octet) in frame.enumerated() {
            bytes.storeBytes(of: octet, toByteOffset: offset, as: UInt8.self)
        }
        let path = Destination.Path.ready(interface: 0, headers, maximumPacketSize: 1514)
        let ways = FixedArray(count: 1) { _ in Way(path) }
        let isReaddressed =
            accepted.checksum == .carried
            ? packet.readdress(accepted, on: 0, of: ways) : packet.readdressSlowly(accepted, on: 0, of: ways)
        #expect(isReaddressed)
        return array(packet.bytes)
    }

    @Test(arguments: [(false, false), (false, true), (true, false), (true, true)])
    func `it parses with a valid checksum and the same payload, across families too`(
        _ from6: Bool, _ to6: Bool
    ) throws {
        let pair = try MemoryPair(frames: 2, hugePages: .never)
        var port = pair.first
        for seed in 0..<300 {
            var random = Seeded(UInt64(seed))
            var engine = Engine(.listening(Traffic.v4, Traffic.v6))
            let payload = Traffic.rtp(1, body: random.octets(random.below(60)))
            let checksum: Traffic.Checksum =
                from6 ? [.right, .partial][seed % 2] : [.right, .partial, .absent][seed % 3]
            var frame = Traffic.frame(
                payload, to: from6 ? Traffic.v6 : Traffic.v4, hopLimit: 40, trafficClass: 0xb8,
                tags: seed % 5 == 0 ? VLANTags(VLANTag(identifier: 9)) : VLANTags(), checksum: checksum)
            if !from6, seed % 5 == 1 { frame = Traffic.withOptions([1, 1, 1, 0], frame) }
            let accepted = try present(engine.accept(frame))
            let headers = to6 ? Self.out6 : Self.out4
            let sent = try Self.forwarded(frame, accepted, headers, by: &port)
            let parsed = try FlowHeaders(checking: sent.raw)
            #expect(
                parsed.destination
                    == (to6 ? Endpoint("[2001:db8:5::1]:6002")! : Endpoint("203.0.113.1:6000")!))
            #expect(parsed.source == (to6 ? Traffic.v6 : Traffic.v4))
            #expect(parsed.hopLimit == 39)
            #expect(parsed.trafficClass == 0xb8)
            #expect(array(parsed.payload(of: sent.raw)) == payload)
            let state = parsed.udpChecksumState(in: sent.raw)
            #expect(state == (checksum == .absent && !to6 ? .absent : .valid))
        }
    }

    @Test func `damage that a device overlooked stays visible to the receiver`() throws {
        var engine = Engine(.listening(Traffic.v4))
        var frame = Traffic.frame(Traffic.rtp(1))
        frame[frame.count - 1] ^= 0x40
        let accepted = try present(engine.accept(frame, verified: true))
        let pair = try MemoryPair(frames: 2, hugePages: .never)
        var port = pair.first
        let sent = try Self.forwarded(frame, accepted, Self.out6, by: &port)
        #expect(try FlowHeaders(checking: sent.raw).udpChecksumState(in: sent.raw) == .wrong)
    }
}

@Suite("Packets in several segments") struct SegmentTests {
    static let jumbo = [UInt8](repeating: 0x77, count: 8000)

    private static func accept(
        _ engine: inout Engine, _ frame: [UInt8], first: Int, total: Int? = nil, verified: Bool = false,
        partial: Bool = false
    ) -> Relay.Accepted? {
        engine.relay.accept(
            firstSegment: Array(frame[..<first]).raw, byteCount: total ?? frame.count,
            Relay.Arrival(
                interface: Traffic.relay, isChecksumVerified: verified, isChecksumPartial: partial,
                time: 1_700_000_000_000_000_000), counters: engine.counters)
    }

    @Test(arguments: [Traffic.v4, Traffic.v6]) func `it is accepted by its first segment`(
        _ destination: Endpoint
    ) throws {
        let frame = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: destination)
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        let whole = try present(engine.accept(frame))
        let first = try present(Self.accept(&engine, frame, first: 2000))
        #expect(first.payloadOffset == whole.payloadOffset && first.payloadLength == whole.payloadLength)
        #expect(first.trafficClass == whole.trafficClass && first.checksumRest == whole.checksumRest)
        #expect(first.slot == whole.slot)
        #expect(engine.counters.unverifiedChecksums.value == 1)
        #expect(Self.accept(&engine, frame, first: 2000, verified: true) != nil)
        #expect(engine.counters.unverifiedChecksums.value == 1)
        #expect(Self.accept(&engine, frame, first: 2000, partial: true)?.checksum == .left)
        #expect(engine.counters.completedChecksums.value == 1)
        #expect(engine.counters.receivedBytes.value == UInt64(frame.count * 4))
        #expect(engine.figures(whole.slot).bytes == UInt64((Self.jumbo.count + 12) * 4))
        #expect(engine.figures(whole.slot).duplicates == 3)
    }

    @Test(arguments: [Traffic.v4, Traffic.v6])
    func `a checksum the sender left to its device is recognised without a flag, but not against one`(
        _ destination: Endpoint
    ) throws {
        let frame = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: destination, checksum: .partial)
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        #expect(try present(Self.accept(&engine, frame, first: 2000)).checksum == .left)
        #expect(engine.counters.completedChecksums.value == 1)
        #expect(engine.counters.unverifiedChecksums.value == 0)
        #expect(Self.accept(&engine, frame, first: 2000, verified: true)?.checksum == .carried)
        let whole = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: destination)
        #expect(Self.accept(&engine, whole, first: 2000)?.checksum == .carried)
    }

    @Test func `with options and tags it gives what the whole frame gives`() throws {
        let frame = Traffic.withOptions([1, 1, 1, 1], Traffic.frame(Traffic.rtp(9, body: Self.jumbo)))
        let headers = try FlowHeaders(checkingFirstSegment: Array(frame[..<200]).raw, byteCount: frame.count)
        #expect(try headers == FlowHeaders(checking: frame.raw))
        let tagged = Traffic.frame(
            Traffic.rtp(9, body: Self.jumbo), to: Traffic.v6, tags: VLANTags(VLANTag(identifier: 4)))
        let six = try FlowHeaders(checkingFirstSegment: Array(tagged[..<200]).raw, byteCount: tagged.count)
        #expect(try six == FlowHeaders(checking: tagged.raw))
    }

    @Test func `a damaged IPv4 header is refused in a first segment too`() {
        var frame = Traffic.frame(Traffic.rtp(9, body: Self.jumbo))
        frame[14 + 8] ^= 1
        #expect(throws: ParseFailure.badIPHeaderChecksum) {
            _ = try FlowHeaders(checkingFirstSegment: Array(frame[..<200]).raw, byteCount: frame.count)
        }
    }

    @Test(arguments: [Traffic.v4, Traffic.v6]) func `headers beyond the first segment are refused`(
        _ destination: Endpoint
    ) {
        let frame = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: destination)
        let headers = destination == Traffic.v4 ? 42 : 62
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        for length in 0..<headers { #expect(Self.accept(&engine, frame, first: length) == nil) }
        #expect(engine.refused == UInt64(headers))
        // RTP's header is not needed to forward it.
        for length in headers..<headers + 12 { #expect(Self.accept(&engine, frame, first: length) != nil) }
        let slot = destination == Traffic.v4 ? 0 : 1
        #expect(engine.figures(slot).notRTP + engine.figures(slot).rtcp == 12)
    }

    @Test(arguments: [Traffic.v4, Traffic.v6]) func `a length beyond all segments is refused`(
        _ destination: Endpoint
    ) {
        let frame = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: destination)
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        #expect(Self.accept(&engine, frame, first: 2000, total: frame.count - 1) == nil)
        #expect(engine.count(ParseFailure.truncatedIP) == 1)
    }

    @Test func `without a checksum it goes on over IPv4 only`() {
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        let four = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), checksum: .absent)
        #expect(Self.accept(&engine, four, first: 1000) != nil)
        #expect(engine.counters.unverifiedChecksums.value == 0)
        let six = Traffic.frame(Traffic.rtp(9, body: Self.jumbo), to: Traffic.v6, checksum: .absent)
        #expect(Self.accept(&engine, six, first: 1000) == nil)
        #expect(Self.accept(&engine, six, first: 1000, verified: true) == nil)
        #expect(engine.count(ParseFailure.missingUDPChecksum) == 2)
    }

    @Test func `damaged first segments are refused with a name or accepted, never both`() {
        for seed in 0..<3000 {
            var random = Seeded(UInt64(seed))
            var engine = Engine(.listening(Traffic.v4, Traffic.v6))
            var frame = Traffic.frame(
                Traffic.rtp(9, body: [UInt8](repeating: 1, count: 300)),
                to: seed % 2 == 0 ? Traffic.v4 : Traffic.v6)
            for _ in 0..<1 + random.below(3) {
                frame[random.below(80)] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = Self.accept(&engine, frame, first: random.below(frame.count), total: random.below(1000))
            #expect(engine.counters.accepted.value + engine.refused == 1)
        }
    }
}
