import ApusWire
import ApusXDP
import CFilter
import Glibc

/// A bit for each address that the list of addresses has, or the bans; and one for each network of /24 (/32 of IPv6) that the
/// list of prefixes has something about a part of. The program looks there first, and for most packets nowhere else.
///
/// Bits are by a hash, and none is cleared, as others may have the same: what is no longer listed costs its packets a look
/// more until there is another map. Prefixes that have a part in many networks have bits for /8 and /16 in their place.
struct FilterMarks {
    /// Words of a map that is looked into at least, 8 KiB; and at most, 512 KiB.
    private static let (fewestWords, mostWords) = (1 << 10, 1 << 16)
    /// Bits for each mark, so that one in sixteen others has a bit that is set.
    private static let bitsPerMark = 16
    /// More marks than this set all bits, as it would come near to that.
    private static let most = mostWords * 64 / 2

    private let map: BPFMap<UInt32, UInt64>
    private let secret: (UInt64, UInt64)

    /// - Parameters:
    ///   - map: of the marks.
    ///   - secret: that the program has, eight words.
    init(_ map: BPFMap<UInt32, UInt64>, secret: [UInt64]) {
        self.map = map
        self.secret = (secret[6] | 1, secret[7] | 1)
    }

    /// How many words are for so many marks: a power of two.
    static func words(for marks: Int) -> Int {
        guard marks > 0 else { return 1 }
        let wanted = min(marks, most) * bitsPerMark / 64
        return 1 << (Int.bitWidth - (min(max(wanted, fewestWords), mostWords) - 1).leadingZeroBitCount)
    }

    /// How many marks prefixes have, as far as it is worth to tell.
    static func count(of prefixes: [AddressPrefix]) -> Int {
        prefixes.reduce(0) { min($0 + ($1.isAddress ? 1 : networks(of: $1).count), most + 1) }
    }

    /// Whether a prefix has marks for short ones, which the program only looks at where there are such.
    static func isShort(_ prefix: AddressPrefix) -> Bool {
        switch prefix.address {
        case .v4: prefix.length <= Int(APUS_SHORT_LENGTH4)
        case .v6: prefix.length <= Int(APUS_SHORT_LENGTH6)
        }
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

    /// Sets the bits of one more; false, and none is set, where there is no room so that still few others have a bit that
    /// is set.
    func add(_ prefix: AddressPrefix) throws(BPFError) -> Bool {
        let count = map.info.maxEntries
        let before = try words()
        if count < Self.mostWords {
            let isSet = before.reduce(0) { $0 + $1.nonzeroBitCount }
            guard isSet + Self.count(of: [prefix]) <= count * 64 * 2 / Self.bitsPerMark else { return false }
        }
        try set([prefix], beside: before)
        return true
    }

    /// Sets the bits of prefixes, and says whether any of them was not.
    @discardableResult
    func set(_ prefixes: [AddressPrefix]) throws(BPFError) -> Bool { try set(prefixes, beside: words()) }

    @discardableResult
    private func set(_ prefixes: [AddressPrefix], beside before: [UInt64]) throws(BPFError) -> Bool {
        let count = map.info.maxEntries
        guard count > 1 else { return false }
        var words = before
        if Self.count(of: prefixes) > Self.most {
            words = [UInt64](repeating: .max, count: count)
        } else {
            let shift = UInt64(Self.shift(words: count))
            for prefix in prefixes {
                forEachHash(of: prefix) { hash in
                    let bit = hash >> shift
                    words[Int(bit >> 6)] |= 1 << (bit & 63)
                }
            }
        }
        let changed = words.indices.filter { words[$0] != before[$0] }
        guard !changed.isEmpty else { return false }
        try map.update(changed.map { UInt32($0) }, values: changed.map { words[$0] })
        return true
    }

    private func words() throws(BPFError) -> [UInt64] {
        let count = map.info.maxEntries
        var words = [UInt64](repeating: 0, count: count)
        try map.forEachChunk { keys, values in
            for i in keys.indices { words[Int(keys[i]) & (count - 1)] = values[i] }
        }
        return words
    }

    /// What the program hashes where a packet is of a prefix: see BPF/Filter/lists.h.
    private func forEachHash(of prefix: AddressPrefix, _ body: (UInt64) -> Void) {
        if prefix.isAddress {
            let address = apus_address(prefix.address)
            body(address.high &* secret.0 &+ address.low &* secret.1)
            return
        }
        let isShort = Self.isShort(prefix)
        for number in Self.networks(of: prefix) {
            // The network as it stands in its half of an address.
            let network =
                switch prefix.address {
                case .v4:
                    (0xffff_0000_0000 | (number << (32 - UInt64(Self.length(of: prefix))))).bigEndian
                case .v6: (number << (64 - UInt64(Self.length(of: prefix)))).bigEndian
                }
            body((isShort ? ~network : network) &* secret.0)
        }
    }

    /// The numbers, which are their first bits, of the networks that a prefix has a part in.
    private static func networks(of prefix: AddressPrefix) -> Range<UInt64> {
        let length = length(of: prefix)
        let first =
            switch prefix.address {
            case .v4(let address): UInt64(address.bits) >> (32 - UInt64(length))
            case .v6(let address): address.high >> (64 - UInt64(length))
            }
        return first..<(first + (1 << UInt64(max(0, length - prefix.length))))
    }

    /// The length of the networks that are marked for a prefix.
    private static func length(of prefix: AddressPrefix) -> Int {
        switch prefix.address {
        case .v4: Int(isShort(prefix) ? APUS_SHORT_LENGTH4 : APUS_MARKED_LENGTH4)
        case .v6: Int(isShort(prefix) ? APUS_SHORT_LENGTH6 : APUS_MARKED_LENGTH6)
        }
    }
}
