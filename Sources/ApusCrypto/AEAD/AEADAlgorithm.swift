/// Authenticated encryption with associated data (RFC 5116), as TLS 1.3, QUIC and Noise have it: nonces of 12 octets, tags of 16.
public enum AEADAlgorithm: UInt8, Hashable, Sendable, CaseIterable {
    /// AEAD_AES_128_GCM (RFC 5116, section 5.1).
    case aes128GCM
    /// AEAD_AES_256_GCM (RFC 5116, section 5.2).
    case aes256GCM
    /// AEAD_CHACHA20_POLY1305 (RFC 8439, section 2.8).
    case chaCha20Poly1305

    /// How many octets a key has.
    @inlinable public var keyLength: Int { self == .aes128GCM ? 16 : 32 }

    /// How many octets a nonce has, with each of them.
    public static let nonceLength = 12

    /// How many octets a tag has, with each of them.
    @inlinable public static var tagLength: Int { 16 }

    /// How many packets may be sealed with one key, both of them counted by the caller; `nil` where packet numbers end before
    /// (RFC 9001, section 6.6).
    public var confidentialityLimit: UInt64? { self == .chaCha20Poly1305 ? nil : 1 << 23 }

    /// How many packets with a wrong tag may come before the keys are to be given up (RFC 9001, section 6.6).
    public var integrityLimit: UInt64 { self == .chaCha20Poly1305 ? 1 << 36 : 1 << 52 }
}

extension AEADAlgorithm: CustomStringConvertible {
    /// As RFCs 5288 and 7905 call it.
    public var description: String {
        switch self {
        case .aes128GCM: "AES-128-GCM"
        case .aes256GCM: "AES-256-GCM"
        case .chaCha20Poly1305: "ChaCha20-Poly1305"
        }
    }
}
