/// An IPv4 packet to be changed in place, its header checksum kept right by increments (RFC 1624).
///
/// A checksum that was wrong before stays wrong. The checksums of upper layers are not touched.
@frozen
public struct MutableIPv4View: ~Copyable, ~Escapable {
    @usableFromInline var bytes: MutableRawSpan

    /// Checks the packet as `IPv4View` does.
    @inlinable
    @_lifetime(copy bytes)
    public init(checking bytes: consuming MutableRawSpan) throws(ParseFailure) {
        _ = try IPv4View(checking: bytes.bytes)
        self.bytes = bytes
    }

    // The stores are sound because the packet has at least 20 octets.

    /// Takes one off the time to live. A few nanoseconds.
    ///
    /// - Returns: what is left; at 0 the packet must go no further (RFC 1812 section 5.3.1).
    @inlinable
    public mutating func decrementTimeToLive() -> UInt8 {
        let word = unsafe bytes.bytes.big16(8)
        guard word >= 0x0100 else { return 0 }
        unsafe set16(word &- 0x0100, 8)
        return UInt8(word >> 8) &- 1
    }

    /// Replaces differentiated services code point and ECN.
    @inlinable
    public mutating func setTrafficClass(_ value: UInt8) {
        let word = unsafe bytes.bytes.big16(0)
        unsafe set16(word & 0xff00 | UInt16(value), 0)
    }

    /// Replaces the source address.
    @inlinable
    public mutating func setSource(_ address: IPv4Address) { unsafe set32(address.bits, 12) }

    /// Replaces the destination address.
    @inlinable
    public mutating func setDestination(_ address: IPv4Address) { unsafe set32(address.bits, 16) }

    @unsafe @inlinable
    mutating func set16(_ value: UInt16, _ offset: Int) {
        let (checksum, old) = unsafe (bytes.bytes.big16(10), bytes.bytes.big16(offset))
        unsafe bytes.put16(value, offset)
        unsafe bytes.put16(InternetChecksum.update(checksum, replacing: old, with: value), 10)
    }

    @unsafe @inlinable
    mutating func set32(_ value: UInt32, _ offset: Int) {
        let (checksum, old) = unsafe (bytes.bytes.big16(10), bytes.bytes.big32(offset))
        unsafe bytes.put32(value, offset)
        unsafe bytes.put16(InternetChecksum.update(checksum, replacing: old, with: value), 10)
    }
}
