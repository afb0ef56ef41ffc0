/// Why a header was not written.
@frozen
public enum EncodeFailure: UInt8, Error, Hashable, Sendable, CaseIterable {
    /// The span is shorter than the header.
    case noRoom
    /// A length field cannot hold the length of header and payload.
    case payloadTooLong
}

extension EncodeFailure: CustomStringConvertible {
    /// The reason, and what to give instead.
    public var description: String {
        switch self {
        case .noRoom: "the span is shorter than the header; give one of at least the header's byteCount"
        case .payloadTooLong: "header and payload are longer than 65535 octets; send a shorter payload"
        }
    }
}
