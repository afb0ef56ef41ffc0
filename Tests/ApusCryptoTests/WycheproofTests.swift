import ApusCrypto
import NetworkLab
import Octets
import Testing

/// Project Wycheproof's vectors: known answers, edge cases of the arithmetic, and what has to be refused.
@Suite("Wycheproof")
struct WycheproofTests {
    static let aesGCM = "aead/wycheproof_aes_gcm.json"
    static let chaCha20Poly1305 = "aead/wycheproof_chacha20_poly1305.json"
    static let x25519 = "aead/wycheproof_x25519.json"

    /// How many there are with nonces of 96 bits, tags of 128 and keys of the algorithm's: those are all that it can be asked.
    static let counts: [(AEADAlgorithm, file: String, count: Int, valid: Int)] = [
        (.aes128GCM, aesGCM, 67, 40), (.aes256GCM, aesGCM, 66, 39),
        (.chaCha20Poly1305, chaCha20Poly1305, 316, 256),
    ]

    @Test(
        .requires(.file(Vectors.file(aesGCM)), .file(Vectors.file(chaCha20Poly1305))),
        arguments: CryptoBackend.available)
    func `Each AEAD gives and takes what it should`(_ backend: CryptoBackend) throws {
        for (algorithm, file, count, valid) in Self.counts {
            let groups = try Vectors.read(file, as: Wycheproof<AEADCase>.self).testGroups
            let cases = groups.filter {
                $0.ivSize == 96 && $0.tagSize == 128 && $0.keySize == algorithm.keyLength * 8
            }.flatMap(\.tests)
            #expect(cases.count == count)
            var accepted = 0
            var cipher = try AEAD(algorithm, backend: backend)
            for test in cases {
                let (key, aad) = ([UInt8](hex: test.key), [UInt8](hex: test.aad))
                let nonce = Nonce(hex: test.iv)
                let (plain, sealed) = ([UInt8](hex: test.msg), [UInt8](hex: test.ct + test.tag))
                let opened = cipher.opened(sealed, aad: aad, nonce: nonce, key: key)
                #expect(
                    opened.isAuthentic == (test.result == "valid"),
                    "\(algorithm) \(test.tcId) \(test.comment)")
                let ours = cipher.sealed(plain, aad: aad, nonce: nonce)
                if test.result == "valid" {
                    accepted += 1
                    #expect(ours == sealed, "\(algorithm) \(test.tcId) \(test.comment)")
                    #expect(Array(opened.octets.prefix(plain.count)) == plain, "\(algorithm) \(test.tcId)")
                } else {
                    #expect(ours != sealed, "\(algorithm) \(test.tcId) \(test.comment)")
                    #expect(
                        opened.octets.prefix(plain.count).allSatisfy { $0 == 0 }, "\(algorithm) \(test.tcId)")
                }
            }
            #expect(accepted == valid)
        }
    }

    @Test(.requires(.file(Vectors.file(x25519))))
    func `X25519 gives what it should, and refuses points of low order`() throws {
        let file = try Vectors.read(Self.x25519, as: Wycheproof<AgreementCase>.self)
        var (agreed, refused) = (0, 0)
        for test in file.testGroups.flatMap(\.tests) {
            let key = try PrivateKey(Secret([UInt8](hex: test.private)))
            let peer = try #require(PublicKey(octets: [UInt8](hex: test.public)))
            let isLow = test.flags.contains("ZeroSharedSecret") || test.flags.contains("LowOrderPublic")
            do throws(CryptoError) {
                let shared = try key.sharedSecret(with: peer)
                let octets = array(shared.bytes)
                #expect(octets == [UInt8](hex: test.shared), "\(test.tcId) \(test.comment)")
                #expect(!isLow, "\(test.tcId) \(test.comment)")
                agreed += 1
            } catch {
                #expect(error == .lowOrderPoint && isLow, "\(test.tcId) \(test.comment): \(error)")
                refused += 1
            }
        }
        #expect((agreed, refused) == (487, 31))
        #expect(file.numberOfTests == agreed + refused)
    }
}
