public import ApusRings
import ApusWire

/// The further passes over a burst that was looked at.
extension Relay {
    /// Finds the streams of the first `count` packets and keeps their statistics, in the order of the packets. What has
    /// no stream, or must not go on, is refused, which is counted.
    @inline(never)
    public mutating func settle(
        _ seen: inout FixedArray<Seen>, count: Int, counters: borrowing RelayCounters
    ) {
        var burst = seen.mutableSpan(ofFirst: count)
        settle(&burst, counters)
    }

    @inline(__always)
    mutating func settle(_ burst: inout MutableSpan<Seen>, _ counters: borrowing RelayCounters) {
        for position in burst.indices where !burst[position].isRefused {
            resolve(&burst[position], counters)
        }
        var refused = 0
        for position in burst.indices {
            if _slowPath(burst[position].isRefused) {
                refused &+= 1
            } else {
                note(burst[position], counters)
            }
        }
        counters.accepted.add(UInt64(truncatingIfNeeded: burst.count &- refused))
    }

    /// Finds the stream of a packet, and asks for what is known of it.
    @inline(__always)
    private mutating func resolve(_ seen: inout Seen, _ counters: borrowing RelayCounters) {
        let found = table.stream(at: seen.destination, from: Int(seen.place))
        let slot = Int(found.number)
        guard _fastPath(slot >= 0) else { return Self.refuse(&seen, .noStream, counters) }
        let fixed = found.stream.hopLimit
        let hopLimit = fixed == 0 ? seen.found.hopLimit : fixed
        guard _fastPath(hopLimit > 0) else { return Self.refuse(&seen, .hopLimitExceeded, counters) }
        receptions.prefetch(slot)
        counters.streams.prefetch(slot)
        if _slowPath(seen.found.checksum.rawValue > Checksum.absent.rawValue) {
            guard Self.isRight(&seen, counters) else { return }
        }
        seen.found.settle(slot: slot, hopLimit: hopLimit)
        if _slowPath(!found.stream.isRTP) { seen.rtp = Seen.Kind.unmeasured }
        seen.firstWay = found.stream.firstDestination
        seen.wayCount = Int32(truncatingIfNeeded: found.stream.destinationCount)
    }

    /// Takes an accepted packet into the statistics of its stream.
    @inline(__always)
    private mutating func note(_ seen: Seen, _ counters: borrowing RelayCounters) {
        let slot = seen.found.slot
        // Only now, as a core waits for so many lines at a time and no more.
        table.ways.prefetch(Int(seen.firstWay))
        counters.streams[slot].count(payloadBytes: seen.found.payloadLength, at: seen.time)
        if _fastPath(seen.rtp >> 63 != 0) {
            let packet = RTPHeader(word: seen.rtp, ssrc: seen.ssrc)
            receptions.note(packet, at: seen.time, slot: slot, counters.streams[slot])
        } else {
            noteOther(seen.rtp, slot, counters)
        }
    }

    @inline(never)
    private func noteOther(_ kind: UInt64, _ slot: Int, _ counters: borrowing RelayCounters) {
        switch kind {
        case Seen.Kind.rtcp: counters.streams[slot].rtcp.add()
        case Seen.Kind.other: counters.streams[slot].notRTP.add()
        default: break
        }
    }

    @inline(never)
    private static func refuse(_ seen: inout Seen, _ reason: RelayDrop, _ counters: borrowing RelayCounters) {
        seen.wayCount = -1
        counters.count(reason)
    }

    /// Counts a checksum that is neither carried over as it is nor absent; `false`, and the packet is refused, when it is
    /// wrong.
    @inline(never)
    private static func isRight(_ seen: inout Seen, _ counters: borrowing RelayCounters) -> Bool {
        switch seen.found.checksum {
        case .left: counters.completedChecksums.add()
        case .unverified:
            counters.unverifiedChecksums.add()
            seen.found.carryChecksum()
        case .missing:
            seen.wayCount = -1
            counters.count(ParseFailure.missingUDPChecksum)
            return false
        default:
            seen.wayCount = -1
            counters.count(ParseFailure.badUDPChecksum)
            return false
        }
        return true
    }
}
