import ApusRings
import ApusWire

extension EndHost {
    /// ICMP (RFC 792, RFC 1122 section 3.2.2).
    mutating func receiveICMPv4(
        _ ethernet: EthernetView, _ now: UInt64, _ answer: inout MutableRawSpan,
        _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let packet: IPv4View
        do throws(ParseFailure) {
            packet = try IPv4View(checking: ethernet.payload)
            guard packet.isHeaderChecksumValid else { throw ParseFailure.badIPHeaderChecksum }
            if packet.hasOptions { try packet.options.check() }
        } catch { throw .parse(error) }
        let (source, destination) = (packet.source, packet.destination)
        guard isHost(.v4(source)) else { throw .drop(.badSource) }
        let isGroup = destination.isMulticast || own.isBroadcast(destination)
        guard isGroup || own.contains(.v4(destination)) else { throw .drop(.otherDestination) }
        guard isGroup || !ethernet.destination.isGroup else { throw .drop(.groupFrame) }
        guard !packet.isFragment else { throw .drop(.fragment) }
        let message: ICMPv4View
        do throws(ParseFailure) {
            message = try ICMPv4View(checking: packet.payload)
            guard message.isChecksumValid else { throw ParseFailure.badICMPChecksum }
        } catch { throw .parse(error) }
        if message.isEchoRequest {
            guard !isGroup else { throw .drop(.groupEcho) }
            guard message.body.byteCount + 28 <= mtu else { throw .drop(.tooLong) }
            guard echoLimit.take(at: now) else { throw .drop(.rateLimited) }
            let to = envelope(answering: ethernet)
            return try sent(.echoReply, counters) { () throws(EncodeFailure) in
                // The type of service is the request's (RFC 1122 section 3.2.2.6), but for congestion (RFC 3168).
                try to.write(
                    ICMPMessage(answering: message), body: message.body, from: destination, to: source,
                    trafficClass: packet.trafficClass & 0xfc, into: &answer)
            }
        }
        switch message.type {
        case 0: throw .drop(.echoReply)
        case 3, 11:
            try requireOwnVLAN(ethernet)
            return .path(try report(message, from: source, counters))
        case 5: throw .drop(.redirect)
        case 9, 10: throw .drop(.routerMessage)
        default: throw .drop(.otherType)
        }
    }

    /// ICMPv6 (RFC 4443), neighbor discovery included.
    mutating func receiveICMPv6(
        _ ethernet: EthernetView, _ now: UInt64, _ answer: inout MutableRawSpan,
        _ counters: borrowing EndHostCounters
    ) throws(Refused) -> EndHostVerdict {
        let packet: IPv6View
        let offset: Int
        let message: ICMPv6View
        do throws(ParseFailure) {
            packet = try IPv6View(checking: ethernet.payload)
            offset = try packet.upperLayer().offset
            message = try ICMPv6View(checking: packet.bytes.extracting(offset..<packet.bytes.byteCount))
        } catch {
            counters.count(.icmpv6)
            throw .parse(error)
        }
        let (source, destination) = (packet.source, packet.destination)
        let isNeighbor = message.type == 135 || message.type == 136
        counters.count(isNeighbor ? .neighborDiscovery : .icmpv6)
        // Whoever uses one of the host's addresses says so as that address; and who has none yet, as none.
        let mayBeOwn = isNeighbor && (source == .any || own.contains(.v6(source)))
        guard mayBeOwn || isHost(.v6(source)) else { throw .drop(.badSource) }
        let isGroup = destination.isMulticast
        guard isGroup ? own.isMember(of: destination) : own.contains(.v6(destination)) else {
            throw .drop(.otherDestination)
        }
        guard isGroup || !ethernet.destination.isGroup else { throw .drop(.groupFrame) }
        if isNeighbor { return try receiveNeighbor(packet, at: offset, ethernet, now, &answer, counters) }
        guard message.isChecksumValid(source: source, destination: destination) else {
            throw .parse(.badICMPChecksum)
        }
        if message.isEchoRequest {
            // A group is answered from an address of one's own (RFC 4443 section 4.2).
            guard let from = isGroup ? sourceIPv6(for: source) : destination else {
                throw .drop(.otherDestination)
            }
            guard message.body.byteCount + 48 <= mtu else { throw .drop(.tooLong) }
            guard echoLimit.take(at: now) else { throw .drop(.rateLimited) }
            let to = envelope(answering: ethernet)
            return try sent(.echoReply, counters) { () throws(EncodeFailure) in
                try to.write(
                    ICMPMessage(answering: message), body: message.body, from: from, to: source,
                    trafficClass: packet.trafficClass & 0xfc, into: &answer)
            }
        }
        switch message.type {
        case 1, 2, 3:
            try requireOwnVLAN(ethernet)
            return .path(try report(message, from: source, counters))
        case 129: throw .drop(.echoReply)
        case 130: return try receiveListenerQuery(packet, message, now, counters)
        case 133, 134: throw .drop(.routerMessage)
        case 137: throw .drop(.redirect)
        default: throw .drop(.otherType)
        }
    }

    /// Whether an address can be another host's.
    func isHost(_ address: IPAddress) -> Bool {
        guard !address.isMulticast, !address.isMartian, !own.contains(address) else { return false }
        if case .v4(let address) = address { return !own.isBroadcast(address) }
        return true
    }

    func sourceIPv6(for destination: IPv6Address) -> IPv6Address? {
        let neighbor = routes.neighbor(for: .v6(destination)) ?? .v6(destination)
        guard case .v6(let source) = own.source(for: .v6(destination), by: neighbor) else { return nil }
        return source
    }
}
