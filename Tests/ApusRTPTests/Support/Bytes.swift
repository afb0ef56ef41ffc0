/// SplitMix64: the same numbers for the same seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }

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
