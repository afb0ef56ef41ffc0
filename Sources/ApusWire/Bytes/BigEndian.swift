// Big-endian loads and stores without bounds checks. Only code that has compared a length first may call
// them; each view does so once, when it is made. All of them allow any alignment.

extension RawSpan {
    /// The octet at `offset`, which must be below `byteCount`.
    @unsafe @inlinable @inline(__always)
    func octet(_ offset: Int) -> UInt8 {
        unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// The 16-bit number at `offset`; two octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func big16(_ offset: Int) -> UInt16 {
        unsafe UInt16(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt16.self))
    }

    /// The 32-bit number at `offset`; four octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func big32(_ offset: Int) -> UInt32 {
        unsafe UInt32(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt32.self))
    }

    /// The 64-bit number at `offset`; eight octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func big64(_ offset: Int) -> UInt64 {
        unsafe UInt64(bigEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// The 48-bit link-layer address at `offset`; six octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func mac(_ offset: Int) -> MACAddress {
        let (high, low) = unsafe (big32(offset), big16(offset &+ 4))
        return MACAddress(bits: UInt64(high) << 16 | UInt64(low))
    }

    /// The IPv4 address at `offset`; four octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func ipv4(_ offset: Int) -> IPv4Address { unsafe IPv4Address(bits: big32(offset)) }

    /// The IPv6 address at `offset`; sixteen octets from there must exist.
    @unsafe @inlinable @inline(__always)
    func ipv6(_ offset: Int) -> IPv6Address {
        unsafe IPv6Address(high: big64(offset), low: big64(offset &+ 8))
    }

    /// The octets of `bounds`, which must lie inside this span.
    @unsafe @inlinable @inline(__always)
    @_lifetime(copy self)
    func slice(_ start: Int, _ end: Int) -> RawSpan {
        unsafe extracting(unchecked: Range(uncheckedBounds: (start, end)))
    }

    /// The same of a span that is not empty, which spares asking whether there is any memory at all: for the data
    /// path.
    @unsafe @inlinable @inline(__always)
    @_lifetime(copy self)
    func part(_ start: Int, _ end: Int) -> RawSpan {
        let base = unsafe withUnsafeBytes { unsafe $0.baseAddress.unsafelyUnwrapped }
        let span = unsafe RawSpan(_unsafeStart: base + start, byteCount: end &- start)
        return unsafe _overrideLifetime(span, copying: self)
    }
}

extension MutableRawSpan {
    /// Writes an octet at `offset`, which must be below `byteCount`.
    @unsafe @inlinable @inline(__always)
    mutating func put8(_ value: UInt8, _ offset: Int) {
        unsafe storeBytes(of: value, toUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Writes a 16-bit number at `offset`; two octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func put16(_ value: UInt16, _ offset: Int) {
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt16.self)
    }

    /// Writes a 32-bit number at `offset`; four octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func put32(_ value: UInt32, _ offset: Int) {
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt32.self)
    }

    /// Writes a 64-bit number at `offset`; eight octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func put64(_ value: UInt64, _ offset: Int) {
        unsafe storeBytes(of: value.bigEndian, toUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// Writes 64 bits at `offset` as they lie in memory; eight octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func putNative64(_ value: UInt64, _ offset: Int) {
        unsafe storeBytes(of: value, toUncheckedByteOffset: offset, as: UInt64.self)
    }

    /// Writes a link-layer address at `offset`; six octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func putMAC(_ address: MACAddress, _ offset: Int) {
        unsafe put32(UInt32(truncatingIfNeeded: address.bits >> 16), offset)
        unsafe put16(UInt16(truncatingIfNeeded: address.bits), offset &+ 4)
    }

    /// Writes an IPv6 address at `offset`; sixteen octets from there must exist.
    @unsafe @inlinable @inline(__always)
    mutating func putIPv6(_ address: IPv6Address, _ offset: Int) {
        unsafe put64(address.high, offset)
        unsafe put64(address.low, offset &+ 8)
    }
}

extension MutableRawSpan {
    /// Copies octets to `offset`; their number must be there from `offset` on, and they must not be this span's own.
    @unsafe
    mutating func put(_ octets: RawSpan, _ offset: Int) {
        unsafe withUnsafeMutableBytes { target in
            unsafe octets.withUnsafeBytes { source in
                guard let from = source.baseAddress, let to = target.baseAddress else { return }
                unsafe (to + offset).copyMemory(from: from, byteCount: source.count)
            }
        }
    }
}

extension MutableRawSpan {
    /// The octets from `offset` on, to be written, as what follows a header that has been; traps beyond the end.
    @_lifetime(&self)
    package mutating func from(_ offset: Int) -> MutableRawSpan {
        let length = byteCount &- offset
        precondition(offset >= 0 && length >= 0)
        let base = unsafe withUnsafeMutableBytes { unsafe $0.baseAddress.unsafelyUnwrapped }
        let span = unsafe MutableRawSpan(_unsafeStart: base + offset, byteCount: length)
        // Sound: so many octets are there, and the span can't outlive the exclusive access to this one.
        return unsafe _overrideLifetime(span, mutating: &self)
    }
}
