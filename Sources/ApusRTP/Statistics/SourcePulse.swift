import ApusWire

/// What most packets of a source change, in one cache line: the next one in sequence, of the payload type of the one before,
/// while nothing is unusual and the clock is not due to be measured.
///
/// It notes such packets alone. All others go by ``SourceReception``, which first catches up with it, and of which it then
/// is made anew.
struct SourcePulse: BitwiseCopyable, Sendable {
    // Of the clock, as in ClockRateMeter.
    private let multiplier: UInt64
    private let originArrival: UInt64
    private let wait: UInt64
    /// When the last packet came, in nanoseconds since 1970.
    private(set) var lastArrival: UInt64
    // As in RTPReception.
    private(set) var highest: UInt64
    private(set) var transit: UInt32
    private(set) var scaledJitter: UInt32
    private(set) var lastTimestamp: UInt32
    let ssrc: UInt32
    // That of the packets it notes; none while something is unusual, or there is no source.
    private let payloadType: UInt8
    /// Whether there is a source.
    let isThere: Bool
    /// In the pulse of a stream's first place: the place of the source that sent the stream's last packet.
    var last: UInt8 = 0
    /// Likewise: the place of the source whose SSRC, payload type and jitter the stream shows.
    var shown: UInt8 = 0

    private static var noPayloadType: UInt8 { .max }

    /// No source.
    init() { self.init(SourceReception(), at: 0, isThere: false) }

    /// That of a source whose last packet came then.
    init(_ source: SourceReception, at time: UInt64, isThere: Bool = true) {
        (multiplier, originArrival) = (source.clock.multiplier, source.clock.originArrival)
        (wait, lastTimestamp) = (source.clock.wait, source.clock.lastTimestamp)
        (highest, transit) = (source.rtp.highest, source.rtp.transit)
        (scaledJitter, ssrc) = (source.rtp.scaledJitter, source.rtp.ssrc)
        let clock = source.clock
        let isUsual =
            isThere && (clock.isPrimed || clock.isFixed) && !source.rtp.isSuspected
            && (source.rtp.hasTransit || clock.rate == 0)
        payloadType = isUsual ? source.payloadType : Self.noPayloadType
        (lastArrival, self.isThere) = (time, isThere)
    }

    /// Takes note of a packet of that SSRC if it is as most are; false if it has to go by the ``SourceReception``.
    @inline(__always)
    mutating func advance(_ packet: RTPHeader, at time: UInt64) -> Bool {
        guard
            _fastPath(
                packet.sequenceNumber == UInt16(truncatingIfNeeded: highest) &+ 1
                    && packet.payloadType == payloadType && time &- originArrival < wait)
        else { return false }
        highest &+= 1
        lastArrival = time
        lastTimestamp = packet.timestamp
        // Without a rate the clock is not known, and no transit time.
        guard _fastPath(multiplier != 0) else { return true }
        let now = ClockRateMeter.ticks(time, multiplier) &- packet.timestamp
        scaledJitter = RTPReception.jitter(scaledJitter, transit: now, before: transit)
        transit = now
        return true
    }
}
