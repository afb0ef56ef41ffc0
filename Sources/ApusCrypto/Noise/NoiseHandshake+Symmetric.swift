extension NoiseHandshake.Transcript {
    /// InitializeSymmetric (section 5.2): the hash of the protocol's name, or the name itself if it is no longer.
    init(_ agreed: NoiseProtocol) throws(CryptoError) {
        let name = Array(agreed.description.utf8)
        if name.count <= 32 {
            for position in name.indices { hash[position] = name[position] }
        } else {
            // Sound: octets have no padding.
            hash = try Self.hash(agreed.hash, unsafe name.span.bytes, RawSpan())
        }
    }

    /// MixHash (section 5.2): h = HASH(h || data).
    mutating func mix(_ data: RawSpan, _ function: HashFunction) throws(CryptoError) {
        let before = hash
        // Sound: octets have no padding.
        hash = try Self.hash(function, unsafe before.span.bytes, data)
    }

    private static func hash(
        _ function: HashFunction, _ a: RawSpan, _ b: RawSpan
    ) throws(CryptoError) -> InlineArray<32, UInt8> {
        var digest = InlineArray<32, UInt8>(repeating: 0)
        var span = digest.mutableSpan
        // Sound: any bits are an octet.
        var room = unsafe span.mutableBytes
        try function.hash(a, b, into: &room)
        return digest
    }
}

// The symmetric state (section 5.2), and what tokens do to it (section 5.3).
extension NoiseHandshake {
    /// MixHash.
    private mutating func rehash(_ data: RawSpan) throws(CryptoError) {
        try transcript.mix(data, agreed.hash)
    }

    /// HKDF(ck, material), as many octets as asked for (section 4.3): RFC 5869 with ck as salt and no info.
    mutating func derive(_ count: Int, from material: RawSpan) throws(CryptoError) {
        let hkdf = HKDF(agreed.hash)
        let key = try hkdf.extract(salt: keys.part(Part.chaining), keyingMaterial: material)
        var all = derived.mutableBytes
        var room = all._mutatingExtracting(0..<count)
        try hkdf.expand(key.bytes, info: RawSpan(), into: &room)
    }

    /// MixKey.
    private mutating func mixKey(_ material: RawSpan) throws(CryptoError) {
        try derive(64, from: material)
        keys.copy(0..<64, of: derived, to: Part.both.lowerBound)
        (transcript.hasKey, transcript.counter) = (true, 0)
    }

    /// MixKeyAndHash.
    private mutating func mixKeyAndHash(_ material: RawSpan) throws(CryptoError) {
        try derive(96, from: material)
        keys.copy(0..<32, of: derived, to: Part.chaining.lowerBound)
        keys.copy(64..<96, of: derived, to: Part.cipher.lowerBound)
        (transcript.hasKey, transcript.counter) = (true, 0)
        let hashed = try Secret(copying: derived.part(32..<64))
        try rehash(hashed.bytes)
    }

    /// A new ephemeral key, as `e` of who writes.
    mutating func makeEphemeral<Source: RandomSource & ~Copyable>(
        _ random: inout Source
    ) throws(NoiseError) -> PublicKey {
        var all = own.mutableBytes
        var room = all._mutatingExtracting(Part.ephemeral)
        random.fill(&room)
        do throws(CryptoError) {
            return try x25519Public(of: own.part(Part.ephemeral))
        } catch { throw .crypto(error) }
    }

    /// What `e` does on both sides; with a pre-shared key it is one more thing that keys depend on (section 9.2).
    mutating func said(ephemeral key: PublicKey) throws(NoiseError) {
        do throws(CryptoError) {
            try rehash(key.bytes)
            if agreed.pattern.hasPreSharedKey { try mixKey(key.bytes) }
        } catch { throw .crypto(error) }
    }

    /// What the tokens of key agreements and of the pre-shared key do.
    mutating func mix(_ token: NoisePattern.Token) throws(NoiseError) {
        let isInitiator = role == .initiator
        let pair: (own: Range<Int>, peer: PublicKey?)
        switch token {
        case .ee: pair = (Part.ephemeral, transcript.remoteEphemeral)
        case .ss: pair = (Part.localStatic, transcript.remoteStatic)
        case .es:
            pair =
                isInitiator
                ? (Part.ephemeral, transcript.remoteStatic) : (Part.localStatic, transcript.remoteEphemeral)
        case .se:
            pair =
                isInitiator
                ? (Part.localStatic, transcript.remoteEphemeral) : (Part.ephemeral, transcript.remoteStatic)
        case .e, .s, .psk: pair = (Part.preShared, nil)
        }
        do throws(CryptoError) {
            if token == .psk {
                let key = try Secret(copying: own.part(Part.preShared))
                return try mixKeyAndHash(key.bytes)
            }
            guard let peer = pair.peer else {
                preconditionFailure("a pattern that uses a key before it is told")
            }
            let shared = try agreement(pair.own, peer)
            try mixKey(shared.bytes)
        } catch { throw .crypto(error) }
    }

    private func agreement(_ key: Range<Int>, _ peer: PublicKey) throws(CryptoError) -> Secret {
        var shared = try Secret(byteCount: 32)
        try x25519Shared(own.part(key), peer, into: &shared)
        return shared
    }

    /// EncryptAndHash: writes what is said, encrypted if there is a key, and gives where it ends.
    mutating func encryptAndHash(
        _ plain: RawSpan, into message: inout MutableRawSpan, at offset: Int
    ) throws(NoiseError) -> Int {
        let end = offset + plain.byteCount + (transcript.hasKey ? 16 : 0)
        message.write(plain, at: offset)
        var room = message._mutatingExtracting(offset..<end)
        do throws(CryptoError) {
            if transcript.hasKey {
                var cipher = try AEAD(agreed.cipher, backend: .openSSL)
                let hash = transcript.hash
                cipher.seal(
                    &room, aad: unsafe hash.span.bytes,
                    nonce: Nonce(noise: transcript.counter, of: agreed.cipher),
                    key: keys.part(Part.cipher))
                transcript.counter += 1
            }
            try rehash(room.bytes)
        } catch { throw .crypto(error) }
        return end
    }

    /// DecryptAndHash, into room of just as many octets.
    mutating func decryptAndHash(_ said: RawSpan, into plain: inout MutableRawSpan) throws(NoiseError) {
        var isAuthentic = true
        do throws(CryptoError) {
            if transcript.hasKey {
                plain.write(said.extracting(0..<plain.byteCount), at: 0)
                var cipher = try AEAD(agreed.cipher, backend: .openSSL)
                let hash = transcript.hash
                isAuthentic = cipher.open(
                    &plain, tag: said.extracting(plain.byteCount..<said.byteCount),
                    aad: unsafe hash.span.bytes, nonce: Nonce(noise: transcript.counter, of: agreed.cipher),
                    key: keys.part(Part.cipher))
                transcript.counter += 1
            } else {
                plain.write(said, at: 0)
            }
            try rehash(said)
        } catch { throw .crypto(error) }
        guard isAuthentic else { throw .notAuthentic }
    }
}
