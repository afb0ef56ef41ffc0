import ApusRings
import ApusWire

/// An address of the host, and how far it is in being made known.
struct OwnAddress: BitwiseCopyable {
    enum Stage: UInt8 {
        /// To be asked for on the link; an IPv4 address three times.
        case probing
        /// IPv6: asked for; whoever has it may still object.
        case tentative
        /// To be announced.
        case announcing
        /// Known.
        case settled
        /// Somebody else had it first. Not used, but asked for again after a minute.
        case givenUp
    }

    let prefix: AddressPrefix
    var stage: Stage
    /// When the next frame is due, in all stages but `settled`.
    var due: UInt64
    /// IPv4: questions whether anybody has it that are to be sent yet.
    var probes: UInt8 = 0
    /// Announcements that are to be sent yet.
    var announcements: UInt8 = 0
    /// Who else claims it, while that is to be told.
    var rival: MACAddress?
    /// Whether it is to be told that it is used again.
    var isRegained = false
    /// When it was defended last (RFC 5227 section 2.4).
    var defended: UInt64?

    var address: IPAddress { prefix.address }
    var isWaiting: Bool { stage != .settled }

    /// Gives it up. It is asked for again after RATE_LIMIT_INTERVAL (RFC 5227 section 1.1), as whoever has it may be gone then.
    mutating func giveUp(at now: UInt64) {
        begin(at: now &+ 60_000_000_000)
        stage = .givenUp
    }

    /// Asks for it anew.
    mutating func begin(at time: UInt64) {
        (stage, due) = (.probing, time)
        // PROBE_NUM and ANNOUNCE_NUM (RFC 5227 section 1.1).
        (probes, announcements) = address.isIPv6 ? (1, 1) : (3, 2)
    }

    /// It was given up, and nobody has it any more.
    mutating func takeBackIfGivenUp() { if stage == .givenUp { isRegained = true } }
}

/// The addresses of a host. There are as many as the configuration has, so they are gone through one by one.
struct OwnAddresses: ~Copyable {
    var all: FixedArray<OwnAddress>
    /// The earliest time of any of them, so that nobody has to look at all.
    private(set) var deadline: UInt64?

    init(_ prefixes: [AddressPrefix], at now: UInt64, jitter: UInt64) {
        all = FixedArray(count: prefixes.count) { position in
            OwnAddress(prefix: prefixes[position], stage: .settled, due: now)
        }
        begin(at: now, jitter: jitter)
    }

    /// Makes all addresses known anew.
    mutating func begin(at now: UInt64, jitter: UInt64) {
        for position in all.indices {
            // What comes first on a link waits up to a second (RFC 4862 section 5.4.2, RFC 5227 section 2.1.1).
            all[position].begin(at: now &+ jitter)
        }
        updateDeadline()
    }

    mutating func updateDeadline() {
        deadline = nil
        for position in all.indices where all[position].isWaiting {
            deadline = min(deadline ?? .max, all[position].due)
        }
    }

    /// Somebody uses an address, or is about to. If it is one that was given up, it stays so for another while.
    mutating func noteUse(of address: IPAddress, at now: UInt64) {
        for position in all.indices where all[position].stage == .givenUp && all[position].address == address
        {
            all[position].giveUp(at: now)
            updateDeadline()
        }
    }

    /// An address that is in use.
    func find(_ address: IPAddress) -> Int? {
        for position in all.indices where all[position].address == address && all[position].stage != .givenUp
        {
            return position
        }
        return nil
    }

    /// Whether packets to that address are for this host alone.
    func contains(_ address: IPAddress) -> Bool { find(address) != nil }

    /// Whether the host belongs to a group: all nodes, and those in which neighbors solicit it.
    func isMember(of group: IPv6Address) -> Bool {
        if group == .allNodes { return true }
        for position in all.indices where all[position].stage != .givenUp {
            if case .v6(let own) = all[position].address, own.solicitedNode == group { return true }
        }
        return false
    }

    /// Whether an IPv4 address means all hosts of the link (RFC 1122 section 3.2.1.3).
    func isBroadcast(_ address: IPv4Address) -> Bool {
        if address == .broadcast { return true }
        for position in all.indices where all[position].prefix.broadcast == .v4(address) { return true }
        return false
    }

    /// The address to send from to `destination` by `neighbor`: of the same scope, and of the network that the neighbor is
    /// in, or the most alike (RFC 6724 section 5, rules 1, 2 and 8; RFC 1122 section 3.3.4.3). Nil if there is none of the
    /// family.
    func source(for destination: IPAddress, by neighbor: IPAddress) -> IPAddress? {
        var best: IPAddress?
        var bestRank = -1
        for position in all.indices where all[position].stage != .givenUp {
            let address = all[position].address
            guard address.isIPv6 == destination.isIPv6 else { continue }
            if address == destination { return address }
            // No router forwards it (RFC 4291 section 2.5.6).
            if address.isLinkLocal, !destination.isLinkLocal, neighbor != destination { continue }
            var rank = all[position].prefix.contains(neighbor) ? 256 : 0
            rank += address.commonBits(with: neighbor)
            if address.isLinkLocal == destination.isLinkLocal { rank += 1024 }
            if rank > bestRank { (best, bestRank) = (address, rank) }
        }
        return best
    }
}

extension IPAddress {
    /// Whether the address, or the group, is of this link only.
    var isLinkLocal: Bool {
        switch self {
        case .v4: false
        case .v6(let address): address.isLinkLocal || address.isMulticast && address.high >> 48 & 0xf <= 2
        }
    }
}
