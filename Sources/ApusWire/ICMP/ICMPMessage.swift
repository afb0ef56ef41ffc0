/// The header of an ICMP or ICMPv6 message (RFC 792, RFC 4443 section 2.1), to be written in front of its body: the data of
/// an echo, or the packet that an error is about.
@frozen
public struct ICMPMessage: Hashable, Sendable, BitwiseCopyable {
    /// The type of message.
    public var type: UInt8
    /// What kind of that type.
    public var code: UInt8
    /// The word behind the checksum: identifier and sequence number of an echo, the MTU of an error, or 0.
    public var word: UInt32

    /// Joins the values.
    @inlinable
    public init(type: UInt8, code: UInt8, word: UInt32 = 0) {
        (self.type, self.code, self.word) = (type, code, word)
    }

    /// Answers an echo request with its identifier and sequence number.
    public init(answering request: ICMPv4View) {
        self.init(type: 0, code: 0, word: UInt32(request.identifier) << 16 | UInt32(request.sequenceNumber))
    }

    /// Answers an echo request with its identifier and sequence number.
    public init(answering request: ICMPv6View) {
        self.init(type: 129, code: 0, word: UInt32(request.identifier) << 16 | UInt32(request.sequenceNumber))
    }

    /// Writes the message for an IPv4 packet at the start of `bytes`: 8 octets, a copy of `body`, and the checksum over both.
    public func encodeICMPv4(into bytes: inout MutableRawSpan, body: RawSpan) throws(EncodeFailure) {
        try encode(into: &bytes, body: body, onto: InternetChecksum())
    }

    /// Writes the message for an IPv6 packet between these addresses at the start of `bytes`: 8 octets, a copy of `body`,
    /// and the checksum over the pseudo header and both.
    public func encodeICMPv6(
        into bytes: inout MutableRawSpan, body: RawSpan, source: IPv6Address, destination: IPv6Address
    ) throws(EncodeFailure) {
        try encode(
            into: &bytes, body: body,
            onto: InternetChecksum(
                pseudoHeader: source, destination, .icmpv6, length: body.byteCount &+ 8))
    }

    private func encode(
        into bytes: inout MutableRawSpan, body: RawSpan, onto pseudoHeader: InternetChecksum
    ) throws(EncodeFailure) {
        let end = body.byteCount &+ 8
        guard bytes.byteCount >= end else { throw .noRoom }
        // `end` octets are there.
        unsafe bytes.put64(UInt64(type) << 56 | UInt64(code) << 48 | UInt64(word), 0)
        unsafe bytes.put(body, 8)
        var checksum = pseudoHeader
        unsafe checksum.add(bytes.bytes.slice(0, end))
        unsafe bytes.put16(checksum.value, 2)
    }
}
