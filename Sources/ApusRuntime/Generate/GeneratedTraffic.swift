/// What a generator sends, how fast, and when it ends.
public struct GeneratedTraffic: Sendable, Hashable {
    /// What the datagrams carry.
    public enum Content: Sendable, Hashable {
        /// RTP without extensions (RFC 3550 section 5.1). Each flow is a source of its own, with its SSRC one
        /// higher than that of the flow before. Sequence numbers and timestamps begin at 0, so that a receiver
        /// can tell what is missing; `clockRate` is the timestamps' clock in Hz.
        case rtp(payloadType: UInt8, ssrc: UInt32, clockRate: UInt32)
        /// Plain UDP, whose payload begins with the packet's number in its flow: 64 bits, the highest octet
        /// first. Payloads below 8 octets have none.
        case udp
    }

    /// What the datagrams carry.
    public var content: Content
    /// Octets behind the UDP header, the RTP header among them: 12 or more for RTP.
    public var payloadSize: Int
    /// How many flows there are. They have consecutive source ports and take turns.
    public var flows: Int
    /// Packets a second over all flows, 1 or more; `nil` sends as fast as the port takes them.
    public var rate: UInt64?
    /// Packets to send in all; `nil` does not bound it.
    public var count: UInt64?
    /// How long to send, in nanoseconds; `nil` does not bound it.
    public var duration: UInt64?

    /// Traffic without an end, in one flow, as fast as the port takes it.
    public init(_ content: Content, payloadSize: Int) {
        (self.content, self.payloadSize) = (content, payloadSize)
        (flows, rate, count, duration) = (1, nil, nil, nil)
    }

    /// Octets that the content needs at least.
    public var minimumPayloadSize: Int {
        switch content {
        case .rtp: 12
        case .udp: 0
        }
    }

    /// How many packets there will be, if they are bounded: by `count`, or by what is due in `duration`.
    var packetLimit: UInt64 {
        var limit = count ?? .max
        if let rate, let duration {
            // Those whose turn comes before the time is over.
            limit = min(limit, Self.scaled(duration, rate, by: Self.second, up: true))
        }
        return limit
    }

    static var second: UInt64 { 1_000_000_000 }

    /// `value` · `factor` / `divisor` without losing a digit on the way; `.max` where that is too large.
    static func scaled(_ value: UInt64, _ factor: UInt64, by divisor: UInt64, up: Bool = false) -> UInt64 {
        let product = value.multipliedFullWidth(by: factor)
        guard product.high < divisor else { return .max }
        let (quotient, remainder) = divisor.dividingFullWidth(product)
        return up && remainder > 0 ? quotient &+ 1 : quotient
    }
}
