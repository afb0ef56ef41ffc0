import ApusRings
import ApusWire

/// Finds a number by address and port: a hash table that is built once and then only read.
///
/// A peer chooses what is looked up, so the work is bounded by what was measured while it was built: no
/// look-up goes further than the entry that is farthest from home. The hash is keyed with secret random
/// numbers, which a peer would have to know to find that place; entries near a full place are moved round
/// it (Robin Hood hashing), so that 10,000 of them are within ``aimedProbes`` places of home on the first try.
struct EndpointIndex: ~Copyable, Sendable {
    struct Entry: BitwiseCopyable {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// The port, and a bit above it that tells IPv6 from IPv4.
        var port: UInt32 = 0
        /// -1 where the place is empty.
        var number: Int32 = -1
    }

    private let entries: FixedArray<Entry>
    private let mask: Int
    private let seed: Seed
    /// The most places that a look-up looks at.
    let maximumProbes: Int

    struct Seed: BitwiseCopyable {
        var low = UInt64.random(in: .min ... .max)
        var high = UInt64.random(in: .min ... .max) | 1
    }

    /// The bound for which other seeds are tried.
    static var aimedProbes: Int { 8 }
    /// How many seeds are tried; with the last one, as many probes are made as it takes.
    static var maximumTries: Int { 8 }

    /// Builds the table. Of several entries with one endpoint the first is found.
    ///
    /// Takes at most ``maximumTries`` passes and four places an entry, whatever the contents.
    init(_ contents: [(endpoint: Endpoint, number: Int)]) {
        var size = 8
        while size < contents.count * 2 { size *= 2 }
        var built = Self.build(contents, size: size)
        var tries = 1
        while built.probes > Self.aimedProbes, tries < Self.maximumTries {
            // Once the smaller size has had its chances.
            if tries == Self.maximumTries / 2 { size *= 2 }
            built = Self.build(contents, size: size)
            tries += 1
        }
        let table = built.table
        entries = FixedArray(count: size) { table[$0] }
        mask = size - 1
        seed = built.seed
        maximumProbes = built.probes
    }

    private static func build(
        _ contents: [(endpoint: Endpoint, number: Int)], size: Int
    ) -> (table: [Entry], seed: Seed, probes: Int) {
        let seed = Seed()
        let mask = size - 1
        var table = [Entry](repeating: Entry(), count: size)
        var farthest = 0
        next: for (endpoint, number) in contents {
            var entry = entry(endpoint, number)
            var place = home(entry.high, entry.low, entry.port, seed) & mask
            var distance = 0
            while table[place].number >= 0 {
                let other = table[place]
                if other.low == entry.low, other.high == entry.high, other.port == entry.port {
                    continue next
                }
                let otherDistance = (place - home(other.high, other.low, other.port, seed)) & mask
                if otherDistance < distance {
                    (table[place], entry) = (entry, other)
                    farthest = max(farthest, distance)
                    distance = otherDistance
                }
                place = (place + 1) & mask
                distance += 1
            }
            table[place] = entry
            farthest = max(farthest, distance)
        }
        return (table, seed, farthest + 1)
    }

    private static func entry(_ endpoint: Endpoint, _ number: Int) -> Entry {
        switch endpoint.address {
        case .v4(let address):
            Entry(high: 0, low: UInt64(address.bits), port: UInt32(endpoint.port), number: Int32(number))
        case .v6(let address):
            Entry(
                high: address.high, low: address.low, port: UInt32(endpoint.port) | 1 << 16,
                number: Int32(number))
        }
    }

    /// Both halves of a product, folded, twice. The address is multiplied with itself and both secrets, and
    /// the port joins only then: no two endpoints meet whatever the secrets are.
    @inline(__always)
    private static func home(_ high: UInt64, _ low: UInt64, _ port: UInt32, _ seed: Seed) -> Int {
        let a = (low ^ seed.low).multipliedFullWidth(by: high ^ seed.high)
        let b = (a.high ^ a.low ^ UInt64(port)).multipliedFullWidth(by: 0xd1b5_4a32_d192_ed03)
        return Int(truncatingIfNeeded: b.high ^ b.low)
    }

    /// The number of that address and port, or -1.
    @inline(__always)
    func number(high: UInt64, low: UInt64, port: UInt16, isIPv6: Bool) -> Int {
        let port = UInt32(port) | (isIPv6 ? 1 << 16 : 0)
        var place = Self.home(high, low, port, seed) & mask
        var left = maximumProbes
        while left > 0 {
            let entry = entries[place]
            if entry.low == low, entry.port == port, entry.high == high { return Int(entry.number) }
            if entry.number < 0 { return -1 }
            place = (place &+ 1) & mask
            left &-= 1
        }
        return -1
    }
}
