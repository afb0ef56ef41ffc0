import ApusRings
import ApusWire

/// What an ICMP error says.
@frozen
public enum ICMPErrorReason: Hashable, Sendable {
    /// Nobody takes datagrams for the port (RFC 1122 section 4.1.3.1).
    case portUnreachable
    /// There is no way to the next hop.
    case hostUnreachable
    /// The packet is longer than the next link takes: the largest that would get on, in octets, IP header included.
    case tooBig(mtu: Int)
    /// The time to live is used up.
    case timeExceeded
}

/// Why there is no ICMP error about a packet (RFC 1122 section 3.2.2, RFC 1812 section 4.3.2.7, RFC 4443 section 2.4).
public enum ICMPErrorRefusal: Int, Error, Sendable, CaseIterable {
    /// It is no IPv4 or IPv6 packet that can be read.
    case unreadable
    /// It is an ICMP error itself, a redirect, or ICMP of a kind that is not known.
    case aboutError
    /// It went to many.
    case aboutGroup
    /// It is a fragment, and not the first.
    case aboutFragment
    /// Its source is not one host.
    case badSource
    /// Its port can't be unreachable here: it went to somebody else.
    case otherDestination
    /// There is no address to send from.
    case noAddress
    /// More than are sent.
    case rateLimited
    /// The caller's buffer is too short.
    case noRoom

    /// The reason as the label of a metric: `about_error`.
    public var label: String {
        switch self {
        case .unreadable: "unreadable"
        case .aboutError: "about_error"
        case .aboutGroup: "about_group"
        case .aboutFragment: "about_fragment"
        case .badSource: "bad_source"
        case .otherDestination: "other_destination"
        case .noAddress: "no_address"
        case .rateLimited: "rate_limited"
        case .noRoom: "no_room"
        }
    }
}

extension EndHost {
    /// Writes the ICMP error about a frame that came in by this interface, so many octets, to be sent by it; nil if there may
    /// be none, which is counted by reason.
    ///
    /// It goes the way that the frame came. It quotes as much of the packet as 576 octets take for IPv4, and 1280 for IPv6.
    /// `tooBig` is said also of an IPv4 packet that might be fragmented, since nothing is fragmented here.
    ///
    /// - Parameter answer: where it is written; 1302 octets are enough for any.
    @inline(never)
    public mutating func error(
        _ reason: ICMPErrorReason, about frame: RawSpan, at now: UInt64, answer: inout MutableRawSpan,
        counters: borrowing EndHostCounters
    ) -> Int? {
        counters.errorsAsked.add()
        let now = advanceClock(to: now)
        do throws(ICMPErrorRefusal) {
            guard let ethernet = try? EthernetView(checking: frame) else { throw .unreadable }
            guard !ethernet.source.isGroup, ethernet.source != mac, ethernet.source != .zero else {
                throw .badSource
            }
            let count =
                switch ethernet.etherType {
                case .ipv4: try errorIPv4(reason, ethernet, now, &answer)
                case .ipv6: try errorIPv6(reason, ethernet, now, &answer)
                default: throw .unreadable
                }
            counters.count(.error)
            return count
        } catch {
            counters.count(error)
            return nil
        }
    }

    private mutating func errorIPv4(
        _ reason: ICMPErrorReason, _ ethernet: EthernetView, _ now: UInt64, _ answer: inout MutableRawSpan
    ) throws(ICMPErrorRefusal) -> Int {
        guard let packet = try? IPv4View(checking: ethernet.payload), packet.isHeaderChecksumValid else {
            throw .unreadable
        }
        let (source, destination) = (packet.source, packet.destination)
        guard isHost(.v4(source)) else { throw .badSource }
        guard !ethernet.destination.isGroup, !destination.isMulticast, !own.isBroadcast(destination) else {
            throw .aboutGroup
        }
        guard packet.fragmentOffset == 0 else { throw .aboutFragment }
        if packet.protocolNumber == .icmp {
            guard let message = try? ICMPv4View(checking: packet.payload),
                message.isEchoRequest || message.isEchoReply
            else { throw .aboutError }
        }
        if reason == .portUnreachable, !own.contains(.v4(destination)) { throw .otherDestination }
        guard let from = errorSource(.v4(destination), to: .v4(source)), case .v4(let from) = from else {
            throw .noAddress
        }
        guard errorLimit.take(at: now) else { throw .rateLimited }
        let message: ICMPMessage =
            switch reason {
            case .portUnreachable: ICMPMessage(type: 3, code: 3)
            case .hostUnreachable: ICMPMessage(type: 3, code: 1)
            case .tooBig(let mtu): ICMPMessage(type: 3, code: 4, word: UInt32(min(max(mtu, 68), 65535)))
            case .timeExceeded: ICMPMessage(type: 11, code: 0)
            }
        let quoted = packet.bytes.extracting(first: min(576, mtu) - 28)
        do throws(EncodeFailure) {
            return try envelope(answering: ethernet).write(
                message, body: quoted, from: from, to: source, into: &answer)
        } catch { throw .noRoom }
    }

    private mutating func errorIPv6(
        _ reason: ICMPErrorReason, _ ethernet: EthernetView, _ now: UInt64, _ answer: inout MutableRawSpan
    ) throws(ICMPErrorRefusal) -> Int {
        guard let packet = try? IPv6View(checking: ethernet.payload), let upper = try? packet.upperLayer()
        else {
            throw .unreadable
        }
        let (source, destination) = (packet.source, packet.destination)
        guard isHost(.v6(source)) else { throw .badSource }
        // Of the size of a packet to a group its sender is told, so that it finds the path MTU (RFC 4443 section 2.4(e.3)).
        if case .tooBig = reason {
        } else if ethernet.destination.isGroup || destination.isMulticast {
            throw .aboutGroup
        }
        guard upper.fragmentOffset == 0 else { throw .aboutFragment }
        if upper.protocolNumber == .icmpv6 {
            let rest = packet.bytes.extracting(upper.offset..<packet.bytes.byteCount)
            guard let message = try? ICMPv6View(checking: rest), !message.isError, message.type != 137 else {
                throw .aboutError
            }
        }
        if reason == .portUnreachable, !own.contains(.v6(destination)) { throw .otherDestination }
        guard let from = errorSource(.v6(destination), to: .v6(source)), case .v6(let from) = from else {
            throw .noAddress
        }
        guard errorLimit.take(at: now) else { throw .rateLimited }
        let message: ICMPMessage =
            switch reason {
            case .portUnreachable: ICMPMessage(type: 1, code: 4)
            case .hostUnreachable: ICMPMessage(type: 1, code: 3)
            case .tooBig(let mtu): ICMPMessage(type: 2, code: 0, word: UInt32(min(max(mtu, 1280), 65535)))
            case .timeExceeded: ICMPMessage(type: 3, code: 0)
            }
        let quoted = packet.bytes.extracting(first: 1280 - 48)
        do throws(EncodeFailure) {
            return try envelope(answering: ethernet).write(
                message, body: quoted, from: from, to: source, into: &answer)
        } catch { throw .noRoom }
    }

    /// The address that a packet went to, if it is the host's; else one that the sender can know.
    private func errorSource(_ destination: IPAddress, to sender: IPAddress) -> IPAddress? {
        own.contains(destination) ? destination : route(to: sender)?.source
    }
}
