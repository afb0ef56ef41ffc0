import ApusConfig
import ApusWire
import ApusXDP
import CFilter
import Glibc

/// A bit for each network of /24 or /48, by a hash: it is set where the lists, or the bans, may have something about any part
/// of it. The program looks there first, and for most packets nowhere else.
///
/// Bits are never cleared, as other networks may have the same: what is no longer listed costs its packets a look more,
/// until the lists are written anew.
struct FilterMarks {
    /// Words of a map that is looked into at least, 8 KiB; and at most, 512 KiB, so that it stays in a core's second cache.
    private static let fewestWords = 1 << 10
    private static let mostWords = 1 << 16
    /// Bits for each network, so that one in sixteen others has a bit that is set.
    private static let bitsPerNetwork = 16
    /// More networks than this set all bits, as it would nearly come to that.
    private static let mostNetworks = mostWords * 64 / 4

    private let map: BPFMap<UInt32, UInt64>
    private let factor: UInt64

    /// - Parameters:
    ///   - map: of the marks.
    ///   - secret: that the program has.
    init(_ map: BPFMap<UInt32, UInt64>, secret: [UInt64]) {
        self.map = map
        factor = secret[7] | 1
    }

    /// How many words are for so many networks: a power of two.
    static func words(for networks: Int) -> Int {
        guard networks > 0 else { return 1 }
        let wanted = min(networks, mostNetworks) * bitsPerNetwork / 64
        return 1 << (Int.bitWidth - (min(max(wanted, fewestWords), mostWords) - 1).leadingZeroBitCount)
    }

    /// How many networks prefixes have a part in, as far as it is worth to tell.
    static func networks(of prefixes: [AddressPrefix]) -> Int {
        prefixes.reduce(0) { min($0 + numbers(of: $1).count, mostNetworks + 1) }
    }

    /// By how much the program shifts a hash to the right to have the number of a bit among those of so many words.
    static func shift(words: Int) -> UInt32 { UInt32(64 - 6 - words.trailingZeroBitCount) }

    /// Sees to it that a map that was found is one of marks.
    static func expect(_ map: BPFMap<UInt32, UInt64>) throws(BPFError) {
        try map.expect(.array, entries: 1...mostWords)
        guard map.info.maxEntries.nonzeroBitCount == 1 else {
            throw BPFError(
                "opening the map \(map.info.name)", code: EINVAL,
                detail: "it has \(map.info.maxEntries) entries, which is no power of two")
        }
    }

    /// Sets the bits of all networks that prefixes have a part in. Nobody else may be writing.
    func set(_ prefixes: [AddressPrefix]) throws(BPFError) {
        let count = map.info.maxEntries
        guard count > 1 else { return }
        let shift = UInt64(Self.shift(words: count))
        var words = [UInt64](repeating: 0, count: count)
        try map.forEachChunk { keys, values in
            for i in keys.indices { words[Int(keys[i]) & (count - 1)] = values[i] }
        }
        let before = words
        if Self.networks(of: prefixes) > Self.mostNetworks {
            words = [UInt64](repeating: .max, count: count)
        } else {
            for prefix in prefixes {
                for number in Self.numbers(of: prefix) {
                    let bit = (Self.word(number, like: prefix.address) &* factor) >> shift
                    words[Int(bit >> 6)] |= 1 << (bit & 63)
                }
            }
        }
        let changed = words.indices.filter { words[$0] != before[$0] }
        guard !changed.isEmpty else { return }
        try map.update(changed.map { UInt32($0) }, values: changed.map { words[$0] })
    }

    /// The numbers of the networks that a prefix has a part in: their first 24 or 48 bits.
    private static func numbers(of prefix: AddressPrefix) -> Range<UInt64> {
        let first: UInt64
        let length: Int
        switch prefix.address {
        case .v4(let address): (first, length) = (UInt64(address.bits) >> 8, Int(APUS_MARKED_LENGTH4))
        case .v6(let address): (first, length) = (address.high >> 16, Int(APUS_MARKED_LENGTH6))
        }
        return first..<(first + (1 << UInt64(max(0, length - prefix.length))))
    }

    /// What the program hashes: the network as it stands in its half of an address.
    private static func word(_ number: UInt64, like address: IPAddress) -> UInt64 {
        switch address {
        case .v4: (0xffff_0000_0000 | (number << 8)).bigEndian
        case .v6: (number << 16).bigEndian
        }
    }
}
