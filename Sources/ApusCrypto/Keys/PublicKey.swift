/// A public key of X25519: 32 octets (RFC 7748).
@frozen public struct PublicKey: Sendable {
    @usableFromInline var octets: InlineArray<32, UInt8>

    /// The key that so many octets are; any are one.
    ///
    /// - Returns: `nil` if they are not 32.
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount == 32 else { return nil }
        // Sound: the offsets are inside, and any bits are an octet.
        octets = InlineArray { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    }

    /// The octets.
    public var bytes: RawSpan {
        @_lifetime(borrow self) @inlinable get {
            // Sound: octets have no padding.
            let span = unsafe octets.span.bytes
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}

extension PublicKey: Hashable {
    /// Whether both are the same; it is public, so how long that takes tells nothing.
    public static func == (a: PublicKey, b: PublicKey) -> Bool {
        a.octets.indices.allSatisfy { a.octets[$0] == b.octets[$0] }
    }

    /// Feeds the octets to a hasher.
    public func hash(into hasher: inout Hasher) {
        // Sound: octets have no padding.
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }
}
