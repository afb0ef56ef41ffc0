import ApusRTP
import ApusRings
import ApusWire
import Seeds
import Testing

@Suite("Figures of streams") struct StreamTests {
    private static let second: UInt64 = 1_000_000_000
    private static let start: UInt64 = 1_700_000_000 * second
    private static let packet: UInt64 = 20_000_000

    /// An engine with one stream, and a way to send it RTP.
    private struct Line: ~Copyable {
        var engine: Engine
        var time = StreamTests.start

        init(sources: Int = 4) { engine = Engine(.listening(Traffic.v4), sources: sources) }

        /// Sends packets 20 ms apart, each with the payload type's timestamp of that moment.
        mutating func send(_ sequences: [UInt16], ssrc: UInt32 = 7, type: UInt8 = 0, rate: UInt64 = 8000) {
            for sequence in sequences { send(sequence, ssrc: ssrc, type: type, rate: rate) }
        }

        mutating func send(_ sequence: UInt16, ssrc: UInt32 = 7, type: UInt8 = 0, rate: UInt64 = 8000) {
            time += StreamTests.packet
            let timestamp = UInt32(truncatingIfNeeded: time / 1_000_000 * rate / 1000)
            payload(Traffic.rtp(sequence, timestamp: timestamp, ssrc: ssrc, type: type))
        }

        mutating func payload(_ payload: [UInt8]) {
            #expect(engine.accept(Traffic.frame(payload), at: time) != nil)
        }

        var figures: StreamFigures { engine.figures() }
        /// RTP packets that were measured.
        var measured: UInt64 {
            figures.packets - figures.notRTP - figures.rtcp - figures.unmeasured
        }
    }

    @Test func `packets, bytes, source, payload type and arrival are those of the traffic`() {
        var line = Line()
        line.send([1, 2, 3], ssrc: 0xdead_beef, type: 8)
        let figures = line.figures
        #expect(figures.packets == 3)
        #expect(figures.bytes == 48)
        #expect(figures.ssrc == 0xdead_beef)
        #expect(figures.payloadType == 8)
        #expect(figures.jitter == 0)
        #expect(figures.lastArrival == line.time)
        #expect(figures.lost == 0 && figures.reordered == 0 && figures.duplicates == 0)
        #expect(figures.sourceChanges == 0 && figures.unmeasured == 0)
    }

    @Test func `loss, order and duplicates are counted as they come`() {
        var line = Line()
        line.send([1, 2, 5, 4, 4, 9])
        #expect(line.figures.lost == 4)
        #expect(line.figures.reordered == 1)
        #expect(line.figures.duplicates == 1)
        line.send([3])
        #expect(line.figures.lost == 3)
    }

    @Test func `RTCP on the same port and what is neither are not measured`() {
        var line = Line()
        line.send([1])
        // Sender report, receiver report, and RFC 5506's reduced-size feedback.
        for type in [200, 201, 205] as [UInt8] { line.payload([0x80, type, 0, 1, 0, 0, 0, 9]) }
        // STUN, DTLS, a keep-alive, nothing at all, RTP cut short.
        line.payload([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42] + [UInt8](repeating: 0, count: 12))
        line.payload([22, 254, 253] + [UInt8](repeating: 0, count: 20))
        line.payload([0, 0, 0, 0])
        line.payload([])
        line.payload(Array(Traffic.rtp(2)[..<11]))
        line.payload([0x8f] + Traffic.rtp(2)[1...])
        let figures = line.figures
        #expect(figures.packets == 10)
        #expect(figures.rtcp == 3)
        #expect(figures.notRTP == 6)
        #expect(figures.lost == 0)
        #expect(line.measured == 1)
    }

    @Test func `SRTP with padding is measured, though its length is encrypted`() {
        var line = Line()
        for sequence in 1...3 as ClosedRange<UInt16> {
            // The padding bit, and an authentication tag at the end.
            line.payload([0xa0] + Traffic.rtp(sequence, body: [9, 9, 9, 0xff])[1...])
        }
        #expect(line.figures.notRTP == 0)
        #expect(line.measured == 3)
    }

    @Test func `a stream that is not RTP has neither source nor loss`() {
        var engine = Engine(.listening(Traffic.v4, isRTP: false))
        for sequence in [1, 5, 9] as [UInt16] { _ = engine.accept(Traffic.frame(Traffic.rtp(sequence))) }
        #expect(engine.figures().packets == 3)
        #expect(engine.figures().ssrc == nil)
        #expect(engine.figures().payloadType == nil)
        #expect(engine.figures().lost == 0)
        #expect(engine.figures().notRTP == 0)
    }

    @Test func `a source that follows another is measured from its second packet, and the loss adds up`() {
        var line = Line()
        line.send([1, 2, 4], ssrc: 1)
        line.send([60_000], ssrc: 2, type: 8)
        #expect(line.figures.ssrc == 1)
        line.send([60_001, 60_005], ssrc: 2, type: 8)
        #expect(line.figures.ssrc == 2)
        #expect(line.figures.payloadType == 8)
        #expect(line.figures.sourceChanges == 1)
        #expect(line.figures.lost == 1 + 3)
        #expect(line.figures.unmeasured == 1)
    }

    @Test func `sources that share a port are each measured, however they alternate`() {
        var line = Line()
        for number in 0..<500 as Range<UInt16> {
            // Audio, video and its retransmissions; of the video each tenth is lost.
            line.send(number, ssrc: 1, type: 0)
            if number % 10 != 5 { line.send(30_000 &+ number, ssrc: 2, type: 34, rate: 90_000) }
            if number % 50 == 0 { line.send(number / 50, ssrc: 3, type: 34, rate: 90_000) }
        }
        let figures = line.figures
        #expect(figures.lost == 50)
        #expect(figures.sourceChanges == 2)
        #expect(figures.reordered == 0 && figures.duplicates == 0 && figures.restarts == 0)
        // What alternates is not measured until two of its packets came in sequence.
        #expect(figures.unmeasured <= 4)
        // The one shown stays the same, so that its jitter is in its own clock.
        #expect(figures.jitter.map { $0 < 1 } == true)
    }

    @Test func `made-up sources change nothing for those that are known`() {
        var random = Seeded(8)
        var line = Line()
        line.send(Array(0..<10))
        for number in 10..<3000 as Range<UInt16> {
            line.send(number)
            line.send(
                UInt16(truncatingIfNeeded: random.next()), ssrc: UInt32(truncatingIfNeeded: random.next()))
        }
        let figures = line.figures
        #expect(figures.lost == 0)
        #expect(figures.restarts == 0)
        #expect(figures.sourceChanges == 0)
        #expect(figures.ssrc == 7)
        #expect(figures.jitter == 0)
        #expect(figures.unmeasured == 2990)
        #expect(line.measured == 3000)
    }

    @Test func `made-up sources with packets in sequence get no more than the free places`() {
        var line = Line(sources: 3)
        line.send(Array(0..<10))
        for number in 10..<2000 as Range<UInt16> {
            line.send(number)
            line.send([1, 2, 900], ssrc: 1000 + UInt32(number))
        }
        let figures = line.figures
        // In 160 seconds, two places each two seconds at most.
        #expect(figures.sourceChanges <= 162)
        #expect(figures.reordered == 0 && figures.duplicates == 0)
        line.send(Array(2000..<2010))
        #expect(line.figures.unmeasured == figures.unmeasured)
        #expect(line.figures.lost == figures.lost)
    }

    @Test func `with one place a live source keeps it, and a silent one loses it`() {
        var line = Line(sources: 1)
        line.send([1, 2, 3], ssrc: 1)
        line.send([1, 2, 3, 4], ssrc: 2)
        #expect(line.figures.ssrc == 1)
        #expect(line.figures.unmeasured == 4)
        line.time += 2 * Self.second
        line.send([5, 6, 8], ssrc: 2)
        #expect(line.figures.ssrc == 2)
        #expect(line.figures.sourceChanges == 1)
        #expect(line.figures.lost == 1)
    }

    @Test func `another source is shown when the one shown falls silent`() {
        var line = Line()
        line.send([1, 2], ssrc: 1)
        line.send([1, 2], ssrc: 2)
        #expect(line.figures.ssrc == 2)
        for number in 3..<90 as Range<UInt16> { line.send(number, ssrc: 1) }
        #expect(line.figures.ssrc == 2)
        for number in 90..<120 as Range<UInt16> { line.send(number, ssrc: 1) }
        #expect(line.figures.ssrc == 1)
        #expect(line.figures.sourceChanges == 1)
    }

    @Test func `a clock put back an hour stops nothing`() {
        var line = Line()
        line.send([1, 2], ssrc: 1, type: 96)
        line.time -= 3600 * Self.second
        for number in 3..<300 as Range<UInt16> { line.send(number, ssrc: 1, type: 96) }
        #expect(line.figures.jitter != nil)
        #expect(line.figures.lost == 0)
    }

    @Test func `jitter of a dynamic payload type is there once its clock is known`() {
        var line = Line()
        for number in 0..<40 as Range<UInt16> { line.send(number, type: 111, rate: 48_000) }
        #expect(line.figures.jitter == nil)
        for number in 40..<200 as Range<UInt16> { line.send(number, type: 111, rate: 48_000) }
        #expect(line.figures.jitter == 0)
        // Telephone events in between have the same clock.
        for number in 200..<205 as Range<UInt16> { line.send(number, type: 101, rate: 48_000) }
        #expect(line.figures.jitter == 0)
        #expect(line.figures.payloadType == 101)
        line.send([205], type: 0)
        #expect(line.figures.payloadType == 0)
    }

    @Test func `jitter is shown in milliseconds`() {
        var line = Line()
        for number in 0..<2000 as Range<UInt16> {
            // 5 ms late every other time.
            line.time += number % 2 == 0 ? 5_000_000 : 0
            let timestamp = UInt32(number) * 160
            line.payload(Traffic.rtp(number, timestamp: timestamp))
            line.time += number % 2 == 0 ? 15_000_000 : 20_000_000
        }
        #expect(line.figures.jitter.map { abs($0 - 5) < 0.1 } == true)
    }

    @Test func `streams that stay keep their figures, slots that change hands are cleared`() throws {
        var engine = Engine(.listening(Traffic.v4, Traffic.v6))
        for sequence in [1, 2, 4] as [UInt16] {
            _ = engine.accept(Traffic.frame(Traffic.rtp(sequence)))
            _ = engine.accept(Traffic.frame(Traffic.rtp(sequence), to: Traffic.v6))
        }
        var plan = ForwardingPlan.listening(Traffic.v4, Traffic.v6)
        plan.streams[1].generation = 2
        let kept = engine.figures(0)
        engine.adopt(plan)
        #expect(engine.figures(0) == kept)
        #expect(kept.lost == 1)
        #expect(engine.figures(1) == StreamFigures())
        #expect(StreamFigures(engine.counters.streams[0], generation: 1) == kept)
        #expect(StreamFigures(engine.counters.streams[1], generation: 1) == nil)
        #expect(StreamFigures(engine.counters.streams[1], generation: 2) != nil)
        // It begins anew: 4 was the other's.
        _ = engine.accept(Traffic.frame(Traffic.rtp(4)))
        _ = engine.accept(Traffic.frame(Traffic.rtp(4), to: Traffic.v6))
        #expect(engine.figures(0).duplicates == 1)
        #expect(engine.figures(1).duplicates == 0)
        #expect(engine.figures(1).ssrc == 7)
    }

    @Test func `a stream that was away for a while and comes back is the same`() {
        var engine = Engine(.listening(Traffic.v4))
        for sequence in [1, 2, 4] as [UInt16] { _ = engine.accept(Traffic.frame(Traffic.rtp(sequence))) }
        engine.adopt(ForwardingPlan())
        #expect(engine.accept(Traffic.frame(Traffic.rtp(5))) == nil)
        engine.adopt(.listening(Traffic.v4))
        _ = engine.accept(Traffic.frame(Traffic.rtp(6)))
        #expect(engine.figures().packets == 4)
        #expect(engine.figures().lost == 2)
    }

    @Test func `a stream keeps its figures when only its destinations change`() {
        var engine = Engine(.listening(Traffic.v4))
        _ = engine.accept(Traffic.frame(Traffic.rtp(1)))
        var plan = ForwardingPlan.listening(Traffic.v4)
        plan.streams[0].destinations.append(Destination(Endpoint("[2001:db8::5]:9")!, path: .unreachable))
        engine.adopt(plan)
        #expect(engine.relay.table.ways(ofSlot: 0).count == 2)
        let second = engine.relay.table.ways(ofSlot: 0).lowerBound + 1
        let endpoint = engine.relay.table.destinations[second].endpoint
        #expect(endpoint == Endpoint("[2001:db8::5]:9")!)
        #expect(engine.relay.table.way(to: endpoint, ofSlot: 0) == second)
        #expect(engine.relay.table.way(to: Endpoint("[2001:db8::6]:9")!, ofSlot: 0) == nil)
        #expect(engine.relay.table.generation(ofSlot: 0) == 1)
        #expect(engine.figures().packets == 1)
    }

    @Test func `figures of several workers add up, and show the source of the last packet`() {
        var one = Line()
        var two = Line()
        one.send([1, 2, 4], ssrc: 1)
        two.time = one.time
        two.send([1, 1, 2], ssrc: 2, type: 8)
        var sum = one.figures
        sum.merge(two.figures)
        #expect(sum.packets == 6)
        #expect(sum.lost == 1)
        #expect(sum.duplicates == 1)
        #expect(sum.ssrc == 2)
        #expect(sum.payloadType == 8)
    }
}
