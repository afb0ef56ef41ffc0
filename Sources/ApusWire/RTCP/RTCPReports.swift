/// A reception report block (RFC 3550 section 6.4.1).
@frozen
public struct RTCPReportBlock: Hashable, Sendable, BitwiseCopyable {
    /// The source that is reported on.
    public var ssrc: UInt32
    /// The share of packets lost since the last report, in 256ths.
    public var fractionLost: UInt8
    /// The packets lost since the beginning: 24 bits with sign; negative where duplicates outweigh losses.
    public var cumulativeLost: Int32
    /// The highest sequence number received in the lower 16 bits, its cycles in the upper.
    public var highestSequenceNumber: UInt32
    /// The interarrival jitter, in units of the payload's clock.
    public var jitter: UInt32
    /// The middle 32 bits of the NTP timestamp of the last sender report; 0 if there was none.
    public var lastSenderReport: UInt32
    /// The delay since that report, in 65536ths of a second.
    public var delaySinceLastSenderReport: UInt32

    /// Octets of a block.
    @inlinable public static var byteCount: Int { 24 }

    /// Reads the block at `offset`, where 24 octets must be.
    @unsafe @inlinable
    init(_ bytes: RawSpan, at offset: Int) {
        ssrc = unsafe bytes.big32(offset)
        let loss = unsafe bytes.big32(offset &+ 4)
        fractionLost = UInt8(loss >> 24)
        // Shifting the 24 bits up and back extends their sign.
        cumulativeLost = Int32(bitPattern: loss << 8) >> 8
        highestSequenceNumber = unsafe bytes.big32(offset &+ 8)
        jitter = unsafe bytes.big32(offset &+ 12)
        lastSenderReport = unsafe bytes.big32(offset &+ 16)
        delaySinceLastSenderReport = unsafe bytes.big32(offset &+ 20)
    }
}

/// A sender report (RFC 3550 section 6.4.1).
@frozen
public struct RTCPSenderReportView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// How many report blocks there are, 0 to 31.
    public let blockCount: Int

    /// Checks that sender information and all report blocks are there.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        blockCount = packet.count
        body = try packet.body(.senderReport, atLeast: 24 &+ packet.count &* 24)
    }

    // The accessors are sound because the body has 24 octets and 24 for each block.

    /// The sender.
    @inlinable public var ssrc: UInt32 { unsafe body.big32(0) }
    /// When the report was sent: seconds since 1900 in the upper 32 bits, their fraction in the lower.
    @inlinable public var ntpTimestamp: UInt64 { unsafe body.big64(4) }
    /// The same moment in units of the payload's clock.
    @inlinable public var rtpTimestamp: UInt32 { unsafe body.big32(12) }
    /// The RTP packets sent so far.
    @inlinable public var packetCount: UInt32 { unsafe body.big32(16) }
    /// The octets of payload sent so far.
    @inlinable public var octetCount: UInt32 { unsafe body.big32(20) }

    /// The report block of that index; `index` must be at least 0 and below `blockCount`.
    @inlinable
    public func block(_ index: Int) -> RTCPReportBlock {
        precondition(index >= 0 && index < blockCount, "there is no report block of that index")
        return unsafe RTCPReportBlock(body, at: 24 &+ index &* 24)
    }

    /// Profile-specific octets behind the blocks.
    @inlinable
    public var profileExtension: RawSpan {
        @_lifetime(copy self) get { unsafe body.slice(24 &+ blockCount &* 24, body.byteCount) }
    }
}

/// A receiver report (RFC 3550 section 6.4.2).
@frozen
public struct RTCPReceiverReportView: ~Escapable, BitwiseCopyable {
    @usableFromInline let body: RawSpan
    /// How many report blocks there are, 0 to 31.
    public let blockCount: Int

    /// Checks that all report blocks are there.
    @inlinable
    @_lifetime(copy packet)
    public init(checking packet: RTCPPacketView) throws(ParseFailure) {
        blockCount = packet.count
        body = try packet.body(.receiverReport, atLeast: 4 &+ packet.count &* 24)
    }

    // The accessors are sound because the body has 4 octets and 24 for each block.

    /// Who reports.
    @inlinable public var ssrc: UInt32 { unsafe body.big32(0) }

    /// The report block of that index; `index` must be at least 0 and below `blockCount`.
    @inlinable
    public func block(_ index: Int) -> RTCPReportBlock {
        precondition(index >= 0 && index < blockCount, "there is no report block of that index")
        return unsafe RTCPReportBlock(body, at: 4 &+ index &* 24)
    }

    /// Profile-specific octets behind the blocks.
    @inlinable
    public var profileExtension: RawSpan {
        @_lifetime(copy self) get { unsafe body.slice(4 &+ blockCount &* 24, body.byteCount) }
    }
}
