public import ApusRings
public import ApusWire

/// What one worker of a relay counts, for everyone to read.
///
/// Nothing is lost without a name. Of what was received:
/// `received == accepted + Σ parseFailures + Σ refusals`. Of the copies made for destinations:
/// `copies == sent + Σ losses + waiting`.
@safe
public struct RelayCounters: ~Copyable, Sendable {
    /// Packets taken from the ports.
    public let received = Counter()
    /// Bytes in them, link-layer header included.
    public let receivedBytes = Counter()
    /// Packets that belong to a stream.
    public let accepted = Counter()
    /// Packets to be sent: one for each accepted packet and destination.
    public let copies = Counter()
    /// Packets handed to a port.
    public let sent = Counter()
    /// Bytes in them, link-layer header included.
    public let sentBytes = Counter()
    /// Packets that wait for their next hop to be resolved.
    public let waiting = Counter()
    /// UDP checksums that the sender had left to its device and that were completed here.
    public let completedChecksums = Counter()
    /// Accepted packets in several segments whose UDP checksum nobody has verified.
    public let unverifiedChecksums = Counter()
    /// Packets refused because of what is in them, by ``ParseFailure``.
    public let parseFailures: FixedArray<Counter>
    /// Packets dropped by the relay, by ``RelayDrop``.
    public let drops: FixedArray<Counter>
    /// The streams, by slot.
    public let streams: FixedArray<StreamCounters>

    /// Counters for that many stream slots.
    public init(slots: Int) {
        parseFailures = FixedArray(count: ParseFailure.count) { _ in Counter() }
        drops = FixedArray(count: RelayDrop.allCases.count) { _ in Counter() }
        streams = FixedArray(count: slots) { _ in StreamCounters() }
    }

    @inlinable
    func count(_ failure: ParseFailure) { parseFailures[Int(failure.rawValue)].add() }

    /// Counts a drop.
    @inlinable
    public func count(_ drop: RelayDrop) { drops[drop.rawValue].add() }
}
