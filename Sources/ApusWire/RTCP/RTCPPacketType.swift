/// The type of an RTCP packet (IANA "RTCP Control Packet Types").
@frozen
public struct RTCPPacketType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    /// The number in the packet.
    public var rawValue: UInt8

    /// The type of that number.
    @inlinable
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Sender report (RFC 3550 section 6.4.1).
    @inlinable public static var senderReport: RTCPPacketType { RTCPPacketType(rawValue: 200) }
    /// Receiver report (RFC 3550 section 6.4.2).
    @inlinable public static var receiverReport: RTCPPacketType { RTCPPacketType(rawValue: 201) }
    /// Source description (RFC 3550 section 6.5).
    @inlinable public static var sourceDescription: RTCPPacketType { RTCPPacketType(rawValue: 202) }
    /// Goodbye (RFC 3550 section 6.6).
    @inlinable public static var goodbye: RTCPPacketType { RTCPPacketType(rawValue: 203) }
    /// Application-defined (RFC 3550 section 6.7).
    @inlinable public static var application: RTCPPacketType { RTCPPacketType(rawValue: 204) }
    /// Transport-layer feedback (RFC 4585 section 6.2).
    @inlinable public static var transportFeedback: RTCPPacketType { RTCPPacketType(rawValue: 205) }
    /// Payload-specific feedback (RFC 4585 section 6.3).
    @inlinable public static var payloadFeedback: RTCPPacketType { RTCPPacketType(rawValue: 206) }
    /// Extended report (RFC 3611).
    @inlinable public static var extendedReport: RTCPPacketType { RTCPPacketType(rawValue: 207) }
}
