/// The header of an echo request or reply, to be written in front of its data.
@frozen
public struct ICMPEcho: Hashable, Sendable, BitwiseCopyable {
    /// Whether this answers.
    public var isReply: Bool
    /// Whose echo this is.
    public var identifier: UInt16
    /// Which echo this is.
    public var sequenceNumber: UInt16

    /// Joins the values.
    @inlinable
    public init(isReply: Bool, identifier: UInt16, sequenceNumber: UInt16) {
        (self.isReply, self.identifier, self.sequenceNumber) = (isReply, identifier, sequenceNumber)
    }

    /// Writes an ICMP header (RFC 792) at the start of `message`, and into it the checksum over all of
    /// `message`, whose octets from 8 on are the echo's data.
    @inlinable
    public func encodeICMPv4(into message: inout MutableRawSpan) throws(EncodeFailure) {
        try encode(into: &message, type: isReply ? 0 : 8, onto: InternetChecksum())
    }

    /// Writes an ICMPv6 header (RFC 4443 section 4) at the start of `message`, and into it the checksum over
    /// the pseudo header and all of `message`, whose octets from 8 on are the echo's data.
    @inlinable
    public func encodeICMPv6(
        into message: inout MutableRawSpan, source: IPv6Address, destination: IPv6Address
    ) throws(EncodeFailure) {
        let pseudoHeader = InternetChecksum(
            pseudoHeader: source, destination, .icmpv6, length: message.byteCount)
        try encode(into: &message, type: isReply ? 129 : 128, onto: pseudoHeader)
    }

    @inlinable
    func encode(
        into message: inout MutableRawSpan, type: UInt8, onto pseudoHeader: InternetChecksum
    ) throws(EncodeFailure) {
        guard message.byteCount >= 8 else { throw .noRoom }
        // Eight octets are there.
        unsafe message.put32(UInt32(type) << 24, 0)
        unsafe message.put16(identifier, 4)
        unsafe message.put16(sequenceNumber, 6)
        var checksum = pseudoHeader
        checksum.add(message.bytes)
        unsafe message.put16(checksum.value, 2)
    }
}
