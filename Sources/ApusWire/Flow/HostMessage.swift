/// A frame that a host has to look at so that others can talk to it, whatever programs run on it: ARP, ICMP or ICMPv6, neighbor
/// discovery included.
@frozen
public enum HostMessage: UInt8, Hashable, Sendable, CaseIterable {
    /// ARP.
    case arp
    /// IPv4 that carries ICMP, a fragment of it too.
    case icmpv4
    /// IPv6 that carries ICMPv6, behind extension headers too, but not in a fragment (RFC 6980 section 5).
    case icmpv6

    /// What a frame is; nil if it is anything else. Nothing is checked but what it takes to find out.
    ///
    /// A handful of comparisons for a UDP datagram.
    @inlinable @inline(__always)
    public init?(in frame: RawSpan) {
        guard let (tags, type) = try? EthernetView.tagsAndType(frame) else { return nil }
        let offset = 14 &+ tags.byteCount
        switch type {
        case .ipv4:
            // Behind the guard there are 20 octets from `offset` on.
            guard frame.byteCount &- offset >= 20, unsafe frame.octet(offset &+ 9) == 1 else { return nil }
            self = .icmpv4
        case .ipv6:
            guard frame.byteCount &- offset >= 40 else { return nil }
            // Behind the guard there are 40 octets from `offset` on.
            let next = unsafe IPProtocol(rawValue: frame.octet(offset &+ 6))
            guard
                next == .icmpv6
                    || IPv6View.isExtension(next) && (unsafe Self.isBehindExtensions(frame, offset))
            else { return nil }
            self = .icmpv6
        case .arp: self = .arp
        default: return nil
        }
    }

    /// Whether ICMPv6 follows on extension headers. `offset` must be inside the frame.
    @unsafe @usableFromInline @inline(never)
    static func isBehindExtensions(_ frame: RawSpan, _ offset: Int) -> Bool {
        guard let packet = try? IPv6View(checking: unsafe frame.slice(offset, frame.byteCount)),
            packet.nextHeader != .fragment, let upper = try? packet.upperLayer()
        else { return false }
        return upper.protocolNumber == .icmpv6 && !upper.isFragment
    }
}
