import ApusCrypto
import NetworkLab
import Octets
import Testing

/// The vectors of cacophony, a Noise library in Haskell.
@Suite("Noise vectors")
struct NoiseVectorTests {
    struct File: Decodable { let vectors: [Vector] }
    struct Vector: Decodable {
        struct Message: Decodable { let payload, ciphertext: String }
        let protocol_name, init_prologue, resp_prologue, handshake_hash: String
        let init_ephemeral, resp_ephemeral, init_static, resp_static, init_remote_static: String?
        let init_psks, resp_psks: [String]?
        let messages: [Message]
    }
    static let file = "noise/cacophony-subset.json"
    static let patterns: [NoisePattern] = [.ik, .ikPSK1, .ikPSK2, .nn, .nk, .xx, .ix]

    static func known(_ name: String) -> NoiseProtocol? {
        for pattern in patterns {
            for cipher in [AEADAlgorithm.aes256GCM, .chaCha20Poly1305] {
                for hash in HashFunction.allCases {
                    let known = NoiseProtocol(pattern, cipher: cipher, hash: hash)
                    if known.description == name { return known }
                }
            }
        }
        return nil
    }

    static func key(_ hex: String?) throws -> PrivateKey? {
        guard let hex else { return nil }
        return try PrivateKey(Secret([UInt8](hex: hex)))
    }

    static func secret(_ hex: String?) throws -> Secret? {
        guard let hex else { return nil }
        return try Secret([UInt8](hex: hex))
    }

    @Test(.requires(.file(Vectors.file(file))))
    func `Every octet of every message is theirs`() throws {
        let vectors = try Vectors.read(Self.file, as: File.self).vectors
        var names: Set<String> = []
        for vector in vectors {
            let name = vector.protocol_name
            names.insert(name)
            let agreed = try #require(Self.known(name), "\(name)")
            let prologues = ([UInt8](hex: vector.init_prologue), [UInt8](hex: vector.resp_prologue))
            let remote = vector.init_remote_static.map { [UInt8](hex: $0) }
            var initiator = try NoiseHandshake(
                agreed, role: .initiator, prologue: prologues.0.raw,
                localStatic: Self.key(vector.init_static),
                remoteStatic: remote.flatMap { PublicKey(octets: $0) },
                preSharedKey: Self.secret(vector.init_psks?.first))
            var responder = try NoiseHandshake(
                agreed, role: .responder, prologue: prologues.1.raw,
                localStatic: Self.key(vector.resp_static),
                preSharedKey: Self.secret(vector.resp_psks?.first))
            var ephemerals = (
                Given(octets: [UInt8](hex: vector.init_ephemeral ?? "")),
                Given(octets: [UInt8](hex: vector.resp_ephemeral ?? ""))
            )
            let count = agreed.pattern.messages.count
            for (number, message) in vector.messages.prefix(count).enumerated() {
                let payload = [UInt8](hex: message.payload)
                let (written, read) =
                    number % 2 == 0
                    ? try Self.pass(payload, from: &initiator, to: &responder, &ephemerals.0)
                    : try Self.pass(payload, from: &responder, to: &initiator, &ephemerals.1)
                #expect(written == [UInt8](hex: message.ciphertext), "\(name), message \(number + 1)")
                #expect(read == payload, "\(name), message \(number + 1)")
            }
            let areDone = initiator.isDone && responder.isDone
            #expect(areDone)
            let first = try initiator.split()
            let second = try responder.split()
            let expected = [UInt8](hex: vector.handshake_hash)
            for hash in [first.handshakeHash, second.handshakeHash] {
                #expect(hash.indices.map { hash[$0] } == expected, "\(name)")
            }
            let areSame = first.send == second.receive && first.receive == second.send
            #expect(areSame, "\(name)")
            try Self.transport(vector.messages.dropFirst(count), after: count, agreed, first, second)
        }
        // All that there are, and among them all of IK and IKpsk2.
        #expect(vectors.count == 11 && names.count == 11)
        for pattern in ["IK", "IKpsk2"] {
            for suite in ["AESGCM_SHA256", "ChaChaPoly_BLAKE2s", "ChaChaPoly_SHA256"] {
                #expect(names.contains("Noise_\(pattern)_25519_\(suite)"))
            }
        }
    }

    private static func pass(
        _ payload: [UInt8], from writer: inout NoiseHandshake, to reader: inout NoiseHandshake,
        _ random: inout Given
    ) throws -> (written: [UInt8], read: [UInt8]) {
        let length = writer.overhead + payload.count
        let expected = reader.overhead + payload.count
        #expect(length == expected)
        var message = [UInt8](repeating: 0, count: length)
        try write(&message) {
            let written = try writer.write(payload: payload.raw, into: &$0, random: &random)
            #expect(written == length)
        }
        var read = [UInt8](repeating: 0, count: payload.count)
        try write(&read) {
            let count = try reader.read(message.raw, into: &$0)
            #expect(count == payload.count)
        }
        return (message, read)
    }

    /// Messages under the keys that come out: they go on alternating.
    private static func transport(
        _ messages: ArraySlice<Vector.Message>, after count: Int, _ agreed: NoiseProtocol,
        _ initiator: borrowing NoiseTransport, _ responder: borrowing NoiseTransport
    ) throws {
        var numbers: (UInt64, UInt64) = (0, 0)
        for backend in CryptoBackend.available {
            numbers = (0, 0)
            var cipher = try AEAD(agreed.cipher, backend: backend)
            for (number, message) in messages.enumerated() {
                let isInitiators = (count + number) % 2 == 0
                let counter = isInitiators ? numbers.0 : numbers.1
                if isInitiators { numbers.0 += 1 } else { numbers.1 += 1 }
                let nonce = Nonce(noise: counter, of: agreed.cipher)
                let sender = array(isInitiators ? initiator.send.bytes : responder.send.bytes)
                let receiver = array(isInitiators ? responder.receive.bytes : initiator.receive.bytes)
                let payload = [UInt8](hex: message.payload)
                let sealed = cipher.sealed(payload, aad: [], nonce: nonce, key: sender)
                #expect(
                    sealed == [UInt8](hex: message.ciphertext), "\(agreed), message \(count + number + 1)")
                #expect(cipher.opened(sealed, aad: [], nonce: nonce, key: receiver).isAuthentic)
            }
        }
    }
}
