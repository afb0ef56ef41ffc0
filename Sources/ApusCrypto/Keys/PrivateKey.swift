import COpenSSL

/// A private key of X25519 (RFC 7748), in locked memory, with its public one.
public struct PrivateKey: ~Copyable, Sendable {
    /// The 32 octets: to be stored by who makes the key, and for nothing else.
    public let secret: Secret
    /// What others may know.
    public let publicKey: PublicKey

    /// A new key.
    public init<Source: RandomSource & ~Copyable>(from random: inout Source) throws(CryptoError) {
        try self.init(Secret(byteCount: 32, from: &random))
    }

    /// The key that 32 octets are; any are one.
    public init(_ secret: consuming Secret) throws(CryptoError) {
        guard secret.byteCount == 32 else { throw .keyLength(secret.byteCount, expected: 32) }
        publicKey = try x25519Public(of: secret.bytes)
        self.secret = secret
    }

    /// A second one of the same octets.
    public func duplicate() throws(CryptoError) -> PrivateKey { try PrivateKey(secret.duplicate()) }

    /// What both have in common, of 32 octets: to be hashed before it is a key.
    ///
    /// - Throws: ``CryptoError/lowOrderPoint`` if that is all zeroes.
    public func sharedSecret(with peer: PublicKey) throws(CryptoError) -> Secret {
        var shared = try Secret(byteCount: 32)
        try x25519Shared(secret.bytes, peer, into: &shared)
        return shared
    }
}

/// The public key of 32 octets that are a private one.
func x25519Public(of key: RawSpan) throws(CryptoError) -> PublicKey {
    var octets = InlineArray<32, UInt8>(repeating: 0)
    var span = octets.mutableSpan
    // Sound: both have 32 octets, which the callers see to.
    precondition(key.byteCount == 32)
    let isDone = unsafe key.withUnsafeBytes { key in
        unsafe span.withUnsafeMutableBytes { unsafe apus_x25519_public(key.baseAddress, $0.baseAddress) }
    }
    guard isDone, let made = unsafe PublicKey(octets.span.bytes) else { throw .library("X25519") }
    return made
}

/// X25519 of a private key with a public one, into the first 32 octets of a secret.
func x25519Shared(_ key: RawSpan, _ peer: PublicKey, into shared: inout Secret) throws(CryptoError) {
    precondition(key.byteCount == 32 && shared.byteCount >= 32)
    var room = shared.mutableBytes
    // Sound: all have 32 octets.
    let isDone = unsafe key.withUnsafeBytes { key in
        unsafe peer.bytes.withUnsafeBytes { peer in
            unsafe room.withUnsafeMutableBytes {
                unsafe apus_x25519_shared(key.baseAddress, peer.baseAddress, $0.baseAddress)
            }
        }
    }
    guard isDone else { throw .lowOrderPoint }
}
