/// A handshake pattern of the Noise Protocol Framework (revision 34, section 7): who says what, in what order.
public struct NoisePattern: Hashable, Sendable {
    /// What a message consists of beside its payload (section 7.1).
    public enum Token: UInt8, Hashable, Sendable {
        /// The sender's new ephemeral key.
        case e
        /// The sender's static key, encrypted if there is a key by then.
        case s
        /// Ephemeral keys of both.
        case ee
        /// The initiator's ephemeral and the responder's static key.
        case es
        /// The initiator's static and the responder's ephemeral key.
        case se
        /// Static keys of both.
        case ss
        /// The key that both have been given.
        case psk
    }

    /// As protocol names have it.
    public let name: String
    /// Whether the initiator knows the responder's static key beforehand.
    public let knowsResponder: Bool
    /// The messages, the initiator's first.
    public let messages: [[Token]]

    init(_ name: String, knowsResponder: Bool = false, _ messages: [[Token]]) {
        (self.name, self.knowsResponder, self.messages) = (name, knowsResponder, messages)
    }

    /// Both have static keys; the initiator knows the responder's, and sends its own with the first message, so that it takes
    /// one round trip.
    public static let ik = NoisePattern("IK", knowsResponder: true, [[.e, .es, .s, .ss], [.e, .ee, .se]])
    /// That, with a pre-shared key in the second message.
    public static let ikPSK2 = NoisePattern(
        "IKpsk2", knowsResponder: true, [[.e, .es, .s, .ss], [.e, .ee, .se, .psk]])
    /// That, with a pre-shared key in the first message.
    public static let ikPSK1 = NoisePattern(
        "IKpsk1", knowsResponder: true, [[.e, .es, .s, .ss, .psk], [.e, .ee, .se]])
    /// Nobody has a static key.
    public static let nn = NoisePattern("NN", [[.e], [.e, .ee]])
    /// The responder alone has one, which the initiator knows.
    public static let nk = NoisePattern("NK", knowsResponder: true, [[.e, .es], [.e, .ee]])
    /// Both have static keys, and tell them once they are encrypted.
    public static let xx = NoisePattern("XX", [[.e], [.e, .ee, .s, .es], [.s, .se]])
    /// Both have static keys; the initiator's is told in plain text.
    public static let ix = NoisePattern("IX", [[.e, .s], [.e, .ee, .se, .s, .es]])

    /// Whether there is a pre-shared key.
    var hasPreSharedKey: Bool { messages.joined().contains(.psk) }

    /// Whether a side needs a static key of its own.
    func needsStatic(_ role: NoiseRole) -> Bool {
        if role == .responder, knowsResponder { return true }
        return messages.enumerated().contains { number, tokens in
            (number % 2 == 0) == (role == .initiator) && tokens.contains(.s)
        }
    }
}

/// Who begins a handshake, and who answers.
public enum NoiseRole: UInt8, Hashable, Sendable {
    /// It sends the first message.
    case initiator
    /// It sends the second one.
    case responder
}

/// What both sides of a handshake have agreed on beforehand: the pattern, X25519, an AEAD and a hash function.
public struct NoiseProtocol: Hashable, Sendable {
    /// Who says what.
    public let pattern: NoisePattern
    /// What messages are encrypted with.
    public let cipher: AEADAlgorithm
    /// What keys are derived with.
    public let hash: HashFunction

    /// A protocol.
    ///
    /// - Parameter cipher: ``AEADAlgorithm/aes256GCM`` or ``AEADAlgorithm/chaCha20Poly1305``, since Noise's keys have 32 octets.
    public init(_ pattern: NoisePattern, cipher: AEADAlgorithm, hash: HashFunction) {
        precondition(cipher.keyLength == 32, "Noise has no \(cipher)")
        (self.pattern, self.cipher, self.hash) = (pattern, cipher, hash)
    }
}

extension NoiseProtocol: CustomStringConvertible {
    /// The protocol's name (section 8), which is hashed first.
    public var description: String {
        "Noise_\(pattern.name)_25519_\(cipher == .chaCha20Poly1305 ? "ChaChaPoly" : "AESGCM")_\(hash)"
    }
}
