import ApusRTP
import Seeds
import Testing

/// RFC 3550 appendix A.1 with a set of all numbers received: slow, and exact.
private struct Reference {
    var (received, duplicates, reordered, restarts, suspects) = (0, 0, 0, 0, 0)
    private var highest: Int?
    private var seen: Set<Int> = []
    private var lostBefore = 0
    private var confirming: Int?

    private var missing: Int {
        guard let highest, let lowest = seen.min() else { return 0 }
        return highest - lowest + 1 - seen.count
    }
    var lost: Int { lostBefore + missing }
    var extended: Int { highest.map { $0 - 0x10000 } ?? 0 }

    mutating func update(_ sequence: Int) {
        guard let top = highest else {
            (highest, seen, received) = (0x10000 + sequence, [0x10000 + sequence], received + 1)
            return
        }
        let ahead = ((sequence - top) % 0x10000 + 0x10000) % 0x10000
        if ahead > 0, ahead < 3000 {
            highest = top + ahead
            seen.insert(top + ahead)
            received += 1
            confirming = nil
        } else if ahead == 0 || ahead > 0x10000 - 100 {
            let number = ahead == 0 ? top : top - (0x10000 - ahead)
            if seen.insert(number).inserted {
                received += 1
                reordered += 1
            } else {
                duplicates += 1
            }
        } else if confirming == sequence {
            restarts += 1
            lostBefore += missing
            (highest, seen, received) = (0x10000 + sequence, [0x10000 + sequence], received + 1)
            confirming = nil
        } else {
            suspects += 1
            confirming = (sequence + 1) % 0x10000
        }
    }
}

@Suite("RTP reception") struct RTPReceptionTests {
    private static func received(_ sequences: [UInt16]) -> RTPReception {
        var reception = RTPReception(ssrc: 1, next: sequences[0])
        for sequence in sequences { _ = reception.update(sequence: sequence) }
        return reception
    }

    /// Sequence numbers as a bad network delivers them.
    private static func traffic(_ random: inout Seeded, count: Int) -> [UInt16] {
        var next = random.below(4) == 0 ? 65_500 : random.below(0x10000)
        var sent: [UInt16] = []
        while sent.count < count {
            switch random.below(100) {
            case 0..<5: next += 1 + random.below(6)
            case 5: next += random.below(140)
            case 6: next += 2990 + random.below(20)
            case 7 where random.below(8) == 0: next = random.below(0x10000)
            case 8..<16:
                // One from the past, received or not.
                sent.append(UInt16(truncatingIfNeeded: next - 1 - random.below(105)))
                continue
            case 16 where !sent.isEmpty: sent.append(sent[random.below(sent.count)])
            case 17: sent.append(UInt16(random.below(0x10000)))
            case 18..<24 where sent.count > 4:
                let position = sent.count - 1 - random.below(4)
                sent.insert(UInt16(truncatingIfNeeded: next), at: position)
                next += 1
                continue
            default: break
            }
            sent.append(UInt16(truncatingIfNeeded: next))
            next += 1
        }
        return sent
    }

    @Test func `thousands of bad networks are told as by a model that remembers everything`() {
        for seed in 0..<3000 {
            var random = Seeded(UInt64(seed))
            let sequences = Self.traffic(&random, count: 300)
            var reception = RTPReception(ssrc: 1, next: sequences[0])
            var reference = Reference()
            for (position, sequence) in sequences.enumerated() {
                _ = reception.update(sequence: sequence)
                reference.update(Int(sequence))
                guard Int(reception.received) == reference.received, Int(reception.lost) == reference.lost,
                    Int(reception.duplicates) == reference.duplicates,
                    Int(reception.reordered) == reference.reordered,
                    Int(reception.restarts) == reference.restarts,
                    Int(reception.suspects) == reference.suspects,
                    Int(reception.highestSequence) == reference.extended
                else {
                    Issue.record(
                        "seed \(seed), packet \(position), number \(sequence): \(reception), \(reference)")
                    return
                }
            }
            let noted = reception.received + reception.duplicates + reception.suspects
            #expect(Int(noted) == sequences.count)
        }
    }

    @Test func `a gap is lost until the late ones come`() {
        var reception = Self.received([10, 11, 15])
        #expect(reception.lost == 3)
        #expect(reception.update(sequence: 13) == .late)
        #expect(reception.lost == 2)
        #expect(reception.reordered == 1)
        #expect(reception.update(sequence: 13) == .duplicate)
        #expect(reception.lost == 2)
        #expect(reception.expected == 6)
    }

    @Test func `a doubled packet does not hide a lost one, however late the double is`() {
        for distance in [1, 63, 64, 65, 98] as [UInt16] {
            var reception = Self.received([1000, 1002] + Array(1003...1110))
            #expect(reception.lost == 1)
            #expect(reception.update(sequence: 1110 - distance) == .duplicate)
            #expect(reception.lost == 1)
            #expect(reception.duplicates == 1)
        }
    }

    @Test func `a packet older than the first one moves the beginning`() {
        var reception = Self.received([10])
        #expect(reception.update(sequence: 8) == .late)
        #expect(reception.lost == 1)
        #expect(reception.update(sequence: 9) == .late)
        #expect(reception.lost == 0)
        #expect(reception.received == 3)
    }

    @Test func `the sequence wraps without loss and the extended number goes on`() {
        var reception = RTPReception(ssrc: 1, next: 65_000)
        for number in 65_000..<(65_000 + 200_000) {
            #expect(reception.update(sequence: UInt16(truncatingIfNeeded: number)) == .forward)
        }
        #expect(reception.lost == 0)
        #expect(reception.received == 200_000)
        #expect(reception.highestSequence == 264_999)
    }

    @Test func `late packets across the wrap are late`() {
        var reception = Self.received([65_533, 65_534, 1])
        #expect(reception.lost == 2)
        #expect(reception.update(sequence: 65_535) == .late)
        #expect(reception.update(sequence: 0) == .late)
        #expect(reception.lost == 0)
        #expect(reception.highestSequence == 65_537)
    }

    @Test func `2999 ahead is a gap and 3000 is a jump, 99 behind is late and 100 is a jump`() {
        var reception = Self.received([5000])
        #expect(reception.update(sequence: 5000 + 2999) == .forward)
        #expect(reception.lost == 2998)
        reception = Self.received([5000])
        #expect(reception.update(sequence: 5000 + 3000) == .suspect)
        #expect(reception.lost == 0)
        #expect(reception.update(sequence: 5000 - 99) == .late)
        reception = Self.received([5000])
        #expect(reception.update(sequence: 5000 - 100) == .suspect)
        #expect(reception.suspects == 1)
    }

    @Test func `two in sequence after a jump are a restart, which keeps what was lost`() {
        var reception = Self.received([1, 2, 5])
        #expect(reception.update(sequence: 40_000) == .suspect)
        #expect(reception.update(sequence: 40_001) == .forward)
        #expect(reception.restarts == 1)
        #expect(reception.lost == 2)
        #expect(reception.update(sequence: 40_003) == .forward)
        #expect(reception.lost == 3)
    }

    @Test func `strays between the packets of a live source do not restart it`() {
        var reception = RTPReception(ssrc: 1, next: 0)
        for number in 0..<1000 as Range<UInt16> {
            #expect(reception.update(sequence: number) == .forward)
            #expect(reception.update(sequence: 30_000 + number) == .suspect)
        }
        #expect(reception.restarts == 0)
        #expect(reception.received == 1000)
        #expect(reception.lost == 0)
        #expect(reception.suspects == 1000)
    }

    @Test func `jitter is the formula of section 6-4-1, to half a unit`() {
        for seed in 0..<500 {
            var random = Seeded(UInt64(seed))
            var reception = RTPReception(ssrc: 1, next: 0)
            var (exact, before): (Double, Double?) = (0, nil)
            // Clocks that wrap on the way.
            let (firstArrival, firstTimestamp) = (UInt32.max - 5000, UInt32.max - 100_000)
            for number in 0..<400 {
                let timestamp = number * 960
                let arrival = number * 960 + random.below(seed % 7 == 0 ? 200_000 : 900)
                reception.updateJitter(
                    timestamp: firstTimestamp &+ UInt32(timestamp), arrival: firstArrival &+ UInt32(arrival))
                let transit = Double(arrival - timestamp)
                if let before { exact += (abs(transit - before) - exact) / 16 }
                before = transit
                #expect(abs(Double(reception.scaledJitter) / 16 - exact) <= 0.5)
            }
        }
    }

    @Test func `timestamps that jump at random do not overflow the jitter`() {
        var random = Seeded(3)
        var reception = RTPReception(ssrc: 1, next: 0)
        var before = 0
        for _ in 0..<10_000 {
            reception.updateJitter(timestamp: UInt32(truncatingIfNeeded: random.next()), arrival: 0)
            // Each step takes a sixteenth off at most; what wrapped would fall by more.
            let jitter = Int(reception.scaledJitter)
            #expect(jitter >= before - before / 16 - 1)
            before = jitter
        }
        #expect(before > 0x4000_0000)
    }
}
