public import ApusRings
import Synchronization

/// The figures of one stream that its worker writes and everyone may read.
///
/// Of the packets of an RTP stream, `packets == notRTP + rtcp + unmeasured + r`, where `r` were received in
/// or out of order or as duplicates.
@frozen
public struct StreamCounters: ~Copyable, Sendable {
    // What changes with every packet comes first, so that it shares a cache line.

    /// Packets that came for the stream.
    public let packets = Counter()
    /// Bytes of UDP payload in them.
    public let bytes = Counter()
    /// When the last packet came, in nanoseconds since 1970.
    public let lastArrival = Counter()
    /// Interarrival jitter of the source shown, in 1/16 of a timestamp unit.
    public let scaledJitter = Counter()
    /// Packets handed to a port to send, over all destinations.
    public let sent = Counter()
    /// Copies dropped on their way out, over all destinations and reasons.
    public let dropped = Counter()
    /// Packets that are neither RTP nor RTCP.
    public let notRTP = Counter()
    /// RTCP packets.
    public let rtcp = Counter()
    /// RTP packets that are far out of sequence or of a source that is not known (yet): they are forwarded,
    /// but say nothing of loss or jitter.
    public let unmeasured = Counter()
    /// RTP packets lost, of all sources so far. It falls when one thought lost comes late.
    public let lost = Counter()
    /// RTP packets overtaken by later ones.
    public let reordered = Counter()
    /// RTP packets received twice.
    public let duplicates = Counter()
    /// Times a source jumped in its sequence and went on from there.
    public let restarts = Counter()
    /// Times a further synchronization source appeared.
    public let sourceChanges = Counter()
    /// The synchronization source shown, with bit 32 set; 0 while there is none. It is the one that appeared
    /// last, or another one while that is silent.
    public let ssrc = Counter()
    /// The RTP payload type of the source shown.
    public let payloadType = Counter()
    /// The timestamp clock of the source shown, in Hz; 0 while it is not known.
    public let clockRate = Counter()
    /// The generation of the stream that occupies this slot; see ``ForwardingPlan/Stream/generation``.
    public let generation = Counter()

    // Whole cache lines, so that what changes with every packet shares one in each slot.
    private let padding = InlineArray<6, UInt64>(repeating: 0)

    /// All at 0.
    public init() {}

    @inline(__always)
    func count(payloadBytes: Int, at time: UInt64) {
        packets.add()
        bytes.add(UInt64(truncatingIfNeeded: payloadBytes))
        lastArrival.set(time)
    }

    /// Adds what the figures of one source have grown, or fallen, by.
    func addDifference(_ old: RTPReception, _ new: RTPReception) {
        lost.add(new.lost &- old.lost)
        reordered.add(new.reordered &- old.reordered)
        duplicates.add(new.duplicates &- old.duplicates)
        restarts.add(new.restarts &- old.restarts)
        unmeasured.add(new.suspects &- old.suspects)
    }

    /// Shows a source.
    func show(_ source: SourceReception) {
        ssrc.set(UInt64(source.rtp.ssrc) | 1 << 32)
        payloadType.set(UInt64(source.payloadType))
        clockRate.set(UInt64(source.clock.rate))
        scaledJitter.set(UInt64(source.rtp.scaledJitter))
    }

    /// Back to 0 for another stream; whoever reads meanwhile finds out by `generation`.
    func clear(generation new: UInt64) {
        generation.set(0)
        atomicMemoryFence(ordering: .releasing)
        packets.set(0)
        bytes.set(0)
        lastArrival.set(0)
        scaledJitter.set(0)
        sent.set(0)
        dropped.set(0)
        notRTP.set(0)
        rtcp.set(0)
        unmeasured.set(0)
        lost.set(0)
        reordered.set(0)
        duplicates.set(0)
        restarts.set(0)
        sourceChanges.set(0)
        ssrc.set(0)
        payloadType.set(0)
        clockRate.set(0)
        atomicMemoryFence(ordering: .releasing)
        generation.set(new)
    }
}
