import COpenSSL

#if IPSEC_MB
    import CIPsecMB
#endif

/// Seals and opens packets in place: one thread's cipher, for as many keys as it likes.
///
/// A cipher is made once a thread, not once a connection, whose keys stay raw: an OpenSSL context alone has more than 1 KiB.
/// There are two ways to use it:
///
/// - ``setKey(_:)`` once, and then packets without a key: only the nonce is set for each;
/// - a key with each packet, which is expanded for it: for thousands of connections, as keys that were kept expanded would be
///   in no cache.
///
/// ```swift
/// var random = SystemRandom()
/// let key = try Secret(byteCount: 16, from: &random)
/// let vector = try Secret(byteCount: 12, from: &random)
/// var cipher = try AEAD(.aes128GCM)
/// guard var packet = port.makePacket(), packet.append(1200) else { return }
/// var octets = packet.mutableBytes
/// let nonce = Nonce(Nonce(vector.bytes), packetNumber: 7)
/// cipher.seal(&octets, headerLength: 20, nonce: nonce, key: key.bytes)
/// guard cipher.open(&octets, headerLength: 20, nonce: nonce) else { return }
/// ```
///
/// **Cost**: one call of the library a packet; no heap, no lock. Which library is a branch that is always the same.
///
/// **Keys.** With ``CryptoBackend/ipsecMB`` an expanded key lies in locked memory and is wiped with this. With
/// ``CryptoBackend/openSSL`` it lies in the library's own heap: wiped, but neither locked nor kept from core dumps or a forked
/// child. After fork(2) a child has to make its own.
@safe @frozen public struct AEAD: ~Copyable, @unchecked Sendable {
    /// Which code a packet goes to.
    @usableFromInline enum Engine: UInt8 {
        case openSSL
        #if IPSEC_MB
            case gcm128, gcm256, chaCha20
        #endif
    }

    /// The backend's: OpenSSL's context, or a slot of the arena.
    @usableFromInline let state: UnsafeMutableRawPointer
    @usableFromInline let engine: Engine
    /// What it seals and opens with.
    public let algorithm: AEADAlgorithm
    @usableFromInline var hasKey = false

    /// A cipher without a key.
    ///
    /// - Parameters:
    ///   - algorithm: with which it seals and opens.
    ///   - backend: whose code it is to be; the best that is available if not said.
    public init(_ algorithm: AEADAlgorithm, backend: CryptoBackend = .best) throws(CryptoError) {
        let engine = try Self.engine(algorithm, backend)
        let state = try unsafe engine == .openSSL ? Self.context(algorithm) : SecretArena.ciphers.take()
        unsafe self.state = state
        (self.engine, self.algorithm) = (engine, algorithm)
    }

    private static func engine(
        _ algorithm: AEADAlgorithm, _ backend: CryptoBackend
    ) throws(CryptoError) -> Engine {
        if let obstacle = backend.obstacle { throw .unavailable(backend, reason: obstacle) }
        #if IPSEC_MB
            precondition(apus_mb_state_size <= SecretArena.ciphers.slot)
            switch (backend, algorithm) {
            case (.openSSL, _): return .openSSL
            case (.ipsecMB, .aes128GCM): return .gcm128
            case (.ipsecMB, .aes256GCM): return .gcm256
            case (.ipsecMB, .chaCha20Poly1305): return .chaCha20
            }
        #else
            return .openSSL
        #endif
    }

    /// OpenSSL's state.
    private static func context(_ algorithm: AEADAlgorithm) throws(CryptoError) -> UnsafeMutableRawPointer {
        let cipher =
            switch algorithm {
            case .aes128GCM: apus_aes_128_gcm
            case .aes256GCM: apus_aes_256_gcm
            case .chaCha20Poly1305: apus_chacha20_poly1305
            }
        guard let context = unsafe apus_cipher_make(cipher) else { throw .library("\(algorithm)") }
        return unsafe UnsafeMutableRawPointer(context)
    }

    // Sound: it was made so, and is used no more.
    deinit {
        if engine == .openSSL {
            unsafe apus_cipher_free(OpaquePointer(state))
        } else {
            unsafe SecretArena.ciphers.give(state)
        }
    }

    /// Whose code it is.
    public var backend: CryptoBackend { engine == .openSSL ? .openSSL : .ipsecMB }

    /// Takes a key for the packets that come without one.
    ///
    /// - Parameter key: of ``AEADAlgorithm/keyLength`` octets, lent for the call.
    public mutating func setKey(_ key: RawSpan) {
        precondition(
            key.byteCount == algorithm.keyLength, "a key of \(key.byteCount) octets for \(algorithm)")
        // Sound: it is as long as the algorithm's, and the state is the backend's.
        unsafe key.withUnsafeBytes { key in
            guard let key = key.baseAddress else { return }
            switch engine {
            case .openSSL:
                let isSet = unsafe apus_cipher_key(OpaquePointer(state), key)
                precondition(isSet, "OpenSSL refuses a key")
            #if IPSEC_MB
                case .gcm128: unsafe apus_mb_gcm128_key(state, key)
                case .gcm256: unsafe apus_mb_gcm256_key(state, key)
                case .chaCha20: unsafe apus_mb_chacha20_key(state, key)
            #endif
            }
        }
        hasKey = true
    }
}
