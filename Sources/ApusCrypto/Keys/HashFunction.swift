import COpenSSL

/// A hash function with digests of 32 octets and blocks of 64, as Noise names them.
public enum HashFunction: UInt8, Hashable, Sendable, CaseIterable {
    /// SHA-256 (FIPS 180-4).
    case sha256
    /// BLAKE2s with digests of 32 octets (RFC 7693).
    case blake2s

    /// How many octets a digest has, with each of them.
    public static let digestLength = 32

    private var digest: apus_digest { self == .sha256 ? apus_sha256 : apus_blake2s256 }

    /// Writes the digest of up to three pieces, as if they were one.
    ///
    /// - Parameter digest: room for 32 octets, which may not lie where a piece does.
    public func hash(
        _ a: RawSpan, _ b: RawSpan = RawSpan(), _ c: RawSpan = RawSpan(), into digest: inout MutableRawSpan
    ) throws(CryptoError) {
        precondition(digest.byteCount == Self.digestLength, "a digest has 32 octets")
        let kind = self.digest
        // Sound: all are borrowed for the call.
        let isDone = unsafe digest.withUnsafeMutableBytes { digest in
            unsafe withPieces(a, b, c) { unsafe apus_hash(kind, $0, $1, $2, digest.baseAddress) }
        }
        guard isDone else { throw .library("\(self)") }
    }

    /// Writes the HMAC (RFC 2104) of up to three pieces, as if they were one.
    ///
    /// - Parameters:
    ///   - key: of any length.
    ///   - code: room for 32 octets, which may not lie where a piece does.
    public func authenticate(
        _ a: RawSpan, _ b: RawSpan = RawSpan(), _ c: RawSpan = RawSpan(), key: RawSpan,
        into code: inout MutableRawSpan
    ) throws(CryptoError) {
        precondition(code.byteCount == Self.digestLength, "a digest has 32 octets")
        // Sound: all are borrowed for the call.
        try unsafe code.withUnsafeMutableBytes { code throws(CryptoError) in
            try unsafe authenticate(a, b, c, key: key, into: code.baseAddress.unsafelyUnwrapped)
        }
    }

    /// The same where the code is written by its address.
    func authenticate(
        _ a: RawSpan, _ b: RawSpan, _ c: RawSpan, key: RawSpan, into code: UnsafeMutableRawPointer
    ) throws(CryptoError) {
        let kind = digest
        let isDone = unsafe key.withUnsafeBytes { key in
            unsafe withPieces(a, b, c) {
                unsafe apus_hmac(kind, key.baseAddress, key.count, $0, $1, $2, code)
            }
        }
        guard isDone else { throw .library("HMAC of \(self)") }
    }

    private func withPieces(
        _ a: RawSpan, _ b: RawSpan, _ c: RawSpan, _ body: (apus_piece, apus_piece, apus_piece) -> Bool
    ) -> Bool {
        unsafe a.withUnsafeBytes { a in
            unsafe b.withUnsafeBytes { b in
                unsafe c.withUnsafeBytes { c in
                    unsafe body(
                        apus_piece(start: a.baseAddress, length: a.count),
                        apus_piece(start: b.baseAddress, length: b.count),
                        apus_piece(start: c.baseAddress, length: c.count))
                }
            }
        }
    }
}

extension HashFunction: CustomStringConvertible {
    /// As Noise calls it.
    public var description: String { self == .sha256 ? "SHA256" : "BLAKE2s" }
}
