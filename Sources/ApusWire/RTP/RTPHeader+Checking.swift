extension RTPHeader {
    /// The fixed header of an RTP packet of which only headers can be trusted to be there and in the clear.
    ///
    /// Checks version, CSRC list and header extension, but not the padding: in SRTP its length octet is
    /// encrypted (RFC 3711 section 3.1), and the packet may go on behind `bytes`. A few nanoseconds.
    ///
    /// - Throws: `truncatedRTP`, `badRTPVersion`.
    @inlinable @inline(__always)
    public init(checking bytes: RawSpan) throws(ParseFailure) {
        guard _fastPath(bytes.byteCount >= 12) else { throw .truncatedRTP }
        // Each load is of octets that a guard before it found.
        let word = unsafe bytes.big64(0)
        guard _fastPath(word >> 62 == 2) else { throw .badRTPVersion }
        if word & 0x1f00_0000_0000_0000 != 0 {
            guard unsafe RTPHeader.hasWholeLists(bytes) else { throw .truncatedRTP }
        }
        self.init(word: word, ssrc: unsafe bytes.big32(8))
    }

    /// The header whose first eight octets are that number, and the next four that SSRC. Of the number version, padding,
    /// extension and CSRC count do not matter.
    @inlinable @inline(__always)
    public init(word: UInt64, ssrc: UInt32) {
        payloadType = UInt8(truncatingIfNeeded: word >> 48) & 0x7f
        marker = word & 0x80_0000_0000_0000 != 0
        sequenceNumber = UInt16(truncatingIfNeeded: word >> 32)
        timestamp = UInt32(truncatingIfNeeded: word)
        self.ssrc = ssrc
    }

    /// Its first eight octets as a number, without padding, extension and CSRC count.
    @inlinable @inline(__always)
    public var word: UInt64 {
        let second = UInt64(payloadType & 0x7f) | (marker ? 0x80 : 0)
        return 2 << 62 | second << 48 | UInt64(sequenceNumber) << 32 | UInt64(timestamp)
    }

    /// Whether CSRC list and header extension are all in `bytes`, of which there must be twelve.
    @unsafe @inlinable
    static func hasWholeLists(_ bytes: RawSpan) -> Bool {
        let first = unsafe bytes.octet(0)
        let offset = 12 &+ Int(first & 0xf) &* 4
        let left = bytes.byteCount &- offset
        if first & 0x10 == 0 { return left >= 0 }
        return left >= 4 && left &- 4 >= (unsafe Int(bytes.big16(offset &+ 2))) &* 4
    }
}
