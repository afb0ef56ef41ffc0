import ApusRings
import ApusWire

/// When the groups of the host are reported next (MLDv2, RFC 3810), so that switches that snoop forward neighbor solicitations.
struct ListenerReports: BitwiseCopyable {
    /// When the next report is due; nil if none is.
    private(set) var due: UInt64?
    /// Reports that are to be sent yet because the groups are new.
    private var unsolicited: UInt8 = 0
    /// The address at whose group a report that takes several frames goes on.
    var next = 0
    private var random: UInt64

    init(seed: UInt64) { random = seed | 1 }

    /// The type of its records: that all sources are wanted from now on, or still (RFC 3810 section 5.2.12).
    var recordType: UInt8 { unsolicited > 0 ? 4 : 2 }

    /// Whether no report of new groups was sent as a whole yet.
    var isFirst: Bool { unsolicited == Self.robustness }
    /// How often they are reported unasked (RFC 3810 section 9.1).
    private static var robustness: UInt8 { 2 }

    /// The groups are new.
    mutating func begin(at time: UInt64) {
        (due, unsolicited, next) = (time, Self.robustness, 0)
    }

    /// A router asks for them, and wants an answer within that time (RFC 3810 section 6.2).
    mutating func answer(within limit: UInt64, at now: UInt64) {
        // xorshift64 (Marsaglia), so that not all hosts answer at once.
        random ^= random << 13
        random ^= random >> 7
        random ^= random << 17
        due = min(due ?? .max, now &+ random % max(1, limit))
    }

    /// A report is sent as a whole.
    mutating func finish(at now: UInt64) {
        next = 0
        if unsolicited > 0 { unsolicited -= 1 }
        // RFC 3810 section 9.11.
        due = unsolicited > 0 ? now &+ 1_000_000_000 : nil
    }

    /// There is no group.
    mutating func end() { (due, unsolicited, next) = (nil, 0, 0) }
}

extension EndHost {
    /// The most records of a report; what is more comes in further ones. One of these fits each MTU that IPv6 may have.
    static var mostRecords: Int { 16 }

    /// Writes the next report of groups, or a part of it. Nil if there is no group.
    mutating func reportGroups(
        _ now: UInt64, _ frame: inout MutableRawSpan, _ counters: borrowing EndHostCounters
    ) -> Int? {
        var records: [UInt8] = []
        var position = listener.next
        while position < own.all.count, records.count < Self.mostRecords * 20 {
            if let group = firstGroup(at: position) {
                // Record type, length of auxiliary data, number of sources, group (RFC 3810 section 5.2).
                records += [listener.recordType, 0, 0, 0]
                for half in [group.high, group.low] {
                    records += (0..<8).map { UInt8(truncatingIfNeeded: half >> (56 - 8 * UInt64($0))) }
                }
            }
            position += 1
        }
        if position < own.all.count { listener.next = position } else { listener.finish(at: now) }
        guard !records.isEmpty else {
            listener.end()
            return nil
        }
        counters.count(.listenerReport)
        let group = IPv6Address.listenerReports
        let to = Envelope(destination: MACAddress(multicast: .v6(group)), source: mac, tags: tags)
        let report = ICMPMessage(type: 143, code: 0, word: UInt32(records.count / 20))
        return try? to.write(
            report, body: unsafe records.span.bytes, behindRouterAlertFrom: linkLocalSource, to: group,
            into: &frame)
    }

    /// The group in which neighbors solicit an address; nil if it is none of IPv6 or one before it has the same.
    private func firstGroup(at position: Int) -> IPv6Address? {
        guard let group = group(at: position) else { return nil }
        for earlier in 0..<position where self.group(at: earlier) == group { return nil }
        return group
    }

    private func group(at position: Int) -> IPv6Address? {
        guard own.all[position].stage != .givenUp, case .v6(let address) = own.all[position].address else {
            return nil
        }
        return address.solicitedNode
    }

    /// The link-local address, or none while it is not sure (RFC 3810 section 5.2.13).
    var linkLocalSource: IPv6Address {
        for position in own.all.indices {
            let stage = own.all[position].stage
            if stage == .announcing || stage == .settled, case .v6(let address) = own.all[position].address,
                address.isLinkLocal
            {
                return address
            }
        }
        return .any
    }

    /// A router asks for the groups that are listened to (RFC 3810 section 6.2). Those of version 1 too get an answer of version 2.
    mutating func receiveListenerQuery(
        _ packet: IPv6View, _ message: ICMPv6View, _ now: UInt64, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        guard packet.hopLimit == 1, packet.source.isLinkLocal, packet.nextHeader == .hopByHop,
            message.body.byteCount >= 16
        else { throw .drop(.badQuery) }
        // Milliseconds; from 32768 on a number of floating point, which is longer than anybody waits here.
        let code = UInt64(message.identifier)
        listener.answer(within: min(code, 10_000) &* 1_000_000, at: now)
        counters.noted.add()
        return .taken
    }
}

extension IPv6Address {
    /// Where reports of version 2 go (RFC 3810 section 5.2.14).
    static let listenerReports = IPv6Address(high: 0xff02 << 48, low: 0x16)
}
