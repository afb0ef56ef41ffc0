/// What parsers read and encoders write, as arrays of octets, for tests.
extension [UInt8] {
    /// The octets, to be parsed.
    public var raw: RawSpan {
        @_lifetime(borrow self) get {
            // Sound: octets have no padding, and the span lives no longer than the array.
            let bytes = unsafe span.bytes
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }
}

/// Lends octets to an encoder.
public func write(_ octets: inout [UInt8], _ encode: (inout MutableRawSpan) throws -> Void) rethrows {
    var elements = octets.mutableSpan
    // Sound: any bit pattern is an octet.
    var bytes = unsafe elements.mutableBytes
    try encode(&bytes)
}

/// A copy of the octets of a span.
public func array(_ span: RawSpan) -> [UInt8] {
    // Sound: the offsets are inside, and any bits are an octet.
    (0..<span.byteCount).map { unsafe span.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
}
