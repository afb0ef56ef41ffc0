import ApusRings
import ApusWire

extension EndHost {
    /// ARP (RFC 826), with the care of RFC 5227.
    ///
    /// Requests for the host's own addresses are answered, and who asks is learned. A reply is taken for an answer only if
    /// one is awaited. Any other message changes at most the address of a neighbor that is known already, who then is asked
    /// before long.
    mutating func receiveARP(
        _ ethernet: EthernetView, _ now: UInt64, _ answer: inout MutableRawSpan,
        _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let message: ARPView
        do throws(ParseFailure) { message = try ARPView(checking: ethernet.payload) } catch {
            throw .parse(error)
        }
        let (sender, target) = (message.senderAddress, message.targetAddress)
        guard message.senderMAC != mac else { throw .drop(.ownFrame) }
        guard !message.senderMAC.isGroup, message.senderMAC != .zero else { throw .drop(.badSource) }
        if isOwnVLAN(ethernet.tags) { own.noteUse(of: .v4(sender == .any ? target : sender), at: now) }
        let isForOwn = own.contains(.v4(target))
        if let position = own.find(.v4(sender)) {
            try requireOwnVLAN(ethernet)
            return try meetRival(position, message, ethernet, now, &answer, counters)
        }
        // Who asks with no address of its own probes for duplicates (RFC 5227 section 2.1.1): an answer, but nothing learned.
        let isProbe = sender == .any
        // While it is asked here too, neither may have it.
        if isProbe, message.isRequest, let position = own.find(.v4(target)),
            own.all[position].stage == .probing
        {
            try requireOwnVLAN(ethernet)
            return try meetRival(position, message, ethernet, now, &answer, counters)
        }
        guard isProbe || !sender.isMartian && !sender.isMulticast && !own.isBroadcast(sender) else {
            throw .drop(.badSource)
        }
        let mayLearn = !isProbe && isOwnVLAN(ethernet.tags) && routes.isOnLink(.v4(sender))
        if message.isRequest, isForOwn {
            let isAnswered = isAnswered(isProbe ? nil : .v4(sender), at: message.senderMAC, now)
            if mayLearn { _ = neighbors.hear(.v4(sender), at: message.senderMAC, now, counters) }
            guard isAnswered else { throw .drop(.rateLimited) }
            let reply = ARPMessage(answering: message, with: mac)
            let to = Envelope(destination: message.senderMAC, source: mac, tags: ethernet.tags)
            return try sent(.arpReply, counters) { () throws(EncodeFailure) in
                try to.write(reply, into: &answer)
            }
        }
        let isAnswer =
            message.isReply && isForOwn && ethernet.destination == mac
            && neighbors.isBeingAsked(.v4(sender), now)
        guard mayLearn, message.isRequest || message.isReply,
            neighbors.advertise(
                .v4(sender), at: message.senderMAC, isSolicited: isAnswer, isOverride: true, isRouter: nil,
                now,
                counters)
        else { throw .drop(message.isReply ? .unsolicited : .otherARP) }
        counters.noted.add()
        return .taken
    }

    /// Somebody else says that an address of the host's is its own, or is about to. It is told of. One that is being asked for is
    /// given up (RFC 5227 section 2.1.1); others are defended once in ten seconds (section 2.4(c)), as who configured them here
    /// did so on purpose.
    private mutating func meetRival(
        _ position: Int, _ message: ARPView, _ ethernet: EthernetView, _ now: UInt64,
        _ answer: inout MutableRawSpan, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        counters.conflicts.add()
        own.all[position].rival = message.senderMAC
        if own.all[position].stage == .probing {
            own.all[position].giveUp(at: now)
            own.updateDeadline()
            counters.noted.add()
            return .taken
        }
        if let last = own.all[position].defended, now &- last < Self.defendInterval {
            counters.noted.add()
            return .taken
        }
        own.all[position].defended = now
        let claim = ARPMessage(asking: message.senderAddress, from: mac, message.senderAddress)
        let all = Envelope(destination: .broadcast, source: mac, tags: ethernet.tags)
        return try sent(.defense, counters) { () throws(EncodeFailure) in try all.write(claim, into: &answer)
        }
    }

    /// DEFEND_INTERVAL of RFC 5227 section 1.1.
    private static var defendInterval: UInt64 { 10_000_000_000 }

    /// Writes an answer and counts it.
    @inline(__always)
    func sent(
        _ frame: EndHostFrame, _ counters: borrowing EndHostCounters,
        _ write: () throws(EncodeFailure) -> Int
    ) throws(Refused) -> EndHostVerdict {
        do throws(EncodeFailure) {
            let count = try write()
            counters.count(frame)
            return .answer(count)
        } catch {
            throw .drop(.noRoom)
        }
    }
}

extension EndHost {
    /// Whether a question for an own address is answered. Beyond the limit those are, up to a limit of their own, of the neighbors
    /// that packets go to, so that a flood does not make them forget the host; and probes for duplicates (`nil`), so that
    /// nobody takes its address meanwhile.
    mutating func isAnswered(_ asker: IPAddress?, at mac: MACAddress, _ now: UInt64) -> Bool {
        if answerLimit.take(at: now) { return true }
        if let asker {
            guard let position = neighbors.table.find(asker), neighbors.table.entries[position].mac == mac
            else { return false }
            switch neighbors.table.entries[position].list {
            case .reachable, .stale, .delay, .probe: break
            default: return false
            }
        }
        return keptLimit.take(at: now)
    }
}
