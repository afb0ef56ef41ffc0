/// Where the UDP or TCP checksum of an Ethernet frame stands, and what it covers: to complete one that was left to a device.
public struct TransportChecksum: Sendable {
    /// Where the IP header begins in the frame, in octets.
    public let networkOffset: Int
    /// Where the UDP or TCP header begins in the frame, in octets.
    public let transportOffset: Int
    /// The octets that it covers, from ``transportOffset`` on.
    public let byteCount: Int
    /// UDP or TCP.
    public let protocolNumber: IPProtocol
    /// Whether the packet is IPv6.
    public let isIPv6: Bool
    /// Whether there are IPv6 extension headers.
    public let hasExtensions: Bool
    /// What the sum begins with.
    public let pseudoHeader: InternetChecksum

    /// Where the checksum itself stands in the frame: two octets.
    public var fieldOffset: Int { transportOffset + (protocolNumber == .udp ? 6 : 16) }

    /// The number to write there, after the sum of everything.
    public func value(of sum: InternetChecksum) -> UInt16 {
        protocolNumber == .udp ? sum.udpValue : sum.value
    }

    /// Finds it in a frame of `byteCount` octets, of which `segment` has the first, all headers among them; `nil` when it is
    /// no whole UDP datagram or TCP segment.
    public init?(in segment: RawSpan, byteCount: Int) {
        guard let (tags, type) = try? EthernetView.tagsAndType(segment) else { return nil }
        networkOffset = 14 + tags.byteCount
        let packet = segment.extracting(droppingFirst: networkOffset)
        let left = byteCount - networkOffset
        let total: Int
        switch type {
        case .ipv4:
            // The total length counts, of which not all has to be in the segment.
            guard let view = try? IPv4View(firstSegment: packet, of: left), !view.isFragment else {
                return nil
            }
            (isIPv6, hasExtensions, protocolNumber) = (false, false, view.protocolNumber)
            transportOffset = networkOffset + view.headerByteCount
            total = Int(unsafe packet.big16(2)) - view.headerByteCount
            guard let length = Self.length(segment, transportOffset, protocolNumber, total) else {
                return nil
            }
            self.byteCount = length
            pseudoHeader = view.pseudoHeader(protocolNumber, length: length)
        case .ipv6:
            guard let view = try? IPv6View(firstSegment: packet, of: left),
                let upper = try? view.upperLayer(),
                !upper.isFragment
            else { return nil }
            (isIPv6, hasExtensions, protocolNumber) = (true, upper.extensionCount > 0, upper.protocolNumber)
            transportOffset = networkOffset + upper.offset
            total = Int(unsafe packet.big16(4)) + 40 - upper.offset
            guard let length = Self.length(segment, transportOffset, protocolNumber, total) else {
                return nil
            }
            self.byteCount = length
            pseudoHeader = view.pseudoHeader(protocolNumber, length: length)
        default: return nil
        }
    }

    /// How much of the IP packet's payload it covers: of UDP as much as that says itself.
    private static func length(_ segment: RawSpan, _ start: Int, _ kind: IPProtocol, _ total: Int) -> Int? {
        switch kind {
        case .udp:
            guard total >= 8, segment.byteCount >= start + 8 else { return nil }
            // Sound: eight octets were just found there.
            let length = Int(unsafe segment.big16(start + 4))
            return (8...total).contains(length) ? length : nil
        case .tcp: return total >= 20 && segment.byteCount >= start + 20 ? total : nil
        default: return nil
        }
    }
}
