/// The octets that libFuzzer gave, as parsers take them. They lie in a block of the heap of just their
/// length, so that the address sanitizer sees any read beyond.
@unsafe @_lifetime(immortal)
func input(_ start: UnsafePointer<UInt8>, _ count: Int) -> RawSpan {
    let bytes = unsafe RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: count)
    return unsafe _overrideLifetime(bytes, copying: ())
}

/// Where results go, so that the optimizer can't leave out what made them.
nonisolated(unsafe) var sink: UInt64 = 0

/// Uses a number.
@inline(never)
func use<Number: BinaryInteger>(_ number: Number) {
    unsafe sink = sink &* 31 &+ UInt64(truncatingIfNeeded: number)
}

/// Reads every octet of a span.
@inline(never)
func use(_ bytes: RawSpan) {
    // Each offset is below byteCount if the span is sound; if it is not, the address sanitizer says so.
    for offset in 0..<bytes.byteCount { use(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) }
}

/// Compares two spans octet by octet.
func equal(_ a: RawSpan, _ b: RawSpan) -> Bool {
    guard a.byteCount == b.byteCount else { return false }
    for offset in 0..<a.byteCount {
        // Both have octets at `offset`.
        let (x, y) = unsafe (
            a.unsafeLoad(fromByteOffset: offset, as: UInt8.self),
            b.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        )
        if x != y { return false }
    }
    return true
}

extension [UInt8] {
    /// The octets, to be parsed.
    var raw: RawSpan {
        @_lifetime(borrow self) get {
            let bytes = unsafe span.bytes
            return unsafe _overrideLifetime(bytes, borrowing: self)
        }
    }
}

/// Lends octets to an encoder.
func write(_ octets: inout [UInt8], _ encode: (inout MutableRawSpan) throws -> Void) rethrows {
    var elements = octets.mutableSpan
    var bytes = unsafe elements.mutableBytes
    try encode(&bytes)
}
