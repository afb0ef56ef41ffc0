import Seeds

extension Seeded {
    /// A number below `bound`.
    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    mutating func octets(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: next()) }
    }
}

extension [UInt8] {
    /// The octets, to be parsed.
    var raw: RawSpan {
        @_lifetime(borrow self) get {
            // Sound: octets have no padding, and the span lives no longer than the array.
            let bytes = unsafe span.bytes
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }
}

/// A copy of the octets of a span.
func array(_ span: RawSpan) -> [UInt8] {
    // Sound: the offsets are inside, and any bits are an octet.
    (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
}

/// Lends octets to an encoder.
func write(_ octets: inout [UInt8], _ encode: (inout MutableRawSpan) throws -> Void) rethrows {
    var elements = octets.mutableSpan
    // Sound: any bit pattern is an octet.
    var bytes = unsafe elements.mutableBytes
    try encode(&bytes)
}
