import ApusWire
import ApusXDP
import CFilter

/// The bans of a rules program.
struct FilterBans {
    private let map: BPFMap<apus_address, apus_ban>

    init(_ map: BPFMap<apus_address, apus_ban>) { self.map = map }

    /// How large a map is that takes in `count` bans and makes none of them give way: the kernel hands the free places
    /// of such a map out to the CPUs, up to 128 to each, and looks for old entries when no more are left to hand out.
    static func capacity(for count: Int) throws(BPFError) -> Int {
        count + 128 * (try PossibleCPUs.count() + 1)
    }

    /// Those that are not over.
    func inForce(at now: UInt64) throws(BPFError) -> (addresses: [apus_address], bans: [apus_ban]) {
        var (addresses, bans): ([apus_address], [apus_ban]) = ([], [])
        try map.forEachChunk { keys, values in
            for i in keys.indices where values[i].until > now {
                addresses.append(keys[i])
                bans.append(values[i])
            }
        }
        return (addresses, bans)
    }

    /// Takes over those of another map that are not over.
    func copy(_ other: FilterBans, now: UInt64) throws(BPFError) {
        let (addresses, bans) = try other.inForce(at: now)
        if !addresses.isEmpty { try map.update(addresses, values: bans) }
    }

    /// Sets the marks of those that are not over. A program that bans meanwhile may set a bit between a look at its word and
    /// the writing of it; so it is looked at once more, until nothing was to be written.
    func mark(in marks: FilterMarks, now: UInt64) throws(BPFError) {
        for _ in 0..<8 {
            let banned = try inForce(at: now).addresses.map {
                AddressPrefix($0.address, length: $0.address.bitCount)
            }
            if try !marks.set(banned) { return }
        }
    }

    /// Keeps those of some limits, which may have other numbers from now on; of these the old numbers are the keys.
    func keep(of numbers: [UInt32: UInt32], now: UInt64) throws(BPFError) {
        let (addresses, bans) = try inForce(at: now)
        for (address, ban) in zip(addresses, bans) {
            guard let number = numbers[ban.number] else {
                try map.remove(address)
                continue
            }
            if number != ban.number {
                try map.update(address, apus_ban(until: ban.until, number: number, reserved: 0))
            }
        }
    }
}
