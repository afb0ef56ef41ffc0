/// One side of a handshake (The Noise Protocol Framework, revision 34, section 5), without I/O: messages are written into octets of
/// the caller's, and read from them.
///
/// **A message that is refused changes nothing**, so that a forged one does not end a handshake: the true one may still come.
///
/// **Cost**: for the responder of IK four X25519 operations and a new key, some 180 µs; and three slots of locked memory as
/// long as it lives. All secrets lie there, and are wiped when it is dropped.
public struct NoiseHandshake: ~Copyable, Sendable {
    /// What both sides have agreed on.
    public let agreed: NoiseProtocol
    /// Which side this is.
    public let role: NoiseRole
    /// How many messages were written and read.
    public private(set) var messageCount = 0

    /// The symmetric state (section 5.2) but for its keys; kept as it was before a message until that is accepted.
    struct Transcript: Sendable {
        /// h.
        var hash = InlineArray<32, UInt8>(repeating: 0)
        /// n, of the cipher state.
        var counter: UInt64 = 0
        var hasKey = false
        /// rs and re.
        var remoteStatic: PublicKey?
        var remoteEphemeral: PublicKey?
    }
    var transcript: Transcript
    /// ck, k, and both as they were before the message.
    var keys: Secret
    /// s, e, psk, and what a key agreement gave.
    var own: Secret
    /// What HKDF gives.
    var derived: Secret
    let localStatic: PublicKey?

    /// Where in ``keys`` and ``own`` what lies.
    enum Part {
        static let chaining = 0..<32, cipher = 32..<64, both = 0..<64
        static let localStatic = 0..<32, ephemeral = 32..<64, preShared = 64..<96, agreed = 96..<128
        static let before = 64
    }

    /// A message's most octets (section 3).
    public static let longestMessage = 65_535

    /// Begins a handshake.
    ///
    /// - Parameters:
    ///   - agreed: the pattern, cipher and hash function.
    ///   - role: which side this is.
    ///   - prologue: what both have to have seen the same of; it is hashed, not sent.
    ///   - localStatic: this side's static key, where the pattern has one.
    ///   - remoteStatic: the responder's, where the initiator knows it beforehand.
    ///   - preSharedKey: of 32 octets, where the pattern has one.
    public init(
        _ agreed: NoiseProtocol, role: NoiseRole, prologue: RawSpan = RawSpan(),
        localStatic: consuming PrivateKey? = nil, remoteStatic: PublicKey? = nil,
        preSharedKey: consuming Secret? = nil
    ) throws(NoiseError) {
        let pattern = agreed.pattern
        // What is given is what is needed.
        func check(_ what: String, isThere: Bool, isNeeded: Bool) throws(NoiseError) {
            guard isThere != isNeeded else { return }
            throw .wrongKeys("\(pattern.name) \(isNeeded ? "needs" : "has no") \(what) of the \(role)'s")
        }
        var (publicKey, hasPreShared) = (PublicKey?.none, false)
        var keys = try Self.room()
        var own = try Self.room()
        let derived = try Self.room()
        if let localStatic {
            publicKey = localStatic.publicKey
            own.copy(localStatic.secret.bytes, to: Part.localStatic.lowerBound)
        }
        try check("static key", isThere: publicKey != nil, isNeeded: pattern.needsStatic(role))
        try check(
            "known static key of the peer", isThere: remoteStatic != nil,
            isNeeded: role == .initiator && pattern.knowsResponder)
        if let preSharedKey {
            guard preSharedKey.byteCount == 32 else {
                throw .wrongKeys("a pre-shared key has 32 octets, not \(preSharedKey.byteCount)")
            }
            hasPreShared = true
            own.copy(preSharedKey.bytes, to: Part.preShared.lowerBound)
        }
        try check("pre-shared key", isThere: hasPreShared, isNeeded: pattern.hasPreSharedKey)

        var transcript: Transcript
        do throws(CryptoError) {
            transcript = try Transcript(agreed)
            // Sound: octets have no padding.
            keys.copy(unsafe transcript.hash.span.bytes, to: Part.chaining.lowerBound)
            try transcript.mix(prologue, agreed.hash)
            if pattern.knowsResponder, let known = role == .initiator ? remoteStatic : publicKey {
                try transcript.mix(known.bytes, agreed.hash)
            }
        } catch { throw .crypto(error) }
        transcript.remoteStatic = remoteStatic
        (self.agreed, self.role, self.localStatic, self.transcript) = (agreed, role, publicKey, transcript)
        self.keys = keys
        self.own = own
        self.derived = derived
    }

    private static func room() throws(NoiseError) -> Secret {
        do throws(CryptoError) { return try Secret(byteCount: 128) } catch { throw .crypto(error) }
    }

    /// Whether the next message is this side's to write.
    public var isToWrite: Bool {
        !isDone && (messageCount % 2 == 0) == (role == .initiator)
    }

    /// Whether all messages were written and read, so that ``split()`` gives the keys.
    public var isDone: Bool { messageCount == agreed.pattern.messages.count }

    /// Does what a message asks for, and undoes all of it if that fails.
    mutating func accept(
        _ body: (inout NoiseHandshake) throws(NoiseError) -> Void
    ) throws(NoiseError) {
        let before = transcript
        keys.move(Part.both, to: Part.before)
        do throws(NoiseError) {
            try body(&self)
            messageCount += 1
        } catch {
            transcript = before
            keys.move(Part.before..<128, to: Part.both.lowerBound)
            throw error
        }
    }

    /// The peer's static key, once it is known.
    public var remoteStatic: PublicKey? { transcript.remoteStatic }

    /// The hash of all that was said (section 11.2): of 32 octets, the same on both sides once they are done.
    public var handshakeHash: InlineArray<32, UInt8> { transcript.hash }

    /// How many octets the next message has beside its payload.
    public var overhead: Int {
        guard !isDone else { return 0 }
        var hasKey = transcript.hasKey
        var count = 0
        for token in agreed.pattern.messages[messageCount] {
            switch token {
            case .e:
                count += 32
                hasKey = hasKey || agreed.pattern.hasPreSharedKey
            case .s: count += hasKey ? 48 : 32
            case .ee, .es, .se, .ss, .psk: hasKey = true
            }
        }
        return count + (hasKey ? 16 : 0)
    }
}
