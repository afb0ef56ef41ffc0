import ApusRings
import ApusWire

/// What a worker knows of the sources of all its streams: for each stream a fixed number of them.
///
/// A stream may have several sources on one port (audio with video, retransmissions), and one source may
/// follow another. Each is measured for itself, and the stream's figures are their sums. A source that comes
/// later than the first has to show two packets in sequence (RFC 3550 appendix A.1), and takes the place of
/// none that has been heard of lately; so someone who makes up sources neither costs more than a look at a
/// few words a packet nor spoils what is known of the others. Packets without a place are counted as
/// unmeasured.
struct StreamReceptions: ~Copyable, Sendable {
    /// What of a place for a source is not in its pulse.
    struct Place: BitwiseCopyable, Sendable {
        var source = SourceReception()
        /// In a stream's first place: a source that has shown itself once.
        var candidate: UInt32 = 0
        /// Likewise: the sequence number with which it would do so again; out of range for none.
        var candidateNext: UInt32 = .max
    }

    // Each stream has some places behind one another.
    private var pulses: FixedArray<SourcePulse>
    private var places: FixedArray<Place>
    private let count: Int

    /// How long a source must be silent before another one takes its place, in nanoseconds.
    static var silence: UInt64 { 2_000_000_000 }

    /// Room for so many streams, and 1 to 255 sources of each.
    init(streams: Int, sourcesPerStream: Int) {
        precondition((1...255).contains(sourcesPerStream), "a stream has 1 to 255 sources")
        count = sourcesPerStream
        pulses = FixedArray(repeating: SourcePulse(), count: streams * sourcesPerStream)
        places = FixedArray(repeating: Place(), count: streams * sourcesPerStream)
    }

    /// Asks for what most packets of the stream in that slot need.
    @inline(__always)
    func prefetch(_ slot: Int) { pulses.prefetch(slot &* count) }

    /// Forgets what is known of the stream in that slot.
    mutating func clear(_ slot: Int) {
        for position in slot * count..<(slot + 1) * count {
            pulses[position] = SourcePulse()
            places[position] = Place()
        }
    }

    /// Takes note of a packet, and of what changed by it.
    @inline(__always)
    mutating func note(
        _ packet: RTPHeader, at time: UInt64, slot: Int, _ counters: borrowing StreamCounters
    ) {
        let place = Int(pulses[slot &* count].last)
        let position = slot &* count &+ place
        if _fastPath(pulses[position].ssrc == packet.ssrc && pulses[position].advance(packet, at: time)) {
            if _fastPath(place == Int(pulses[slot &* count].shown)) {
                counters.scaledJitter.set(UInt64(pulses[position].scaledJitter))
            } else {
                show(place, at: time, slot, counters)
            }
            return
        }
        noteSlowly(packet, at: time, slot: slot, counters)
    }

    @inline(never)
    private mutating func noteSlowly(
        _ packet: RTPHeader, at time: UInt64, slot: Int, _ counters: borrowing StreamCounters
    ) {
        guard let place = place(of: packet, at: time, slot, counters) else {
            return counters.unmeasured.add()
        }
        pulses[slot &* count].last = UInt8(place)
        let position = slot * count + place
        // One that takes turns with another source may still be as most are.
        if !pulses[position].advance(packet, at: time) {
            var source = source(at: position)
            let before = source.rtp
            source.note(packet, at: time)
            counters.addDifference(before, source.rtp)
            set(source, at: position, time)
        }
        show(place, at: time, slot, counters)
    }

    /// What is known of the source in a place, with what its pulse has noted.
    func source(at position: Int) -> SourceReception {
        var source = places[position].source
        source.resume(pulses[position])
        return source
    }

    private mutating func set(_ source: SourceReception, at position: Int, _ time: UInt64) {
        places[position].source = source
        let (last, shown) = (pulses[position].last, pulses[position].shown)
        pulses[position] = SourcePulse(source, at: time)
        (pulses[position].last, pulses[position].shown) = (last, shown)
    }

    /// Shows the source that sent a packet if it is the one shown, or that one is silent.
    @inline(never)
    private mutating func show(
        _ place: Int, at time: UInt64, _ slot: Int, _ counters: borrowing StreamCounters
    ) {
        let shown = Int(pulses[slot &* count].shown)
        if place != shown {
            guard isSilent(slot * count + shown, at: time) else { return }
            pulses[slot &* count].shown = UInt8(place)
        }
        counters.show(source(at: slot * count + place))
    }

    private func isSilent(_ position: Int, at time: UInt64) -> Bool {
        // Also when the clock was put back.
        time &- pulses[position].lastArrival >= Self.silence
    }

    /// The place of the source that sent this packet; `nil` if it has none.
    private mutating func place(
        of packet: RTPHeader, at time: UInt64, _ slot: Int, _ counters: borrowing StreamCounters
    ) -> Int? {
        var free: Int?
        var isFirst = true
        var earliest = UInt64.max
        for place in 0..<count {
            let position = slot * count + place
            if !pulses[position].isThere {
                if earliest > 0 { (free, earliest) = (place, 0) }
                continue
            }
            if pulses[position].ssrc == packet.ssrc { return place }
            isFirst = false
            if isSilent(position, at: time), pulses[position].lastArrival < earliest {
                (free, earliest) = (place, pulses[position].lastArrival)
            }
        }
        guard isFirst || isConfirmed(packet, slot), let free else { return nil }
        places[slot &* count].candidateNext = .max
        pulses[slot &* count].shown = UInt8(free)
        set(SourceReception(packet), at: slot * count + free, time)
        if !isFirst { counters.sourceChanges.add() }
        return free
    }

    /// Whether the packet is the second in sequence of a new source.
    private mutating func isConfirmed(_ packet: RTPHeader, _ slot: Int) -> Bool {
        if places[slot &* count].candidate == packet.ssrc,
            places[slot &* count].candidateNext == UInt32(packet.sequenceNumber)
        {
            return true
        }
        places[slot &* count].candidate = packet.ssrc
        places[slot &* count].candidateNext = UInt32(packet.sequenceNumber &+ 1)
        return false
    }
}
