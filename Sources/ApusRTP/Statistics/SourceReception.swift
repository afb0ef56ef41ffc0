import ApusWire

/// What a worker knows of one synchronization source of a stream.
struct SourceReception: BitwiseCopyable, Sendable {
    /// The SSRC; ``noSource`` where there is none.
    private(set) var key: UInt64 = noSource
    /// When its last packet came, in nanoseconds since 1970.
    private(set) var lastArrival: UInt64 = 0
    // In this order what changes with each packet lies together.
    private(set) var clock = ClockRateMeter()
    private(set) var payloadType: UInt8 = 0
    private(set) var rtp: RTPReception

    static var noSource: UInt64 { .max }

    /// No source.
    init() { rtp = RTPReception(ssrc: 0, next: 0) }

    /// The source that sent this packet, which is not noted yet.
    init(_ packet: RTPHeader) {
        key = UInt64(packet.ssrc)
        payloadType = packet.payloadType
        rtp = RTPReception(ssrc: packet.ssrc, next: packet.sequenceNumber)
        clock = ClockRateMeter(known: ClockRate.ofStaticPayloadType(packet.payloadType) ?? 0)
    }

    /// Takes note of a packet if it is as most are, the next one and of the payload type of the one before.
    @inline(__always)
    mutating func advance(_ packet: RTPHeader, at time: UInt64) -> Bool {
        guard _fastPath(rtp.isNext(packet.sequenceNumber) && packet.payloadType == payloadType) else {
            return false
        }
        lastArrival = time
        rtp.advance()
        measure(packet, at: time)
        return true
    }

    /// Takes note of any packet.
    mutating func note(_ packet: RTPHeader, at time: UInt64) {
        lastArrival = time
        switch rtp.update(sequence: packet.sequenceNumber) {
        case .duplicate, .suspect: return
        case .late: measureTransit(packet, at: time)
        case .forward:
            if packet.payloadType != payloadType { change(to: packet.payloadType) }
            measure(packet, at: time)
        }
    }

    @inline(__always)
    private mutating func measure(_ packet: RTPHeader, at time: UInt64) {
        let rate = clock.rate
        clock.update(timestamp: packet.timestamp, arrival: time)
        if _slowPath(clock.rate != rate) { rtp.restartJitter() }
        measureTransit(packet, at: time)
    }

    @inline(__always)
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
