import ApusCrypto
import Octets

extension [UInt8] {
    /// Octets of hexadecimal digits; all else between them is left out.
    init(hex: String) {
        let digits = hex.compactMap(\.hexDigitValue)
        precondition(digits.count % 2 == 0, "an odd number of digits")
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}

extension Secret {
    init(_ octets: [UInt8]) throws(CryptoError) { try self.init(copying: octets.raw) }
}

extension PublicKey {
    init?(octets: [UInt8]) { self.init(octets.raw) }
}

extension Nonce {
    init(hex: String) { self.init([UInt8](hex: hex).raw) }
}

extension HeaderProtection {
    /// The mask of a sample, as octets.
    mutating func mask(_ sample: [UInt8], key: [UInt8]? = nil) -> [UInt8] {
        if let key { return octets(mask(of: sample.raw, key: key.raw)) }
        return octets(mask(of: sample.raw))
    }

    private func octets(_ mask: Mask) -> [UInt8] { mask.indices.map { mask[$0] } }
}

extension AEAD {
    /// What a plaintext is sealed to: ciphertext and tag.
    mutating func sealed(_ plain: [UInt8], aad: [UInt8], nonce: Nonce, key: [UInt8]? = nil) -> [UInt8] {
        var octets = plain + [UInt8](repeating: 0xee, count: AEADAlgorithm.tagLength)
        write(&octets) {
            if let key {
                seal(&$0, aad: aad.raw, nonce: nonce, key: key.raw)
            } else {
                seal(&$0, aad: aad.raw, nonce: nonce)
            }
        }
        return octets
    }

    /// Whether it is authentic, and what is left in its place.
    mutating func opened(
        _ sealed: [UInt8], aad: [UInt8], nonce: Nonce, key: [UInt8]? = nil
    ) -> (isAuthentic: Bool, octets: [UInt8]) {
        var octets = sealed
        var isAuthentic = false
        write(&octets) {
            if let key {
                isAuthentic = open(&$0, aad: aad.raw, nonce: nonce, key: key.raw)
            } else {
                isAuthentic = open(&$0, aad: aad.raw, nonce: nonce)
            }
        }
        return (isAuthentic, octets)
    }
}

/// Octets of a list, one after the other: the ephemeral keys of vectors.
struct Given: RandomSource {
    var octets: [UInt8]

    mutating func fill(_ room: inout MutableRawSpan) {
        for offset in 0..<room.byteCount {
            room.storeBytes(of: octets.removeFirst(), toByteOffset: offset, as: UInt8.self)
        }
    }
}
