import ApusRings
public import ApusWire

/// What a router, or the destination, tells of the way of a packet that may have been sent from here.
///
/// Whoever sends from this host has to compare it with what was sent: anybody who knows addresses and ports can make one up
/// (RFC 5927).
@frozen
public struct PathReport: Hashable, Sendable {
    /// What happened.
    @frozen
    public enum Cause: Hashable, Sendable {
        /// The packet was longer than the next link takes; packets of so many octets, IP header included, get on (RFC 1191, RFC
        /// 8201). At least 552 for IPv4 and 1280 for IPv6.
        case tooBig(mtu: Int)
        /// There is no way to the destination: the code of ICMP type 3, or of ICMPv6 type 1.
        case unreachable(code: UInt8)
        /// The packet was on the way for too long, or its fragments were: the code of ICMP type 11, or of ICMPv6 type 3.
        case timeExceeded(code: UInt8)
    }

    /// What happened.
    public let cause: Cause
    /// The headers of the packet. Its source is an address of the host.
    public let packet: QuotedPacket
    /// Who tells.
    public let router: IPAddress
}

extension EndHost {
    /// What an ICMP error tells.
    func report(
        _ message: ICMPv4View, from router: IPv4Address, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> PathReport {
        let packet: QuotedPacket
        do throws(ParseFailure) { packet = try QuotedPacket(checkingIPv4: message.body) } catch {
            throw .parse(error)
        }
        try checkQuoted(packet)
        var cause = PathReport.Cause.unreachable(code: message.code)
        if message.type == 11 { cause = .timeExceeded(code: message.code) }
        if let mtu = message.nextHopMTU {
            // Old routers give none, and then it is the next usual one below the packet (RFC 1191 section 7.1).
            let given = mtu == 0 ? Self.plateau(below: packet.totalLength) : Int(mtu)
            guard given >= 68, given < packet.totalLength, given < self.mtu else { throw .drop(.badMTU) }
            // As the kernel's min_pmtu: nobody is to make packets tiny.
            cause = .tooBig(mtu: max(given, 552))
        }
        counters.reported.add()
        return PathReport(cause: cause, packet: packet, router: .v4(router))
    }

    /// What an ICMPv6 error tells.
    func report(
        _ message: ICMPv6View, from router: IPv6Address, _ counters: borrowing EndHostCounters
    ) throws(Refused) -> PathReport {
        let packet: QuotedPacket
        do throws(ParseFailure) { packet = try QuotedPacket(checkingIPv6: message.body) } catch {
            throw .parse(error)
        }
        try checkQuoted(packet)
        var cause = PathReport.Cause.unreachable(code: message.code)
        if message.type == 3 { cause = .timeExceeded(code: message.code) }
        if let mtu = message.mtu {
            // None below the least of IPv6 is believed (RFC 8201 section 4).
            guard mtu >= 1280, Int(mtu) < packet.totalLength, Int(mtu) < self.mtu else {
                throw .drop(.badMTU)
            }
            cause = .tooBig(mtu: Int(mtu))
        }
        counters.reported.add()
        return PathReport(cause: cause, packet: packet, router: .v6(router))
    }

    /// Whether the host can have sent the packet: from an address of its own to somebody else, and not longer than its link.
    private func checkQuoted(_ packet: QuotedPacket) throws(Refused) {
        guard own.contains(packet.source), !own.contains(packet.destination), !packet.destination.isMartian,
            packet.totalLength <= mtu, packet.protocolNumber != .icmp, packet.protocolNumber != .icmpv6
        else { throw .drop(.foreignError) }
    }

    private static func plateau(below length: Int) -> Int {
        let plateaus: [10 of Int] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68]
        for position in plateaus.indices where plateaus[position] < length { return plateaus[position] }
        return 0
    }
}
