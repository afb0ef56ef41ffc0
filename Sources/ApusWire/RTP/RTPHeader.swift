/// The values of RTP's fixed header (RFC 3550 section 5.1), to be written without CSRC list and extension.
@frozen
public struct RTPHeader: Hashable, Sendable, BitwiseCopyable {
    /// The payload type, 0 to 127.
    public var payloadType: UInt8
    /// The marker bit.
    public var marker: Bool
    /// The sequence number.
    public var sequenceNumber: UInt16
    /// The timestamp, in units of the payload's clock.
    public var timestamp: UInt32
    /// The synchronization source.
    public var ssrc: UInt32

    /// Joins the values; of `payloadType` the low 7 bits are written.
    @inlinable
    public init(
        payloadType: UInt8, marker: Bool = false, sequenceNumber: UInt16, timestamp: UInt32, ssrc: UInt32
    ) {
        (self.payloadType, self.marker, self.sequenceNumber) = (payloadType, marker, sequenceNumber)
        (self.timestamp, self.ssrc) = (timestamp, ssrc)
    }

    /// The values a packet has.
    @inlinable
    public init(_ view: RTPView) {
        self.init(
            payloadType: view.payloadType, marker: view.marker, sequenceNumber: view.sequenceNumber,
            timestamp: view.timestamp, ssrc: view.ssrc)
    }

    /// Writes twelve octets at the start of `bytes`. About a nanosecond.
    @inlinable @inline(__always)
    public func encode(into bytes: inout MutableRawSpan) throws(EncodeFailure) {
        guard bytes.byteCount >= 12 else { throw .noRoom }
        let second = UInt32(payloadType & 0x7f | (marker ? 0x80 : 0))
        let first = 0x8000_0000 | second << 16 | UInt32(sequenceNumber)
        // Twelve octets are there.
        unsafe bytes.put64(UInt64(first) << 32 | UInt64(timestamp), 0)
        unsafe bytes.put32(ssrc, 8)
    }
}
