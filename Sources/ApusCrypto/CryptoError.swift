/// Why something of this room could not be done: the thing, the cause and the way out.
public enum CryptoError: Error, Hashable, Sendable {
    /// Memory for keys could not be mapped, or not be kept from swap and core dumps.
    ///
    /// - Parameters:
    ///   - step: what was refused, as `mlock`.
    ///   - limit: how much memory this process may lock (RLIMIT_MEMLOCK), in octets.
    case lockedMemory(step: String, octets: Int, limit: UInt64, reason: String)
    /// The backend is not in this build, or can't run on this processor.
    case unavailable(CryptoBackend, reason: String)
    /// libcrypto refused what it can do: it lacks the algorithm, as a build or a configuration without the default provider
    /// does, or memory.
    case library(String)
    /// A key of another length than the algorithm's.
    case keyLength(Int, expected: Int)
    /// A public key with which X25519 gives all zeroes, whatever the private key is (RFC 7748, section 6.1).
    case lowOrderPoint
}

extension CryptoError: CustomStringConvertible {
    /// The thing, the cause and the way out, in one or two sentences.
    public var description: String {
        switch self {
        case .lockedMemory(let step, let octets, let limit, let reason):
            let allowed = limit == .max ? "without limit" : "\(limit) octets"
            return
                "\(octets) octets of memory for keys: \(step): \(reason); this process may lock \(allowed). "
                + "Raise RLIMIT_MEMLOCK (ulimit -l, or LimitMEMLOCK= of a systemd unit), or grant CAP_IPC_LOCK."
        case .unavailable(let backend, let reason):
            return "\(backend) can't be used: \(reason). OpenSSL can, anywhere."
        case .library(let what):
            return
                "OpenSSL has no \(what), or no memory for it: is its default provider configured off (openssl list -providers)?"
        case .keyLength(let length, let expected):
            return "a key of \(length) octets where \(expected) are needed"
        case .lowOrderPoint:
            return "the public key is a point of low order, which no honest peer has"
        }
    }
}
