import ApusCrypto
import Octets
import Seeds
import Testing

@Suite("Noise handshakes")
struct NoiseTests {
    struct Random: RandomSource {
        var seeded: Seeded
        init(_ seed: UInt64) { seeded = Seeded(seed) }
        mutating func fill(_ octets: inout MutableRawSpan) {
            for offset in 0..<octets.byteCount {
                octets.storeBytes(
                    of: .random(in: 0...255, using: &seeded), toByteOffset: offset, as: UInt8.self)
            }
        }
    }

    static let agreed = NoiseProtocol(.ikPSK2, cipher: .chaCha20Poly1305, hash: .blake2s)

    static func key(_ octet: UInt8) throws -> PrivateKey {
        try PrivateKey(Secret([UInt8](repeating: octet, count: 32)))
    }

    static func initiator(
        _ agreed: NoiseProtocol = agreed, psk: UInt8 = 3, prologue: [UInt8] = [1], to peer: UInt8 = 2
    ) throws -> NoiseHandshake {
        try NoiseHandshake(
            agreed, role: .initiator, prologue: prologue.raw, localStatic: key(1),
            remoteStatic: key(peer).publicKey, preSharedKey: Secret([UInt8](repeating: psk, count: 32)))
    }

    static func responder(psk: UInt8 = 3, prologue: [UInt8] = [1]) throws -> NoiseHandshake {
        try NoiseHandshake(
            agreed, role: .responder, prologue: prologue.raw, localStatic: key(2),
            preSharedKey: Secret([UInt8](repeating: psk, count: 32)))
    }

    static func message(
        of handshake: inout NoiseHandshake, _ payload: [UInt8], seed: UInt64
    ) throws(NoiseError) -> [UInt8] {
        var random = Random(seed)
        var message = [UInt8](repeating: 0, count: handshake.overhead + payload.count)
        var elements = message.mutableSpan
        // Sound: any bits are an octet.
        var bytes = unsafe elements.mutableBytes
        _ = try handshake.write(payload: payload.raw, into: &bytes, random: &random)
        return message
    }

    /// Why nothing is written.
    static func refusal(toWrite handshake: inout NoiseHandshake) -> NoiseError? {
        do throws(NoiseError) { _ = try message(of: &handshake, [], seed: 1) } catch { return error }
        return nil
    }

    /// Why nothing is read.
    static func refusal(_ message: [UInt8], by handshake: inout NoiseHandshake) -> NoiseError? {
        if case .failure(let error) = reading(message, by: &handshake) { return error }
        return nil
    }

    /// What is read, or why it is not.
    static func reading(
        _ message: [UInt8], by handshake: inout NoiseHandshake, room: Int = 200
    ) -> Result<[UInt8], NoiseError> {
        var payload = [UInt8](repeating: 0xee, count: room)
        do throws(NoiseError) {
            var elements = payload.mutableSpan
            // Sound: any bits are an octet.
            var bytes = unsafe elements.mutableBytes
            let count = try handshake.read(message.raw, into: &bytes)
            return .success(Array(payload[..<count]))
        } catch { return .failure(error) }
    }

    @Test func `A forged message changes nothing, and the true one is still taken`() throws {
        var one = try Self.initiator()
        var other = try Self.responder()
        let first = try Self.message(of: &one, [7, 7, 7], seed: 1)
        for position in first.indices {
            var forged = first
            forged[position] ^= 1
            #expect(Self.refusal(forged, by: &other) != nil, "\(position)")
        }
        for count in 0..<first.count {
            #expect(Self.refusal(Array(first[..<count]), by: &other) != nil, "\(count)")
        }
        #expect(Self.reading(first, by: &other) == .success([7, 7, 7]))
        let (told, expected) = (other.remoteStatic, try Self.key(1).publicKey)
        #expect(told == expected)
        let second = try Self.message(of: &other, [8], seed: 2)
        for position in second.indices {
            var forged = second
            forged[position] ^= 0x80
            // The highest bit of X25519's public keys is not looked at (RFC 7748, section 5), but it is hashed.
            #expect(Self.refusal(forged, by: &one) != nil, "\(position)")
        }
        #expect(Self.reading(second, by: &one) == .success([8]))
        let ours = try one.split()
        let theirs = try other.split()
        let (fits, isOne) = (
            ours.send == theirs.receive && ours.receive == theirs.send, ours.send == ours.receive
        )
        #expect(fits && !isOne)
    }

    @Test func `An ephemeral key of low order is refused`() throws {
        var one = try Self.initiator()
        var other = try Self.responder()
        let first = try Self.message(of: &one, [], seed: 1)
        let forged = [UInt8](repeating: 0, count: 32) + first[32...]
        #expect(Self.reading(forged, by: &other) == .failure(.crypto(.lowOrderPoint)))
        #expect(Self.reading(first, by: &other) == .success([]))
    }

    @Test func `Other prologues, other keys and other pre-shared keys are found`() throws {
        for (psk, prologue, peer) in [(UInt8(4), [UInt8(1)], UInt8(2)), (3, [], 2), (3, [1], 5)] {
            var one = try Self.initiator(psk: psk, prologue: prologue, to: peer)
            var other = try Self.responder()
            let first = try Self.message(of: &one, [9], seed: 3)
            let result = Self.reading(first, by: &other)
            guard psk != 3 else {
                #expect(result == .failure(.notAuthentic))
                continue
            }
            // The pre-shared key comes with the second message.
            #expect(result == .success([9]))
            let second = try Self.message(of: &other, [], seed: 4)
            #expect(Self.reading(second, by: &one) == .failure(.notAuthentic))
        }
    }

    @Test func `Nobody speaks out of turn`() throws {
        var one = try Self.initiator()
        var other = try Self.responder()
        let turns = (one.isToWrite, other.isToWrite)
        #expect(turns == (true, false))
        #expect(Self.refusal(toWrite: &other) == .outOfTurn)
        #expect(Self.reading([1, 2, 3], by: &one) == .failure(.outOfTurn))
        let first = try Self.message(of: &one, [], seed: 1)
        #expect(Self.refusal(toWrite: &one) == .outOfTurn)
        #expect(
            Self.reading(Array(first.dropLast()), by: &other) == .failure(.messageLength(first.count - 1)))
        #expect(Self.reading(first + [1, 2], by: &other, room: 1) == .failure(.room(1, needed: 2)))
        var early: NoiseError?
        do throws(NoiseError) { _ = try other.split().handshakeHash } catch { early = error }
        #expect(early == .outOfTurn)
    }

    @Test func `What a pattern needs has to be given, and nothing else`() throws {
        func refusal(_ body: () throws(NoiseError) -> Void) -> String {
            do throws(NoiseError) { try body() } catch { return "\(error)" }
            return ""
        }
        let ik = NoiseProtocol(.ik, cipher: .aes256GCM, hash: .sha256)
        #expect(
            refusal { () throws(NoiseError) in _ = try NoiseHandshake(ik, role: .responder).isDone }
                == "the handshake's keys: IK needs static key of the responder's")
        let one = try Self.key(1)
        let nn = NoiseProtocol(.nn, cipher: .aes256GCM, hash: .sha256)
        #expect(
            refusal { () throws(NoiseError) in
                _ = try NoiseHandshake(nn, role: .initiator, remoteStatic: one.publicKey).isDone
            } == "the handshake's keys: NN has no known static key of the peer of the initiator's")
    }

    @Test func `Secrets of a handshake are wiped`() throws {
        let octets = (0..<32).map { UInt8($0 + 0x60) }
        func isThere() throws -> Bool {
            try MemoryTests.mappings().contains { mapping in
                guard mapping.flags.isSuperset(of: ["wf", "lo"]) else { return false }
                return stride(from: mapping.range.lowerBound, to: mapping.range.upperBound, by: 32).contains {
                    MemoryTests.octets(at: $0, 32) == octets
                }
            }
        }
        func shake() throws {
            let handshake = try NoiseHandshake(
                NoiseProtocol(.ik, cipher: .aes256GCM, hash: .sha256), role: .responder,
                localStatic: PrivateKey(Secret(octets)))
            let isHeld = try isThere()
            let isDone = handshake.isDone
            #expect(isHeld && !isDone)
        }
        try shake()
        #expect(try !isThere())
    }
}
