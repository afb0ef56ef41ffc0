// Incremental update after RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). Equation 4 of that RFC and the
// method of RFC 1141 give the other zero in a corner case; this one gives what a full computation gives.

extension InternetChecksum {
    /// Begins with what a checksum field says of a message, so that words can be replaced in it.
    @inlinable @inline(__always)
    public init(resuming checksum: UInt16) { sum = UInt64((~checksum).bigEndian) }

    /// Takes one 16-bit word out and puts another in. The word must stand at an even offset.
    @inlinable @inline(__always)
    public mutating func replace(_ old: UInt16, with new: UInt16) {
        accumulate(UInt64((~old).bigEndian) &+ UInt64(new.bigEndian))
    }

    /// Takes 32 bits out and puts others in.
    @inlinable @inline(__always)
    public mutating func replace(_ old: UInt32, with new: UInt32) {
        accumulate(UInt64((~old).bigEndian) &+ UInt64(new.bigEndian))
    }

    /// Takes an IPv6 address out and puts another in.
    @inlinable @inline(__always)
    public mutating func replace(_ old: IPv6Address, with new: IPv6Address) {
        add(IPv6Address(high: ~old.high, low: ~old.low))
        add(new)
    }

    /// The checksum after one 16-bit word of the message changed.
    @inlinable @inline(__always)
    public static func update(_ checksum: UInt16, replacing old: UInt16, with new: UInt16) -> UInt16 {
        var update = InternetChecksum(resuming: checksum)
        update.replace(old, with: new)
        return update.value
    }

    /// The checksum after 32 bits of the message changed.
    @inlinable @inline(__always)
    public static func update(_ checksum: UInt16, replacing old: UInt32, with new: UInt32) -> UInt16 {
        var update = InternetChecksum(resuming: checksum)
        update.replace(old, with: new)
        return update.value
    }

    /// The checksum after an IPv6 address of the message changed.
    @inlinable @inline(__always)
    public static func update(
        _ checksum: UInt16, replacing old: IPv6Address, with new: IPv6Address
    ) -> UInt16 {
        var update = InternetChecksum(resuming: checksum)
        update.replace(old, with: new)
        return update.value
    }
}
