/// A nonce of 12 octets, or the initialization vector that nonces are made from.
///
/// With one key each has to be used once.
@frozen public struct Nonce: Hashable, Sendable, BitwiseCopyable {
    /// The octets in their order in memory.
    @usableFromInline var first: UInt32, second: UInt32, third: UInt32

    @inlinable init(first: UInt32, second: UInt32, third: UInt32) {
        (self.first, self.second, self.third) = (first, second, third)
    }

    /// The 12 octets of a span, as an initialization vector that was derived.
    @inlinable public init(_ octets: RawSpan) {
        precondition(octets.byteCount == 12, "a nonce has 12 octets")
        // Sound: they are there, and any bits are a number.
        (first, second, third) = unsafe (
            octets.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self),
            octets.unsafeLoadUnaligned(fromByteOffset: 4, as: UInt32.self),
            octets.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt32.self)
        )
    }

    /// The nonce of a packet: the initialization vector, exclusive or the packet number, big-endian at its end (RFC 9001,
    /// section 5.3; RFC 8446, section 5.3).
    @inlinable public init(_ vector: Nonce, packetNumber: UInt64) {
        self.init(
            first: vector.first,
            second: vector.second ^ UInt32(truncatingIfNeeded: packetNumber &>> 32).bigEndian,
            third: vector.third ^ UInt32(truncatingIfNeeded: packetNumber).bigEndian)
    }

    /// The nonce of a Noise message: four zeroes and its number, which ChaCha20-Poly1305 has little-endian and AES-GCM
    /// big-endian (The Noise Protocol Framework, revision 34, sections 12.3 and 12.4).
    @inlinable public init(noise number: UInt64, of algorithm: AEADAlgorithm) {
        let octets = algorithm == .chaCha20Poly1305 ? number.littleEndian : number.bigEndian
        // The lower half of a number in memory comes first on a little-endian machine.
        let (low, high) = (UInt32(truncatingIfNeeded: octets), UInt32(truncatingIfNeeded: octets &>> 32))
        let isLittle = UInt32(1).littleEndian == 1
        self.init(first: 0, second: isLittle ? low : high, third: isLittle ? high : low)
    }
}
