public import COpenSSL

#if IPSEC_MB
    public import CIPsecMB
#endif

extension AEAD {
    /// Encrypts octets in place, and writes the tag behind them.
    ///
    /// - Parameters:
    ///   - octets: the plaintext, and room for the tag: 16 octets.
    ///   - aad: what is authenticated with it and not encrypted.
    ///   - nonce: used never before with this key.
    ///   - key: of ``AEADAlgorithm/keyLength`` octets, and the key from then on; `nil` if it is the one before.
    @inlinable @inline(__always)
    public mutating func seal(
        _ octets: inout MutableRawSpan, aad: RawSpan, nonce: Nonce, key: RawSpan? = nil
    ) {
        precondition(octets.byteCount >= AEADAlgorithm.tagLength, "no room for a tag")
        // Sound: all are borrowed for the call.
        unsafe octets.withUnsafeMutableBytes { octets in
            unsafe aad.withUnsafeBytes { aad in
                let start = unsafe octets.baseAddress.unsafelyUnwrapped
                unsafe seal(
                    start, octets.count - AEADAlgorithm.tagLength, aad.baseAddress, aad.count, nonce, key)
            }
        }
    }

    /// Encrypts a packet in place behind its header, which is authenticated with it, and writes the tag at its end.
    ///
    /// - Parameters:
    ///   - packet: the header, the plaintext, and room for the tag: 16 octets.
    ///   - headerLength: how many octets of it are the header.
    ///   - nonce: used never before with this key.
    ///   - key: of ``AEADAlgorithm/keyLength`` octets, and the key from then on; `nil` if it is the one before.
    @inlinable @inline(__always)
    public mutating func seal(
        _ packet: inout MutableRawSpan, headerLength: Int, nonce: Nonce, key: RawSpan? = nil
    ) {
        let length = packet.byteCount - AEADAlgorithm.tagLength
        precondition(headerLength >= 0 && headerLength <= length, "no room for a header and a tag")
        // Sound: the header is in front of the text, and all are borrowed for the call.
        unsafe packet.withUnsafeMutableBytes { packet in
            let start = unsafe packet.baseAddress.unsafelyUnwrapped
            unsafe seal(start + headerLength, length - headerLength, start, headerLength, nonce, key)
        }
    }

    /// Decrypts octets in place, if they are authentic.
    ///
    /// - Parameters:
    ///   - octets: the ciphertext, and the tag behind it.
    ///   - aad: what is authenticated with it.
    ///   - nonce: the one that it was sealed with.
    ///   - key: of ``AEADAlgorithm/keyLength`` octets, and the key from then on; `nil` if it is the one before.
    /// - Returns: whether they are. If not, or if there are fewer than 16, there is no plaintext: where it would be
    ///   are zeroes.
    @inlinable @inline(__always)
    public mutating func open(
        _ octets: inout MutableRawSpan, aad: RawSpan, nonce: Nonce, key: RawSpan? = nil
    ) -> Bool {
        guard octets.byteCount >= AEADAlgorithm.tagLength else { return false }
        // Sound: all are borrowed for the call.
        return unsafe octets.withUnsafeMutableBytes { octets in
            unsafe aad.withUnsafeBytes { aad in
                let start = unsafe octets.baseAddress.unsafelyUnwrapped
                let count = octets.count - AEADAlgorithm.tagLength
                return unsafe open(start, count, start + count, aad.baseAddress, aad.count, nonce, key)
            }
        }
    }

    /// The same where the tag lies elsewhere: it has 16 octets, and the text is all of the octets.
    mutating func open(
        _ text: inout MutableRawSpan, tag: RawSpan, aad: RawSpan, nonce: Nonce, key: RawSpan?
    ) -> Bool {
        precondition(tag.byteCount == AEADAlgorithm.tagLength)
        // Sound: all are borrowed for the call.
        return unsafe text.withUnsafeMutableBytes { text in
            unsafe tag.withUnsafeBytes { tag in
                unsafe aad.withUnsafeBytes { aad in
                    let (tag, count) = unsafe (tag.baseAddress.unsafelyUnwrapped, text.count)
                    // A text without octets has to have a place all the same.
                    let start = unsafe text.baseAddress ?? UnsafeMutableRawPointer(mutating: tag)
                    return unsafe open(start, count, tag, aad.baseAddress, aad.count, nonce, key)
                }
            }
        }
    }

    /// Decrypts a packet in place behind its header, if both are authentic.
    ///
    /// - Parameters:
    ///   - packet: the header as it was when it was sealed, the ciphertext, and the tag.
    ///   - headerLength: how many octets of it are the header.
    ///   - nonce: the one that it was sealed with.
    ///   - key: of ``AEADAlgorithm/keyLength`` octets, and the key from then on; `nil` if it is the one before.
    /// - Returns: whether they are. If not, or if it is too short for header and tag, there is no plaintext: where it would be
    ///   are zeroes.
    @inlinable @inline(__always)
    public mutating func open(
        _ packet: inout MutableRawSpan, headerLength: Int, nonce: Nonce, key: RawSpan? = nil
    ) -> Bool {
        let length = packet.byteCount - AEADAlgorithm.tagLength
        precondition(headerLength >= 0, "a header of less than nothing")
        guard headerLength <= length else { return false }
        // Sound: the header is in front of the text, and all are borrowed for the call.
        return unsafe packet.withUnsafeMutableBytes { packet in
            let start = unsafe packet.baseAddress.unsafelyUnwrapped
            return unsafe open(
                start + headerLength, length - headerLength, start + length, start, headerLength, nonce, key)
        }
    }

    /// What packets may be long at most, as OpenSSL counts in `int`.
    @inlinable static var longest: Int { Int(Int32.max) }

    /// The key's address, if it comes with the packet.
    @inlinable @inline(__always)
    mutating func check(_ count: Int, _ aadCount: Int, _ key: RawSpan?) -> UnsafeRawPointer? {
        precondition(count <= Self.longest && aadCount <= Self.longest, "a packet of 2 GiB")
        guard let key else {
            precondition(hasKey, "a cipher without a key")
            return nil
        }
        precondition(key.byteCount == algorithm.keyLength, "a key of another length")
        hasKey = true
        // Sound: it is borrowed by who calls this, for longer.
        return unsafe key.withUnsafeBytes { $0.baseAddress }
    }

    @inlinable @inline(__always)
    mutating func seal(
        _ text: UnsafeMutableRawPointer, _ count: Int, _ aad: UnsafeRawPointer?, _ aadCount: Int,
        _ nonce: Nonce,
        _ key: RawSpan?
    ) {
        // The library reads the key by its address.
        defer { extendLifetime(key) }
        let start = unsafe check(count, aadCount, key)
        let tag = unsafe text + count
        unsafe withUnsafePointer(to: nonce) { nonce in
            switch engine {
            case .openSSL:
                let isSealed = unsafe apus_aead_seal(
                    OpaquePointer(state), start, nonce, aad, aadCount, text, count, tag)
                precondition(isSealed, "OpenSSL does not encrypt")
            #if IPSEC_MB
                case .gcm128: unsafe apus_mb_gcm128_seal(state, start, nonce, aad, aadCount, text, count, tag)
                case .gcm256: unsafe apus_mb_gcm256_seal(state, start, nonce, aad, aadCount, text, count, tag)
                case .chaCha20:
                    unsafe apus_mb_chacha20_seal(state, start, nonce, aad, aadCount, text, count, tag)
            #endif
            }
        }
    }

    @inlinable @inline(__always)
    mutating func open(
        _ text: UnsafeMutableRawPointer, _ count: Int, _ tag: UnsafeRawPointer, _ aad: UnsafeRawPointer?,
        _ aadCount: Int, _ nonce: Nonce, _ key: RawSpan?
    ) -> Bool {
        // The library reads the key by its address.
        defer { extendLifetime(key) }
        let start = unsafe check(count, aadCount, key)
        return unsafe withUnsafePointer(to: nonce) { nonce in
            switch engine {
            case .openSSL:
                unsafe apus_aead_open(OpaquePointer(state), start, nonce, aad, aadCount, text, count, tag)
            #if IPSEC_MB
                case .gcm128: unsafe apus_mb_gcm128_open(state, start, nonce, aad, aadCount, text, count, tag)
                case .gcm256: unsafe apus_mb_gcm256_open(state, start, nonce, aad, aadCount, text, count, tag)
                case .chaCha20:
                    unsafe apus_mb_chacha20_open(state, start, nonce, aad, aadCount, text, count, tag)
            #endif
            }
        }
    }
}
