import ApusRings
import ApusWire

/// Finds a number by address and port: a hash table that is built once and then only read.
///
/// A peer chooses what is looked up, so the work is bounded by what was measured while it was built: no
/// look-up goes further than the entry that is farthest from home. The hash is keyed with secret random
/// numbers, which a peer would have to know to find that place; entries near a full place are moved round
/// it (Robin Hood hashing), so that 10,000 of them are within ``aimedProbes`` places of home on the first try.
///
/// A look-up may be parted in two, ``place(of:)`` and ``value(of:from:)``, with the time between them for the first
/// entry to come from memory.
@usableFromInline
struct EndpointIndex: ~Copyable, Sendable {
    /// An address and a port as they are compared.
    @usableFromInline
    struct Key: BitwiseCopyable, Equatable, Sendable {
        @usableFromInline var high: UInt64 = 0
        @usableFromInline var low: UInt64 = 0
        /// The port, and a bit above it that tells IPv6 from IPv4.
        @usableFromInline var port: UInt32 = 0

        @inlinable @inline(__always)
        init(high: UInt64 = 0, low: UInt64 = 0, port: UInt16 = 0, isIPv6: Bool = false) {
            (self.high, self.low) = (high, low)
            self.port = UInt32(port) | (isIPv6 ? 1 << 16 : 0)
        }

        @inlinable @inline(__always) var isIPv6: Bool { port >> 16 != 0 }
    }

    /// What is found.
    @usableFromInline
    struct Value: BitwiseCopyable, Sendable {
        /// -1 for nothing.
        @usableFromInline var number: Int32 = -1
        // What its packets need first, so that it comes with the entry.
        @usableFromInline var stream = ForwardingTable.Stream()

        @inlinable @inline(__always) init() {}

        init(number: Int, stream: ForwardingTable.Stream = ForwardingTable.Stream()) {
            (self.number, self.stream) = (Int32(number), stream)
        }
    }

    /// Half a cache line.
    @usableFromInline
    struct Entry: BitwiseCopyable, Sendable {
        @usableFromInline var key = Key()
        @usableFromInline var value = Value()
    }

    @usableFromInline let entries: FixedArray<Entry>
    @usableFromInline let mask: Int
    @usableFromInline let seed: Seed
    /// The most places that a look-up looks at.
    @usableFromInline let maximumProbes: Int

    @usableFromInline
    struct Seed: BitwiseCopyable, Sendable {
        @usableFromInline var low = UInt64.random(in: .min ... .max)
        @usableFromInline var high = UInt64.random(in: .min ... .max) | 1

        init() {}
    }

    /// The bound for which other seeds are tried.
    static var aimedProbes: Int { 8 }
    /// How many seeds are tried; with the last one, as many probes are made as it takes.
    static var maximumTries: Int { 8 }

    /// Builds the table. Of several entries with one endpoint the first is found.
    ///
    /// Takes at most ``maximumTries`` passes and four places an entry, whatever the contents.
    init(values contents: [(endpoint: Endpoint, value: Value)]) {
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

    /// Of numbers alone.
    init(_ contents: [(endpoint: Endpoint, number: Int)]) {
        self.init(values: contents.map { ($0.endpoint, Value(number: $0.number)) })
    }

    private static func build(
        _ contents: [(endpoint: Endpoint, value: Value)], size: Int
    ) -> (table: [Entry], seed: Seed, probes: Int) {
        let seed = Seed()
        let mask = size - 1
        var table = [Entry](repeating: Entry(), count: size)
        var farthest = 0
        next: for (endpoint, value) in contents {
            var entry = Entry(key: key(endpoint), value: value)
            var place = home(entry.key, seed) & mask & ~1
            var distance = 0
            while table[place].value.number >= 0 {
                let other = table[place]
                if other.key == entry.key { continue next }
                let otherDistance = (place - home(other.key, seed) & mask & ~1) & mask
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

    private static func key(_ endpoint: Endpoint) -> Key {
        switch endpoint.address {
        case .v4(let address): Key(low: UInt64(address.bits), port: endpoint.port)
        case .v6(let address):
            Key(high: address.high, low: address.low, port: endpoint.port, isIPv6: true)
        }
    }

    /// Both halves of a product, folded, twice. The address is multiplied with itself and both secrets, and
    /// the port joins only then: no two endpoints meet whatever the secrets are.
    @inlinable @inline(__always)
    static func home(_ key: Key, _ seed: Seed) -> Int {
        let a = (key.low ^ seed.low).multipliedFullWidth(by: key.high ^ seed.high)
        let b = (a.high ^ a.low ^ UInt64(key.port)).multipliedFullWidth(by: 0xd1b5_4a32_d192_ed03)
        return Int(truncatingIfNeeded: b.high ^ b.low)
    }

    /// Where the look-up of that address and port begins: at the first of the two places of a cache line, so that it
    /// hardly ever goes on to a second one.
    @inlinable @inline(__always)
    func place(of key: Key) -> Int { Self.home(key, seed) & mask & ~1 }

    /// What belongs to that address and port, of which `start` is the ``place(of:)``.
    @inlinable @inline(__always)
    func value(of key: Key, from start: Int) -> Value {
        var place = start
        var left = maximumProbes
        while left > 0 {
            let entry = entries[place]
            if entry.key.low == key.low, entry.key.port == key.port, entry.key.high == key.high {
                return entry.value
            }
            if entry.value.number < 0 { break }
            place = (place &+ 1) & mask
            left &-= 1
        }
        return Value()
    }

    /// The number of that address and port, or -1.
    @inlinable @inline(__always)
    func number(high: UInt64, low: UInt64, port: UInt16, isIPv6: Bool) -> Int {
        let key = Key(high: high, low: low, port: port, isIPv6: isIPv6)
        return Int(value(of: key, from: place(of: key)).number)
    }
}
