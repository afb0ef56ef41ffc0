import ApusCrypto
import Octets
import Testing

@Suite("Hashes, HMAC and HKDF")
struct DerivationTests {
    static func hash(
        _ function: HashFunction, _ a: [UInt8], _ b: [UInt8] = [], _ c: [UInt8] = []
    ) throws -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        try write(&digest) { try function.hash(a.raw, b.raw, c.raw, into: &$0) }
        return digest
    }

    static func code(_ function: HashFunction, key: [UInt8], _ text: [UInt8]) throws -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        try write(&code) { try function.authenticate(text.raw, key: key.raw, into: &$0) }
        return code
    }

    @Test func `Digests are those of FIPS 180-4 and RFC 7693`() throws {
        let abc = Array("abc".utf8)
        #expect(
            try Self.hash(.sha256, abc)
                == [UInt8](hex: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        // RFC 7693, appendix B.
        #expect(
            try Self.hash(.blake2s, abc)
                == [UInt8](hex: "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"))
        #expect(
            try Self.hash(.blake2s, [])
                == [UInt8](hex: "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"))
    }

    @Test(arguments: HashFunction.allCases)
    func `Pieces are hashed as if they were one`(_ function: HashFunction) throws {
        let text = (0..<200).map { UInt8($0) }
        let whole = try Self.hash(function, text)
        for first in stride(from: 0, through: 200, by: 7) {
            for second in stride(from: first, through: 200, by: 11) {
                let pieces = (Array(text[..<first]), Array(text[first..<second]), Array(text[second...]))
                #expect(try Self.hash(function, pieces.0, pieces.1, pieces.2) == whole)
            }
        }
    }

    /// RFC 4231: keys shorter, as long, and longer than a block.
    @Test func `HMAC is that of RFC 4231`() throws {
        #expect(
            try Self.code(.sha256, key: Array("Jefe".utf8), Array("what do ya want for nothing?".utf8))
                == [UInt8](hex: "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"))
        #expect(
            try Self.code(
                .sha256, key: [UInt8](repeating: 0xaa, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8))
                == [UInt8](hex: "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"))
    }

    /// RFC 2104 by hand, for what has no published vectors.
    @Test(arguments: HashFunction.allCases)
    func `HMAC is two hashes, whatever the key's length`(_ function: HashFunction) throws {
        let text = Array("a text".utf8)
        for length in 0...130 {
            let key = (0..<length).map { UInt8($0) }
            var block = length > 64 ? try Self.hash(function, key) : key
            block += [UInt8](repeating: 0, count: 64 - block.count)
            let inner = try Self.hash(function, block.map { $0 ^ 0x36 }, text)
            let outer = try Self.hash(function, block.map { $0 ^ 0x5c }, inner)
            #expect(try Self.code(function, key: key, text) == outer, "\(length)")
        }
    }

    /// RFC 5869, appendices A.1 to A.3.
    static let cases: [(material: [UInt8], salt: [UInt8], info: [UInt8], key: String, octets: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 22), Array(0...0x0c), Array(0xf0...0xf9),
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            Array(0...0x4f), Array(0x60...0xaf), Array(0xb0...0xff),
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            """
            b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
            da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87
            """
        ),
        (
            [UInt8](repeating: 0x0b, count: 22), [], [],
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ]

    @Test func `HKDF is that of RFC 5869`() throws {
        for (material, salt, info, key, octets) in Self.cases {
            let extracted = try HKDF().extract(salt: salt.raw, keyingMaterial: material.raw)
            let whole = array(extracted.bytes)
            #expect(whole == [UInt8](hex: key))
            let expected = [UInt8](hex: octets)
            // And any that is shorter.
            for count in 0...expected.count {
                var expanded = [UInt8](repeating: 0xee, count: count)
                try write(&expanded) { try HKDF().expand(extracted.bytes, info: info.raw, into: &$0) }
                #expect(expanded == Array(expected.prefix(count)))
            }
        }
    }

    @Test func `The longest that HKDF gives has 255 blocks`() throws {
        let key = [UInt8](repeating: 7, count: 32)
        var long = [UInt8](repeating: 0, count: 8160)
        try write(&long) { try HKDF(.blake2s).expand(key.raw, info: [UInt8]().raw, into: &$0) }
        let last = Array(long[(8160 - 64)..<(8160 - 32)])
        #expect(Array(long.suffix(32)) == (try Self.code(.blake2s, key: key, last + [255])))
    }
}
