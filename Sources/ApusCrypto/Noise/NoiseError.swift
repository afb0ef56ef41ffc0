/// Why a handshake does not begin or go on.
public enum NoiseError: Error, Hashable, Sendable {
    /// The pattern needs what was not given, or has no place for what was.
    case wrongKeys(String)
    /// It is for the other side to send the next message, or there is none to come.
    case outOfTurn
    /// A message that is shorter than its keys and tags, or longer than 65535 octets (section 3).
    case messageLength(Int)
    /// There is less room than the message or payload needs.
    case room(Int, needed: Int)
    /// The message is not authentic: changed, for others, or of a peer with other keys.
    case notAuthentic
    /// The keys themselves.
    case crypto(CryptoError)
}

extension NoiseError: CustomStringConvertible {
    /// The cause, in a sentence.
    public var description: String {
        switch self {
        case .wrongKeys(let what): "the handshake's keys: \(what)"
        case .outOfTurn: "it is not this side's turn in the handshake"
        case .messageLength(let length): "a handshake message of \(length) octets can't be one"
        case .room(let room, let needed): "room for \(room) octets where \(needed) are needed"
        case .notAuthentic: "the handshake message is not authentic"
        case .crypto(let error): "\(error)"
        }
    }
}
