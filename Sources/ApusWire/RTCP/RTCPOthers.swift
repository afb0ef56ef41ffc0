/// A goodbye (RFC 3550 section 6.6).
@frozen
public struct RTCPGoodbyeView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// How many sources leave, 0 to 31.
    public let sourceCount: Int

    /// Checks that all sources are there and the reason, if any, is inside the packet.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        sourceCount = packet.count
        body = try packet.body(.goodbye, atLeast: packet.count &* 4)
        let start = sourceCount &* 4
        // The length octet is there if anything follows the sources.
        if start < body.byteCount {
            guard unsafe Int(body.octet(start)) < body.byteCount &- start else { throw .badRTCPBody }
        }
    }

    /// The source of that index; `index` must be at least 0 and below `sourceCount`.
    @inlinable
    public func ssrc(_ index: Int) -> UInt32 {
        precondition(index >= 0 && index < sourceCount, "there is no source of that index")
        // The body has four octets for each source.
        return unsafe body.big32(index &* 4)
    }

    /// Why the sources leave; empty if it is not said.
    @inlinable
    public var reason: RawSpan {
        @_lifetime(copy self) get {
            let start = sourceCount &* 4
            // The initializer found the reason inside the body.
            guard start < body.byteCount else { return unsafe body.slice(start, start) }
            return unsafe body.slice(start &+ 1, start &+ 1 &+ Int(body.octet(start)))
        }
    }
}

/// An application-defined packet (RFC 3550 section 6.7).
@frozen
public struct RTCPApplicationView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// What the name's owner makes of it, 0 to 31.
    public let subtype: Int

    /// Checks that source and name are there.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        subtype = packet.count
        body = try packet.body(.application, atLeast: 8)
    }

    // The accessors are sound because the body has at least 8 octets.

    /// Who sends.
    @inlinable public var ssrc: UInt32 { unsafe body.big32(0) }
    /// Four ASCII letters, the first the most significant.
    @inlinable public var name: UInt32 { unsafe body.big32(4) }
    /// What follows the name.
    @inlinable
    public var data: RawSpan {
        @_lifetime(copy self) get { unsafe body.slice(8, body.byteCount) }
    }
}

/// A feedback message (RFC 4585 section 6.1), of the transport layer (RTPFB) or for a payload (PSFB).
@frozen
public struct RTCPFeedbackView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// Whether the message is for a payload (PSFB); else it is the transport layer's (RTPFB).
    public let isPayloadSpecific: Bool
    /// What kind of feedback it is, 0 to 31: of RTPFB 1 is a generic NACK and 15 transport-wide congestion
    /// control; of PSFB 1 is a picture loss indication and 4 a full intra request.
    public let format: Int

    /// Checks that both sources are there.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        isPayloadSpecific = packet.type == .payloadFeedback
        format = packet.count
        body = try packet.body(isPayloadSpecific ? .payloadFeedback : .transportFeedback, atLeast: 8)
    }

    // The accessors are sound because the body has at least 8 octets.

    /// Who sends the feedback.
    @inlinable public var senderSSRC: UInt32 { unsafe body.big32(0) }
    /// The media source that it is about; 0 where the feedback control information says it.
    @inlinable public var mediaSSRC: UInt32 { unsafe body.big32(4) }
    /// The feedback control information.
    @inlinable
    public var controlInformation: RawSpan {
        @_lifetime(copy self) get { unsafe body.slice(8, body.byteCount) }
    }
}
