/// What an IP packet carries: the Protocol field of IPv4, the Next Header field of IPv6
/// (IANA "Assigned Internet Protocol Numbers").
@frozen
public struct IPProtocol: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    /// The number in the packet.
    public var rawValue: UInt8

    /// The protocol of that number.
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// IPv6 hop-by-hop options (RFC 8200 section 4.3).
    @inlinable public static var hopByHop: IPProtocol { IPProtocol(rawValue: 0) }
    /// ICMP (RFC 792).
    @inlinable public static var icmp: IPProtocol { IPProtocol(rawValue: 1) }
    /// TCP (RFC 9293).
    @inlinable public static var tcp: IPProtocol { IPProtocol(rawValue: 6) }
    /// UDP (RFC 768).
    @inlinable public static var udp: IPProtocol { IPProtocol(rawValue: 17) }
    /// IPv6 routing header (RFC 8200 section 4.4).
    @inlinable public static var routing: IPProtocol { IPProtocol(rawValue: 43) }
    /// IPv6 fragment header (RFC 8200 section 4.5).
    @inlinable public static var fragment: IPProtocol { IPProtocol(rawValue: 44) }
    /// Authentication header (RFC 4302).
    @inlinable public static var authentication: IPProtocol { IPProtocol(rawValue: 51) }
    /// ICMPv6 (RFC 4443).
    @inlinable public static var icmpv6: IPProtocol { IPProtocol(rawValue: 58) }
    /// Nothing follows (RFC 8200 section 4.7).
    @inlinable public static var none: IPProtocol { IPProtocol(rawValue: 59) }
    /// IPv6 destination options (RFC 8200 section 4.6).
    @inlinable public static var destinationOptions: IPProtocol { IPProtocol(rawValue: 60) }
}
