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
    struct Stream: BitwiseCopyable, Sendable {
        /// The place of the source that sent the last packet.
        var last: UInt8 = 0
        /// The place of the source whose SSRC, payload type and jitter the stream shows.
        var shown: UInt8 = 0
        /// The sequence number with which the candidate would show itself; out of range for none.
        var candidateNext: UInt32 = .max
        var candidate: UInt32 = 0
    }

    /// A place for a source; each stream has some behind one another.
    ///
    /// In three cache lines, of which what comes with each packet is in the first two.
    struct Place: BitwiseCopyable, Sendable {
        /// What is known of the stream, in its first place.
        var stream = Stream()
        var source = SourceReception()
        private let padding: UInt64 = 0
    }

    private var places: FixedArray<Place>
    private let count: Int

    /// How long a source must be silent before another one takes its place, in nanoseconds.
    static var silence: UInt64 { 2_000_000_000 }

    /// Room for so many streams, and 1 to 255 sources of each.
    init(streams: Int, sourcesPerStream: Int) {
        precondition((1...255).contains(sourcesPerStream), "a stream has 1 to 255 sources")
        count = sourcesPerStream
        places = FixedArray(repeating: Place(), count: streams * sourcesPerStream)
    }

    /// Asks for what most packets of the stream in that slot need.
    @inline(__always)
    func prefetch(_ slot: Int) {
        places.prefetch(slot &* count)
        places.prefetch(slot &* count, line: 1)
    }

    /// Forgets what is known of the stream in that slot.
    mutating func clear(_ slot: Int) {
        for place in 0..<count { places[slot &* count &+ place] = Place() }
    }

    /// Takes note of a packet, and of what changed by it.
    @inline(__always)
    mutating func note(
        _ packet: RTPHeader, at time: UInt64, slot: Int, _ counters: borrowing StreamCounters
    ) {
        let place = Int(places[slot &* count].stream.last)
        let position = slot &* count &+ place
        if _fastPath(places[position].source.key == UInt64(packet.ssrc)) {
            let rate = places[position].source.clock.rate
            if _fastPath(places[position].source.advance(packet, at: time)) {
                let shown = Int(places[slot &* count].stream.shown)
                if place == shown, places[position].source.clock.rate == rate {
                    counters.scaledJitter.set(UInt64(places[position].source.rtp.scaledJitter))
                } else {
                    show(place, insteadOf: shown, at: time, slot, counters)
                }
                return
            }
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
        places[slot &* count].stream.last = UInt8(place)
        let position = slot * count + place
        let before = places[position].source.rtp
        places[position].source.note(packet, at: time)
        counters.addDifference(before, places[position].source.rtp)
        show(place, insteadOf: Int(places[slot &* count].stream.shown), at: time, slot, counters)
    }

    /// Shows the source that sent a packet if it is the one shown, or that one is silent.
    @inline(never)
    private mutating func show(
        _ place: Int, insteadOf shown: Int, at time: UInt64, _ slot: Int, _ counters: borrowing StreamCounters
    ) {
        if place != shown {
            guard isSilent(slot * count + shown, at: time) else { return }
            places[slot &* count].stream.shown = UInt8(place)
        }
        counters.show(places[slot * count + place].source)
    }

    private func isSilent(_ position: Int, at time: UInt64) -> Bool {
        // Also when the clock was put back.
        time &- places[position].source.lastArrival >= Self.silence
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
            let key = places[position].source.key
            if key == UInt64(packet.ssrc) { return place }
            if key == SourceReception.noSource {
                if earliest > 0 { (free, earliest) = (place, 0) }
            } else {
                isFirst = false
                if isSilent(position, at: time), places[position].source.lastArrival < earliest {
                    (free, earliest) = (place, places[position].source.lastArrival)
                }
            }
        }
        guard isFirst || isConfirmed(packet, slot), let free else { return nil }
        places[slot &* count].stream.candidateNext = .max
        places[slot &* count].stream.shown = UInt8(free)
        places[slot * count + free].source = SourceReception(packet)
        if !isFirst { counters.sourceChanges.add() }
        return free
    }

    /// Whether the packet is the second in sequence of a new source.
    private mutating func isConfirmed(_ packet: RTPHeader, _ slot: Int) -> Bool {
        if places[slot &* count].stream.candidate == packet.ssrc,
            places[slot &* count].stream.candidateNext == UInt32(packet.sequenceNumber)
        {
            return true
        }
        places[slot &* count].stream.candidate = packet.ssrc
        places[slot &* count].stream.candidateNext = UInt32(packet.sequenceNumber &+ 1)
        return false
    }
}
