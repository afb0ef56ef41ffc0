/// An RTP packet whose fixed header is changed in place, as a forwarder does that takes part in the session.
///
/// UDP's checksum over the packet is not touched. Each change costs about a nanosecond.
@frozen
public struct MutableRTPView: ~Copyable, ~Escapable {
    @usableFromInline var bytes: MutableRawSpan

    /// Checks the packet as `RTPView` does.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: consuming MutableRawSpan) throws(ParseFailure) {
        _ = try RTPView(checking: bytes.bytes)
        self.bytes = bytes
    }

    // The stores are sound because the packet has at least 12 octets.

    /// Replaces marker bit and payload type; of `payloadType` the low 7 bits count.
    @inlinable
    public mutating func setPayloadType(_ payloadType: UInt8, marker: Bool) {
        unsafe bytes.put8(payloadType & 0x7f | (marker ? 0x80 : 0), 1)
    }

    /// Replaces the sequence number.
    @inlinable
    public mutating func setSequenceNumber(_ number: UInt16) { unsafe bytes.put16(number, 2) }

    /// Replaces the timestamp.
    @inlinable
    public mutating func setTimestamp(_ timestamp: UInt32) { unsafe bytes.put32(timestamp, 4) }

    /// Replaces the synchronization source.
    @inlinable
    public mutating func setSSRC(_ ssrc: UInt32) { unsafe bytes.put32(ssrc, 8) }
}
