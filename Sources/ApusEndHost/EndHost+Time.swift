import ApusRings
public import ApusWire

/// Something that whoever sends by the host should know.
@frozen
public enum EndHostEvent: Hashable, Sendable {
    /// What became of a neighbor that ``EndHost/resolve(_:at:counters:)`` was asked for: resolved, at another address than
    /// before, being asked for again, or failed.
    case neighbor(IPAddress, NeighborResolution)
    /// An address of the host is used by somebody else too. `isGivenUp` says that it is not used here any more, as an
    /// address that was found in use while it was asked for; others stay, and somebody should see to it.
    case duplicate(IPAddress, MACAddress, isGivenUp: Bool)
    /// An address that was given up is used again: nobody else has it any more.
    case regained(IPAddress)
}

extension EndHost {
    /// Writes the next frame that is due, so many octets; nil when there is none. Called until then when ``deadline`` has come.
    ///
    /// - Parameter frame: where it is written: at least ``longestOwnFrame`` octets, else the program stops.
    @inline(never)
    public mutating func advance(
        to now: UInt64, frame: inout MutableRawSpan, counters: borrowing EndHostCounters
    ) -> Int? {
        precondition(frame.byteCount >= Self.longestOwnFrame)
        let now = advanceClock(to: now)
        let isReportDue = listener.due ?? .max <= now
        // So that answers to what follows get through a switch that snoops (RFC 4862 section 5.4.2).
        if isReportDue, listener.isFirst, let count = reportGroups(now, &frame, counters) { return count }
        if let deadline = own.deadline, deadline <= now {
            for position in own.all.indices where own.all[position].isWaiting && own.all[position].due <= now
            {
                if let count = makeKnown(position, now, &frame, counters) { return count }
            }
        }
        if isReportDue, let count = reportGroups(now, &frame, counters) { return count }
        while let question = neighbors.nextQuestion(at: now, counters) {
            // It was room enough.
            if let count = try? ask(question, &frame) {
                counters.count(.solicitation)
                return count
            }
        }
        return nil
    }

    /// When ``advance(to:frame:counters:)`` has something to do next; nil if never.
    public var deadline: UInt64? {
        let first = min(min(own.deadline ?? .max, listener.due ?? .max), neighbors.deadline ?? .max)
        return first == .max ? nil : first
    }

    /// The next thing to be told; nil when there is none. Of each neighbor and each address only the latest is kept, so that
    /// nothing piles up. A neighbor of which something is to be told keeps its place in memory.
    public mutating func nextEvent() -> EndHostEvent? {
        for position in own.all.indices {
            if own.all[position].isRegained {
                own.all[position].isRegained = false
                return .regained(own.all[position].address)
            }
            guard let rival = own.all[position].rival else { continue }
            own.all[position].rival = nil
            return .duplicate(
                own.all[position].address, rival, isGivenUp: own.all[position].stage == .givenUp)
        }
        return neighbors.nextChange().map { .neighbor($0, $1) }
    }

    /// Goes on with making an address known. Nil if that needs no frame now.
    private mutating func makeKnown(
        _ position: Int, _ now: UInt64, _ frame: inout MutableRawSpan, _ counters: borrowing EndHostCounters
    ) -> Int? {
        defer { own.updateDeadline() }
        switch own.all[position].address {
        case .v4(let address):
            if own.all[position].stage == .probing || own.all[position].stage == .givenUp {
                if own.all[position].probes > 0 { return probe(address, position, now, &frame, counters) }
                own.all[position].takeBackIfGivenUp()
                own.all[position].stage = .announcing
            }
            // Twice, two seconds apart (RFC 5227 section 2.3).
            own.all[position].announcements -= 1
            if own.all[position].announcements == 0 { own.all[position].stage = .settled }
            own.all[position].due = now &+ 2_000_000_000
            counters.count(.announcement)
            let all = Envelope(destination: .broadcast, source: mac, tags: tags)
            return try? all.write(ARPMessage(asking: address, from: mac, address), into: &frame)
        case .v6(let address):
            if own.all[position].probes > 0 {
                own.all[position].probes = 0
                if own.all[position].stage == .probing { own.all[position].stage = .tentative }
                own.all[position].due = now &+ NeighborTime.retransmission
                counters.count(.duplicateProbe)
                let group = address.solicitedNode
                let to = Envelope(destination: MACAddress(multicast: .v6(group)), source: mac, tags: tags)
                return try? to.write(NeighborMessage(probing: address), from: .any, to: group, into: &frame)
            }
            // What was reported from no address switches that snoop have discarded (RFC 3590 section 4).
            let isFirstSource = address.isLinkLocal && linkLocalSource == .any
            if isFirstSource || own.all[position].stage == .givenUp { listener.begin(at: now) }
            own.all[position].takeBackIfGivenUp()
            own.all[position].stage = .settled
            counters.count(.announcement)
            // RFC 4861 section 7.2.6.
            let message = NeighborMessage(advertising: address, at: mac, isSolicited: false)
            let to = Envelope(destination: MACAddress(multicast: .v6(.allNodes)), source: mac, tags: tags)
            return try? to.write(message, from: address, to: .allNodes, into: &frame)
        }
    }

    /// Asks whether anybody has an IPv4 address: three times, one to two seconds apart, and a while before it is announced
    /// (RFC 5227 section 2.1.1).
    private mutating func probe(
        _ address: IPv4Address, _ position: Int, _ now: UInt64, _ frame: inout MutableRawSpan,
        _ counters: borrowing EndHostCounters
    ) -> Int? {
        own.all[position].probes -= 1
        // PROBE_MIN to PROBE_MAX, and ANNOUNCE_WAIT after the last one.
        let isLast = own.all[position].probes == 0
        own.all[position].due = now &+ (isLast ? 2_000_000_000 : 1_000_000_000 &+ jitter)
        counters.count(.duplicateProbe)
        let all = Envelope(destination: .broadcast, source: mac, tags: tags)
        return try? all.write(ARPMessage(asking: address, from: mac, .any), into: &frame)
    }

    private func ask(
        _ question: NeighborCache.Question, _ frame: inout MutableRawSpan
    ) throws(EncodeFailure) -> Int? {
        switch (question.address, own.source(for: question.address, by: question.address)) {
        case (.v4(let address), .v4(let source)?):
            let to = Envelope(destination: question.mac ?? .broadcast, source: mac, tags: tags)
            return try to.write(ARPMessage(asking: address, from: mac, source), into: &frame)
        case (.v6(let address), .v6(let source)?):
            let destination = question.mac == nil ? address.solicitedNode : address
            let to = Envelope(
                destination: question.mac ?? MACAddress(multicast: .v6(destination)), source: mac, tags: tags)
            return try to.write(
                NeighborMessage(soliciting: address, from: mac), from: source, to: destination, into: &frame)
        // The only address of the family was given up.
        default: return nil
        }
    }
}
