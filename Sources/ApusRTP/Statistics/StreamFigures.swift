import Synchronization

/// A copy of ``StreamCounters`` at one moment.
public struct StreamFigures: Sendable, Equatable, Codable {
    /// Packets that came for the stream.
    public var packets: UInt64 = 0
    /// Bytes of UDP payload in them.
    public var bytes: UInt64 = 0
    /// Packets handed to a port to send, over all destinations.
    public var sent: UInt64 = 0
    /// Copies dropped on their way out, over all destinations and reasons.
    public var dropped: UInt64 = 0
    /// Packets that are neither RTP nor RTCP.
    public var notRTP: UInt64 = 0
    /// RTCP packets.
    public var rtcp: UInt64 = 0
    /// RTP packets far out of sequence, or of a source not known (yet).
    public var unmeasured: UInt64 = 0
    /// RTP packets lost, of all sources so far. It falls when one thought lost comes late.
    public var lost: UInt64 = 0
    /// RTP packets overtaken by later ones.
    public var reordered: UInt64 = 0
    /// RTP packets received twice.
    public var duplicates: UInt64 = 0
    /// Times a source jumped in its sequence and went on from there.
    public var restarts: UInt64 = 0
    /// Times a further synchronization source appeared.
    public var sourceChanges: UInt64 = 0
    /// The synchronization source that appeared last, or another one while that is silent.
    public var ssrc: UInt32?
    /// Its payload type.
    public var payloadType: UInt8?
    /// Its interarrival jitter in milliseconds; `nil` while the clock rate is not known.
    public var jitter: Double?
    /// In nanoseconds since 1970; 0 when nothing came yet.
    public var lastArrival: UInt64 = 0

    /// All at 0.
    public init() {}

    /// Reads the counters of one worker.
    public init(_ counters: borrowing StreamCounters) {
        packets = counters.packets.value
        bytes = counters.bytes.value
        sent = counters.sent.value
        dropped = counters.dropped.value
        notRTP = counters.notRTP.value
        rtcp = counters.rtcp.value
        unmeasured = counters.unmeasured.value
        lost = counters.lost.value
        reordered = counters.reordered.value
        duplicates = counters.duplicates.value
        restarts = counters.restarts.value
        sourceChanges = counters.sourceChanges.value
        lastArrival = counters.lastArrival.value
        let shown = counters.ssrc.value
        if shown != 0 {
            ssrc = UInt32(truncatingIfNeeded: shown)
            payloadType = UInt8(truncatingIfNeeded: counters.payloadType.value)
            let rate = counters.clockRate.value
            if rate > 0 { jitter = Double(counters.scaledJitter.value) / 16 / Double(rate) * 1000 }
        }
    }

    /// Reads the counters of one worker, if they are those of the stream with that generation: `nil` while the
    /// worker has not taken up a table with it, or no longer has it.
    public init?(_ counters: borrowing StreamCounters, generation: UInt64) {
        guard counters.generation.value == generation else { return nil }
        atomicMemoryFence(ordering: .acquiring)
        self.init(counters)
        atomicMemoryFence(ordering: .acquiring)
        guard counters.generation.value == generation else { return nil }
    }

    /// Adds the figures of the same stream on another worker.
    public mutating func merge(_ other: StreamFigures) {
        packets += other.packets
        bytes += other.bytes
        sent += other.sent
        dropped += other.dropped
        notRTP += other.notRTP
        rtcp += other.rtcp
        unmeasured += other.unmeasured
        lost += other.lost
        reordered += other.reordered
        duplicates += other.duplicates
        restarts += other.restarts
        sourceChanges += other.sourceChanges
        if other.lastArrival > lastArrival {
            lastArrival = other.lastArrival
            (ssrc, payloadType, jitter) = (
                other.ssrc ?? ssrc, other.payloadType ?? payloadType, other.jitter ?? jitter
            )
        }
    }
}
