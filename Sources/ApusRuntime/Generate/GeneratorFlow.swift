import ApusPorts
import ApusWire

/// One flow of a generator: its headers, made once, and where it has got to.
@usableFromInline
struct GeneratorFlow: BitwiseCopyable, Sendable {
    private let headers: UDPEncapsulation
    /// The UDP checksum of a datagram whose number, or sequence number and timestamp, is 0.
    private let checksum: UInt16
    /// The payload type and the synchronization source, for RTP.
    private let source: (payloadType: UInt8, ssrc: UInt32)?
    /// Packets made so far.
    private var number: UInt64 = 0
    /// The RTP timestamp of the next packet, and the part of a tick that is left over.
    private var timestamp: UInt32 = 0
    private var remainder: UInt64 = 0

    /// A flow whose packets have these headers and this payload, but for what changes from one to the next.
    init(_ headers: UDPEncapsulation, rtp source: (payloadType: UInt8, ssrc: UInt32)?, payload: [UInt8]) {
        (self.headers, self.source) = (headers, source)
        var payload = payload
        if let source {
            var span = payload.mutableSpan
            // Sound: any bits are a UInt8.
            var bytes = unsafe span.mutableBytes
            try? Self.header(source, 0, 0).encode(into: &bytes)
        }
        checksum = unsafe headers.checksum(of: payload.span.bytes)
    }

    private static func header(
        _ source: (payloadType: UInt8, ssrc: UInt32), _ sequence: UInt16, _ timestamp: UInt32
    ) -> RTPHeader {
        RTPHeader(
            payloadType: source.payloadType, sequenceNumber: sequence, timestamp: timestamp, ssrc: source.ssrc
        )
    }

    /// Makes an empty packet the next of this flow. `payload` is the one the flow was made with.
    ///
    /// - Returns: `false` when the packet has no room for it.
    mutating func write(_ packet: inout Packet, payload: RawSpan, ticks: GeneratorTicks) -> Bool {
        // The payload first: what stands before it is prepended, in the frame's headroom.
        guard packet.replaceBytes(with: payload) else { return false }
        var sum = InternetChecksum(resuming: checksum)
        var content = packet.mutableBytes
        if let source {
            let sequence = UInt16(truncatingIfNeeded: number)
            let time = ticks.time(timestamp)
            try? Self.header(source, sequence, time).encode(into: &content)
            sum.add(sequence)
            sum.add(time)
            (timestamp, remainder) = ticks.next(timestamp, remainder)
        } else if payload.byteCount >= 8 {
            content.storeBytes(of: number.bigEndian, as: UInt64.self)
            sum.add(UInt32(truncatingIfNeeded: number >> 32))
            sum.add(UInt32(truncatingIfNeeded: number))
        }
        number &+= 1
        guard packet.prepend(headers.byteCount) else { return false }
        var frame = packet.mutableBytes
        try? headers.encode(into: &frame, payloadLength: payload.byteCount, udpChecksum: sum.udpValue)
        return true
    }
}

/// How RTP timestamps go on from packet to packet of a flow.
@usableFromInline
struct GeneratorTicks: BitwiseCopyable, Sendable {
    private let clockRate: UInt64
    /// Packets a second of all flows; 0 where the clock gives the timestamps and not the rate.
    private let rate: UInt64
    private let whole: UInt32
    private let part: UInt64
    /// Without a rate: the timestamp of all packets that are made now.
    private var now: UInt32 = 0

    /// Each of `flows` flows has its turn `rate`/`flows` times a second.
    init(clockRate: UInt32, flows: Int, rate: UInt64?) {
        (self.clockRate, self.rate) = (UInt64(clockRate), rate ?? 0)
        guard let rate else {
            (whole, part) = (0, 0)
            return
        }
        let (quotient, remainder) = (UInt64(clockRate) * UInt64(flows)).quotientAndRemainder(dividingBy: rate)
        (whole, part) = (UInt32(truncatingIfNeeded: quotient), remainder)
    }

    /// Takes note of how long the traffic has gone on, in nanoseconds.
    mutating func advance(to elapsed: UInt64) {
        guard rate == 0 else { return }
        now = UInt32(
            truncatingIfNeeded: GeneratedTraffic.scaled(elapsed, clockRate, by: GeneratedTraffic.second))
    }

    /// The timestamp to write, when a flow has counted to `counted`.
    func time(_ counted: UInt32) -> UInt32 { rate == 0 ? now : counted }

    /// What follows a timestamp, carrying on the part of a tick that was left over.
    func next(_ timestamp: UInt32, _ remainder: UInt64) -> (UInt32, UInt64) {
        let left = remainder &+ part
        guard rate > 0, left >= rate else { return (timestamp &+ whole, left) }
        return (timestamp &+ whole &+ 1, left &- rate)
    }
}
