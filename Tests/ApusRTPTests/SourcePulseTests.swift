import ApusWire
import Seeds
import Testing

@testable import ApusRTP

/// Most packets are noted by a ``SourcePulse`` alone; that must not be seen in what is known of the source.
@Suite("Pulse of a source") struct SourcePulseTests {
    /// A source that sends in sequence but for what a network, and an encoder, do to it.
    private struct Sender {
        var random: Seeded
        var sequence: UInt16
        var timestamp: UInt32
        var time: UInt64 = 1_700_000_000_000_000_000
        var payloadType: UInt8
        /// Of a thousand packets so many are unusual.
        let unrest: Int

        init(_ seed: Int) {
            random = Seeded(UInt64(seed))
            unrest = [0, 5, 50, 400][seed % 4]
            sequence = UInt16(truncatingIfNeeded: random.next())
            timestamp = UInt32(truncatingIfNeeded: random.next())
            payloadType = [0, 96, 96, 14][seed / 4 % 4]
        }

        mutating func next() -> (packet: RTPHeader, time: UInt64) {
            sequence &+= 1
            // Of payload type 96 a clock of 48 kHz, which has to be measured.
            timestamp &+= payloadType == 96 ? 960 : 160
            time &+= 20_000_000 + UInt64(random.below(2_000_000))
            if random.below(1000) < unrest {
                switch random.below(8) {
                case 0: sequence &+= UInt16(random.below(300))
                case 1: sequence &-= UInt16(random.below(120))
                case 2: sequence = UInt16(truncatingIfNeeded: random.next())
                case 3: timestamp = UInt32(truncatingIfNeeded: random.next())
                case 4: payloadType = [0, 8, 9, 14, 96, 97, 101][random.below(7)]
                case 5: time &+= UInt64(random.below(5)) * 1_000_000_000
                case 6: time &-= UInt64(random.below(60)) * 1_000_000_000
                default: break
                }
            }
            let packet = RTPHeader(
                payloadType: payloadType, sequenceNumber: sequence, timestamp: timestamp, ssrc: 7)
            return (packet, time)
        }
    }

    @Test(arguments: 0..<32)
    func `what is known of a source is the same with it and without`(seed: Int) {
        var sender = Sender(seed)
        let counters = StreamCounters()
        var receptions = StreamReceptions(streams: 1, sourcesPerStream: 1)
        var reference: SourceReception?
        for number in 0..<3000 {
            let (packet, time) = sender.next()
            var source = reference ?? SourceReception(packet)
            source.note(packet, at: time)
            reference = source
            receptions.note(packet, at: time, slot: 0, counters)
            // Not after each: what it has noted alone must not be taken over all the time.
            guard number % 7 == 0 || number > 2900 else { continue }
            let noted = receptions.source(at: 0)
            #expect(noted.rtp.highestSequence == source.rtp.highestSequence)
            #expect(noted.rtp.received == source.rtp.received)
            #expect(noted.rtp.scaledJitter == source.rtp.scaledJitter)
            #expect(counters.scaledJitter.value == UInt64(source.rtp.scaledJitter))
            #expect(counters.lost.value == source.rtp.lost)
            #expect(counters.duplicates.value == source.rtp.duplicates)
            #expect(counters.reordered.value == source.rtp.reordered)
            #expect(counters.restarts.value == source.rtp.restarts)
            #expect(counters.unmeasured.value == source.rtp.suspects)
            #expect(counters.payloadType.value == UInt64(source.payloadType))
            #expect(counters.clockRate.value == UInt64(source.clock.rate))
        }
    }

    @Test func `it is what notes most packets`() {
        for payloadType in [0, 96] as [UInt8] {
            var source: SourceReception?
            var pulse = SourcePulse()
            var alone = 0
            for number in 0..<1000 as Range<UInt16> {
                let packet = RTPHeader(
                    payloadType: payloadType, sequenceNumber: number, timestamp: UInt32(number) * 160, ssrc: 7
                )
                let time = 1_700_000_000_000_000_000 + UInt64(number) * 20_000_000
                if pulse.advance(packet, at: time) {
                    alone += 1
                    continue
                }
                var now = source ?? SourceReception(packet)
                if source != nil { now.resume(pulse) }
                now.note(packet, at: time)
                (source, pulse) = (now, SourcePulse(now, at: time))
            }
            // With a clock to be measured it is looked at some times, and after each second once.
            #expect(alone >= 990)
        }
    }
}
