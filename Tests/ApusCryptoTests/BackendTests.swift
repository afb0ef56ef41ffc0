import ApusCrypto
import Foundation
import Octets
import Seeds
import Testing

@Suite("Backends")
struct BackendTests {
    static func octets(_ count: Int, _ random: inout Seeded) -> [UInt8] {
        (0..<count).map { _ in .random(in: 0...255, using: &random) }
    }

    static func nonce(_ random: inout Seeded) -> Nonce { Nonce(octets(12, &random).raw) }

    @Test func `OpenSSL is always there, and what is not says why`() {
        #expect(CryptoBackend.available.first == .openSSL)
        #expect(CryptoBackend.best == CryptoBackend.available.last)
        #expect(CryptoBackend.openSSL.version?.hasPrefix("3.") == true)
        for backend in CryptoBackend.allCases {
            print("\(backend) \(backend.version ?? "-"): \(backend.obstacle ?? "available")")
            #expect((backend.obstacle == nil) == CryptoBackend.available.contains(backend))
            guard let obstacle = backend.obstacle else { continue }
            #expect(throws: CryptoError.unavailable(backend, reason: obstacle)) {
                _ = try AEAD(.aes128GCM, backend: backend).algorithm
            }
        }
        #if IPSEC_MB
            #expect(CryptoBackend.ipsecMB.version != nil)
        #endif
        #if arch(x86_64)
            // Where the tests have to be run, they are run with both.
            if ProcessInfo.processInfo.environment["CI"] == "true" {
                #expect(CryptoBackend.available == [.openSSL, .ipsecMB])
            }
        #endif
    }

    /// All lengths of a packet, each with the next length of what is authenticated, and keys that change now and then.
    @Test(arguments: AEADAlgorithm.allCases)
    func `All give the same octets`(_ algorithm: AEADAlgorithm) throws {
        var random = Seeded(UInt64(algorithm.rawValue))
        var one = try AEAD(algorithm, backend: .openSSL)
        var other = try AEAD(algorithm)
        let backends = (one.backend, other.backend)
        #expect(backends == (.openSSL, .best))
        for length in 0...1500 {
            let (plain, aad) = (Self.octets(length, &random), Self.octets(length % 65, &random))
            let nonce = Self.nonce(&random)
            let key = length % 3 == 0 ? Self.octets(algorithm.keyLength, &random) : nil
            let sealed = one.sealed(plain, aad: aad, nonce: nonce, key: key)
            #expect(other.sealed(plain, aad: aad, nonce: nonce, key: key) == sealed, "\(length)")
            #expect(Array(one.opened(sealed, aad: aad, nonce: nonce).octets[..<length]) == plain, "\(length)")
            let opened = other.opened(sealed, aad: aad, nonce: nonce)
            #expect(opened.isAuthentic && Array(opened.octets[..<length]) == plain, "\(length)")
        }
    }

    @Test(arguments: AEADAlgorithm.allCases)
    func `All lengths of what is authenticated do`(_ algorithm: AEADAlgorithm) throws {
        var random = Seeded(100 + UInt64(algorithm.rawValue))
        var one = try AEAD(algorithm, backend: .openSSL)
        var other = try AEAD(algorithm)
        let key = Self.octets(algorithm.keyLength, &random)
        one.setKey(key.raw)
        other.setKey(key.raw)
        for length in [0, 1, 15, 16, 17, 63, 64, 65, 255, 1184] {
            for aadLength in 0...64 {
                let (plain, aad) = (Self.octets(length, &random), Self.octets(aadLength, &random))
                let nonce = Self.nonce(&random)
                let sealed = one.sealed(plain, aad: aad, nonce: nonce)
                #expect(other.sealed(plain, aad: aad, nonce: nonce) == sealed, "\(length), \(aadLength)")
                #expect(other.opened(sealed, aad: aad, nonce: nonce).isAuthentic, "\(length), \(aadLength)")
            }
        }
    }

    @Test(arguments: AEADAlgorithm.allCases, CryptoBackend.available)
    func `A changed octet anywhere is found, and no plaintext is left`(
        _ algorithm: AEADAlgorithm, _ backend: CryptoBackend
    ) throws {
        var random = Seeded(7)
        var cipher = try AEAD(algorithm, backend: backend)
        let (plain, aad) = (Self.octets(200, &random), Self.octets(21, &random))
        let (key, nonce) = (Self.octets(algorithm.keyLength, &random), Self.nonce(&random))
        let sealed = cipher.sealed(plain, aad: aad, nonce: nonce, key: key)
        func refuses(_ sealed: [UInt8], _ aad: [UInt8], _ nonce: Nonce, _ key: [UInt8]) -> Bool {
            let opened = cipher.opened(sealed, aad: aad, nonce: nonce, key: key)
            return !opened.isAuthentic && opened.octets.dropLast(16).allSatisfy { $0 == 0 }
        }
        for position in sealed.indices {
            var changed = sealed
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(refuses(changed, aad, nonce, key), "\(position)")
        }
        for position in aad.indices {
            var changed = aad
            changed[position] ^= 1 << UInt8(position % 8)
            #expect(refuses(sealed, changed, nonce, key), "\(position)")
        }
        for position in key.indices {
            var changed = key
            changed[position] ^= 0x80
            #expect(refuses(sealed, aad, nonce, changed), "\(position)")
        }
        for bit in 0..<62 { #expect(refuses(sealed, aad, Nonce(nonce, packetNumber: 1 << UInt64(bit)), key)) }
        for count in 16..<sealed.count {
            #expect(refuses(Array(sealed[..<count]), aad, nonce, key), "\(count)")
        }
        // What has not even a tag is nobody's plaintext.
        for count in 0..<16 {
            #expect(!cipher.opened(Array(sealed[..<count]), aad: aad, nonce: nonce).isAuthentic)
        }
        // And after all that it opens what is right.
        #expect(cipher.opened(sealed, aad: aad, nonce: nonce, key: key).isAuthentic)
    }

    @Test(arguments: AEADAlgorithm.allCases, CryptoBackend.available)
    func `A packet is sealed behind its header`(_ algorithm: AEADAlgorithm, _ backend: CryptoBackend) throws {
        var random = Seeded(8)
        var cipher = try AEAD(algorithm, backend: backend)
        let (key, nonce) = (Self.octets(algorithm.keyLength, &random), Self.nonce(&random))
        for (header, length) in [(0, 0), (0, 30), (1, 0), (20, 1200), (64, 5)] {
            let whole = Self.octets(header + length, &random)
            var packet = whole + [UInt8](repeating: 0, count: 16)
            write(&packet) { cipher.seal(&$0, headerLength: header, nonce: nonce, key: key.raw) }
            let expected = cipher.sealed(Array(whole[header...]), aad: Array(whole[..<header]), nonce: nonce)
            #expect(packet == Array(whole[..<header]) + expected)
            var isAuthentic = false
            write(&packet) { isAuthentic = cipher.open(&$0, headerLength: header, nonce: nonce) }
            #expect(isAuthentic && Array(packet.dropLast(16)) == whole)
            let tooLong = packet.count - 15
            write(&packet) { isAuthentic = cipher.open(&$0, headerLength: tooLong, nonce: nonce) }
            #expect(!isAuthentic)
        }
    }

    @Test(arguments: AEADAlgorithm.allCases)
    func `Masks are the same`(_ algorithm: AEADAlgorithm) throws {
        var random = Seeded(9)
        var one = try HeaderProtection(algorithm, backend: .openSSL)
        var other = try HeaderProtection(algorithm)
        for round in 0..<1000 {
            let sample = Self.octets(16, &random)
            if round % 4 == 0 {
                let key = Self.octets(algorithm.keyLength, &random)
                one.setKey(key.raw)
                #expect(other.mask(sample, key: key) == one.mask(sample))
            } else {
                #expect(other.mask(sample) == one.mask(sample))
            }
        }
    }

    @Test func `Limits are those of RFC 9001, section 6-6`() {
        #expect(AEADAlgorithm.aes128GCM.confidentialityLimit == 8_388_608)
        #expect(AEADAlgorithm.aes256GCM.confidentialityLimit == 8_388_608)
        #expect(AEADAlgorithm.chaCha20Poly1305.confidentialityLimit == nil)
        #expect(AEADAlgorithm.aes128GCM.integrityLimit == 4_503_599_627_370_496)
        #expect(AEADAlgorithm.aes256GCM.integrityLimit == 4_503_599_627_370_496)
        #expect(AEADAlgorithm.chaCha20Poly1305.integrityLimit == 68_719_476_736)
    }

    @Test func `Nonces are the vector exclusive or the number, as RFC 9001, A-5, has it`() {
        let vector = Nonce(hex: "e0459b3474bdd0e44a41c144")
        #expect(Nonce(vector, packetNumber: 654_360_564) == Nonce(hex: "e0459b3474bdd0e46d417eb0"))
        #expect(
            Nonce(vector, packetNumber: 0x0102_0304_0506_0708)
                == Nonce(hex: "e0459b3475bfd3e04f47c64c"))
        #expect(
            Nonce(noise: 0x0102_0304_0506_0708, of: .chaCha20Poly1305)
                == Nonce(hex: "000000000807060504030201"))
        #expect(
            Nonce(noise: 0x0102_0304_0506_0708, of: .aes256GCM)
                == Nonce(hex: "000000000102030405060708"))
    }
}
