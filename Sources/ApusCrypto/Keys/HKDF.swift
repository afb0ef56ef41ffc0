import COpenSSL

/// Keys from keys: HKDF (RFC 5869), and TLS 1.3's labels for it.
public struct HKDF: Sendable {
    /// The hash function beneath.
    public let function: HashFunction

    /// HKDF of a hash function: SHA-256 for TLS and QUIC.
    public init(_ function: HashFunction = .sha256) { self.function = function }

    /// HKDF-Extract (RFC 5869, section 2.2): a pseudorandom key of 32 octets.
    public func extract(salt: RawSpan, keyingMaterial: RawSpan) throws(CryptoError) -> Secret {
        var key = try Secret(byteCount: HashFunction.digestLength)
        var bytes = key.mutableBytes
        try function.authenticate(keyingMaterial, key: salt, into: &bytes)
        return key
    }

    /// HKDF-Expand (RFC 5869, section 2.3).
    ///
    /// - Parameters:
    ///   - key: of at least 32 octets, as ``extract(salt:keyingMaterial:)`` gives.
    ///   - info: what the octets are for.
    ///   - octets: filled; at most 8160.
    public func expand(_ key: RawSpan, info: RawSpan, into octets: inout MutableRawSpan) throws(CryptoError) {
        let length = HashFunction.digestLength
        precondition(octets.byteCount <= 255 * length, "HKDF gives 8160 octets at most")
        // Sound: a block goes into memory of its own before it goes to where it is read for the next one; and what is left
        // of the last one is wiped.
        try unsafe octets.withUnsafeMutableBytes { octets throws(CryptoError) in
            try unsafe withWipedBlock { block throws(CryptoError) in
                var done = 0
                var number: UInt8 = 0
                while done < octets.count {
                    number += 1
                    let before = unsafe RawSpan(
                        _unsafeBytes: octets[(number == 1 ? 0 : done - length)..<done])
                    let counter: InlineArray<1, UInt8> = [number]
                    try unsafe function.authenticate(before, info, counter.span.bytes, key: key, into: block)
                    let count = min(length, octets.count - done)
                    unsafe (octets.baseAddress.unsafelyUnwrapped + done).copyMemory(
                        from: block, byteCount: count)
                    done += count
                }
            }
        }
    }

    /// HKDF-Expand-Label (RFC 8446, section 7.1), as QUIC makes its keys (RFC 9001, section 5.1).
    ///
    /// - Parameters:
    ///   - secret: of 32 octets.
    ///   - label: without the prefix, as `quic key`.
    ///   - prefix: in front of it.
    ///   - context: a hash, for QUIC nothing.
    ///   - octets: filled.
    public func expand(
        _ secret: RawSpan, label: String, prefix: String = "tls13 ", context: RawSpan = RawSpan(),
        into octets: inout MutableRawSpan
    ) throws(CryptoError) {
        let whole = prefix + label
        precondition(
            whole.utf8.count <= 255 && context.byteCount <= 255, "a label or context of more than 255 octets")
        var info = [UInt8(octets.byteCount >> 8), UInt8(octets.byteCount & 0xff), UInt8(whole.utf8.count)]
        info += whole.utf8
        info.append(UInt8(context.byteCount))
        // Sound: the offsets are inside, and any bits are an octet.
        for offset in 0..<context.byteCount {
            info.append(unsafe context.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
        // Sound: octets have no padding.
        try expand(secret, info: unsafe info.span.bytes, into: &octets)
    }

    /// The same, as a secret of its own.
    public func expand(
        _ secret: RawSpan, label: String, prefix: String = "tls13 ", context: RawSpan = RawSpan(),
        byteCount: Int
    ) throws(CryptoError) -> Secret {
        var derived = try Secret(byteCount: byteCount)
        var bytes = derived.mutableBytes
        try expand(secret, label: label, prefix: prefix, context: context, into: &bytes)
        return derived
    }

    /// Memory for one block on the stack, which is wiped.
    private func withWipedBlock(
        _ body: (UnsafeMutableRawPointer) throws(CryptoError) -> Void
    ) throws(CryptoError) {
        var block = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        try unsafe withUnsafeMutableBytes(of: &block) { bytes throws(CryptoError) in
            defer { unsafe OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
            try unsafe body(bytes.baseAddress.unsafelyUnwrapped)
        }
    }
}
