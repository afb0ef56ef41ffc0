public import COpenSSL

#if IPSEC_MB
    public import CIPsecMB
#endif

/// The mask that hides a QUIC packet's number and some bits of its first octet (RFC 9001, section 5.4): one thread's, for as
/// many keys as it likes.
///
/// As with ``AEAD``, the key is set once, or comes with each packet and is expanded for it. AES-128 is ipsec-mb's where that is
/// the backend; AES-256 and ChaCha20, of which it has no call for a single block, are OpenSSL's.
@safe @frozen public struct HeaderProtection: ~Copyable, @unchecked Sendable {
    /// The mask's octets: the first is for the packet's first octet, the others for its number.
    public typealias Mask = InlineArray<5, UInt8>

    @usableFromInline enum Engine: UInt8 {
        case openSSLBlock, openSSLStream
        #if IPSEC_MB
            case aes128
        #endif
    }

    @usableFromInline let state: UnsafeMutableRawPointer
    @usableFromInline let engine: Engine
    /// The AEAD of the packets, whose length of keys is this one's too.
    public let algorithm: AEADAlgorithm
    @usableFromInline var hasKey = false

    /// Header protection without a key.
    ///
    /// - Parameters:
    ///   - algorithm: of the packets.
    ///   - backend: whose code it is to be where it has any; the best that is available if not said.
    public init(_ algorithm: AEADAlgorithm, backend: CryptoBackend = .best) throws(CryptoError) {
        if let obstacle = backend.obstacle { throw .unavailable(backend, reason: obstacle) }
        let engine = Self.engine(algorithm, backend)
        let state = try unsafe Self.state(engine, algorithm)
        unsafe self.state = state
        (self.engine, self.algorithm) = (engine, algorithm)
    }

    private static func engine(_ algorithm: AEADAlgorithm, _ backend: CryptoBackend) -> Engine {
        #if IPSEC_MB
            if backend == .ipsecMB, algorithm == .aes128GCM { return .aes128 }
        #endif
        return algorithm == .chaCha20Poly1305 ? .openSSLStream : .openSSLBlock
    }

    private static func state(
        _ engine: Engine, _ algorithm: AEADAlgorithm
    ) throws(CryptoError) -> UnsafeMutableRawPointer {
        #if IPSEC_MB
            if engine == .aes128 { return try unsafe SecretArena.ciphers.take() }
        #endif
        let cipher =
            switch algorithm {
            case .aes128GCM: apus_aes_128_ecb
            case .aes256GCM: apus_aes_256_ecb
            case .chaCha20Poly1305: apus_chacha20
            }
        guard let context = unsafe apus_cipher_make(cipher) else {
            throw .library("cipher for header protection with \(algorithm)")
        }
        return unsafe UnsafeMutableRawPointer(context)
    }

    // Sound: it was made so, and is used no more.
    deinit {
        switch engine {
        case .openSSLBlock, .openSSLStream: unsafe apus_cipher_free(OpaquePointer(state))
        #if IPSEC_MB
            case .aes128: unsafe SecretArena.ciphers.give(state)
        #endif
        }
    }

    /// Takes a key for the masks that come without one.
    ///
    /// - Parameter key: of ``AEADAlgorithm/keyLength`` octets, lent for the call.
    public mutating func setKey(_ key: RawSpan) {
        precondition(
            key.byteCount == algorithm.keyLength, "a key of \(key.byteCount) octets for \(algorithm)")
        // Sound: it is as long as the algorithm's, and the state is the backend's.
        unsafe key.withUnsafeBytes { key in
            guard let key = key.baseAddress else { return }
            switch engine {
            case .openSSLBlock, .openSSLStream:
                let isSet = unsafe apus_cipher_key(OpaquePointer(state), key)
                precondition(isSet, "OpenSSL refuses a key")
            #if IPSEC_MB
                case .aes128: unsafe apus_mb_aes_key(state, key)
            #endif
            }
        }
        hasKey = true
    }

    /// The mask of a packet.
    ///
    /// - Parameters:
    ///   - sample: 16 octets of its ciphertext.
    ///   - key: of ``AEADAlgorithm/keyLength`` octets, and the key from then on; `nil` if it is the one before.
    @inlinable @inline(__always)
    public mutating func mask(of sample: RawSpan, key: RawSpan? = nil) -> Mask {
        precondition(sample.byteCount == 16, "a sample has 16 octets")
        // The library reads the key by its address.
        defer { extendLifetime(key) }
        if let key {
            precondition(key.byteCount == algorithm.keyLength, "a key of another length")
            hasKey = true
        } else {
            precondition(hasKey, "header protection without a key")
        }
        var block = (UInt64(0), UInt64(0))
        // Sound: key and sample are borrowed for the call, and the block has 16 octets.
        unsafe withUnsafeMutablePointer(to: &block) { block in
            unsafe sample.withUnsafeBytes { sample in
                let start = unsafe key?.withUnsafeBytes { $0.baseAddress }
                let sample = sample.baseAddress
                switch engine {
                case .openSSLBlock:
                    let isDone = unsafe apus_aes_block(OpaquePointer(state), start, sample, block)
                    precondition(isDone, "OpenSSL does not encrypt")
                case .openSSLStream:
                    let isDone = unsafe apus_chacha20_block(OpaquePointer(state), start, sample, block)
                    precondition(isDone, "OpenSSL does not encrypt")
                #if IPSEC_MB
                    case .aes128: unsafe apus_mb_aes_block(state, start, sample, block)
                #endif
                }
            }
        }
        let octets = block.0.littleEndian
        return [
            UInt8(truncatingIfNeeded: octets), UInt8(truncatingIfNeeded: octets &>> 8),
            UInt8(truncatingIfNeeded: octets &>> 16), UInt8(truncatingIfNeeded: octets &>> 24),
            UInt8(truncatingIfNeeded: octets &>> 32),
        ]
    }
}
