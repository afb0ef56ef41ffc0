import ApusRings
import ApusWire

extension EndHost {
    /// A neighbor solicitation or advertisement (RFC 4861 sections 7.2.3 to 7.2.5, RFC 4862 section 5.4).
    mutating func receiveNeighbor(
        _ packet: IPv6View, at offset: Int, _ ethernet: EthernetView, _ now: UInt64,
        _ answer: inout MutableRawSpan, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let view: NeighborView
        do throws(ParseFailure) { view = try NeighborView(checking: packet, at: offset) } catch {
            throw .parse(error)
        }
        if let given = view.linkLayerAddress {
            guard given != mac else { throw .drop(.ownFrame) }
            guard !given.isGroup, given != .zero else { throw .drop(.badSource) }
        }
        return try view.isSolicitation
            ? solicited(view, packet, ethernet, now, &answer, counters)
            : advertised(view, packet, ethernet, now, counters)
    }

    private mutating func solicited(
        _ view: NeighborView, _ packet: IPv6View, _ ethernet: EthernetView, _ now: UInt64,
        _ answer: inout MutableRawSpan, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let (source, target) = (packet.source, view.target)
        if isOwnVLAN(ethernet.tags) { own.noteUse(of: .v6(source == .any ? target : source), at: now) }
        if let position = own.find(.v6(source)) {
            try requireOwnVLAN(ethernet)
            return meetRival(position, ethernet, now, counters)
        }
        guard let position = own.find(.v6(target)) else { throw .drop(.otherDestination) }
        let stage = own.all[position].stage
        let isTentative = stage == .probing || stage == .tentative
        guard source != .any else {
            // Another is about to use the address. While we are too, neither may (RFC 4862 section 5.4.3).
            if isTentative {
                try requireOwnVLAN(ethernet)
                return meetRival(position, ethernet, now, counters)
            }
            counters.conflicts.add()
            guard isAnswered(nil, at: ethernet.source, now) else { throw .drop(.rateLimited) }
            let reply = NeighborMessage(advertising: target, at: mac, isSolicited: false)
            let all = Envelope(
                destination: MACAddress(multicast: .v6(.allNodes)), source: mac, tags: ethernet.tags)
            return try sent(.advertisement, counters) { () throws(EncodeFailure) in
                try all.write(reply, from: target, to: .allNodes, into: &answer)
            }
        }
        let isAnswered = isAnswered(.v6(source), at: view.linkLayerAddress ?? ethernet.source, now)
        if let given = view.linkLayerAddress, isOwnVLAN(ethernet.tags), routes.isOnLink(.v6(source)) {
            _ = neighbors.hear(.v6(source), at: given, now, counters)
        }
        guard isAnswered else { throw .drop(.rateLimited) }
        // Nobody takes the word of an address that is not sure yet (RFC 4429 section 3.3). Where no address is given along,
        // which a unicast solicitation may leave out, the answer goes the way that the question came.
        let reply = NeighborMessage(advertising: target, at: mac, isOverride: !isTentative)
        let to = Envelope(
            destination: view.linkLayerAddress ?? ethernet.source, source: mac, tags: ethernet.tags)
        return try sent(.advertisement, counters) { () throws(EncodeFailure) in
            try to.write(reply, from: target, to: source, into: &answer)
        }
    }

    private mutating func advertised(
        _ view: NeighborView, _ packet: IPv6View, _ ethernet: EthernetView, _ now: UInt64,
        _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let target = IPAddress.v6(view.target)
        if isOwnVLAN(ethernet.tags) { own.noteUse(of: target, at: now) }
        if let position = own.find(target) {
            try requireOwnVLAN(ethernet)
            return meetRival(position, ethernet, now, counters)
        }
        guard isOwnVLAN(ethernet.tags),
            neighbors.advertise(
                target, at: view.linkLayerAddress, isSolicited: view.isSolicited, isOverride: view.isOverride,
                isRouter: view.isRouter, now, counters)
        else { throw .drop(.unsolicited) }
        counters.noted.add()
        return .taken
    }

    /// Somebody else has an address of the host's. One that is not sure yet is given up (RFC 4862 section 5.4.5); others stay,
    /// as the configuration has them on purpose.
    private mutating func meetRival(
        _ position: Int, _ ethernet: EthernetView, _ now: UInt64, _ counters: borrowing EndHostCounters
    ) -> EndHostVerdict {
        counters.conflicts.add()
        counters.noted.add()
        own.all[position].rival = ethernet.source
        let stage = own.all[position].stage
        if stage == .probing || stage == .tentative {
            own.all[position].giveUp(at: now)
            own.updateDeadline()
        }
        return .taken
    }
}
