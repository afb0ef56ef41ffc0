import ApusWire

/// What a worker knows of one synchronization source of a stream, but for what most packets change: that is in its
/// ``SourcePulse``.
struct SourceReception: BitwiseCopyable, Sendable {
    private(set) var clock = ClockRateMeter()
    private(set) var payloadType: UInt8 = 0
    private(set) var rtp: RTPReception

    /// No source.
    init() { rtp = RTPReception(ssrc: 0, next: 0) }

    /// The source that sent this packet, which is not noted yet.
    init(_ packet: RTPHeader) {
        payloadType = packet.payloadType
        rtp = RTPReception(ssrc: packet.ssrc, next: packet.sequenceNumber)
        clock = ClockRateMeter(known: ClockRate.ofStaticPayloadType(packet.payloadType) ?? 0)
    }

    /// Catches up with what the pulse has noted alone.
    mutating func resume(_ pulse: SourcePulse) {
        rtp.resume(highest: pulse.highest, transit: pulse.transit, scaledJitter: pulse.scaledJitter)
        clock.resume(lastTimestamp: pulse.lastTimestamp)
    }

    /// Takes note of any packet.
    mutating func note(_ packet: RTPHeader, at time: UInt64) {
        switch rtp.update(sequence: packet.sequenceNumber) {
        case .duplicate, .suspect: return
        case .late: measureTransit(packet, at: time)
        case .forward:
            if packet.payloadType != payloadType { change(to: packet.payloadType) }
            let rate = clock.rate
            clock.update(timestamp: packet.timestamp, arrival: time)
            if clock.rate != rate { rtp.restartJitter() }
            measureTransit(packet, at: time)
        }
    }

    private mutating func measureTransit(_ packet: RTPHeader, at time: UInt64) {
        guard clock.rate != 0 else { return }
        rtp.updateJitter(timestamp: packet.timestamp, arrival: clock.ticks(time))
    }

    /// A static payload type says what its clock is. With a dynamic one the clock most often stays, as for
    /// telephone events (RFC 4733 section 2.1), but is measured from now on.
    private mutating func change(to payloadType: UInt8) {
        self.payloadType = payloadType
        let known = ClockRate.ofStaticPayloadType(payloadType)
        if let known, known != clock.rate { rtp.restartJitter() }
        clock = known.map { ClockRateMeter(known: $0) } ?? ClockRateMeter(measuringFrom: clock.rate)
    }
}
