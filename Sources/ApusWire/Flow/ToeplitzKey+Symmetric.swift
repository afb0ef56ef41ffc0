extension ToeplitzKey {
    /// The hash of a frame with the ``symmetric`` key, as a network card has it: of UDP and TCP over addresses and ports, of
    /// fragments and of all else of IPv4 and IPv6 over the addresses; up to two VLAN tags are passed over, and extension headers
    /// of IPv6. `nil` when it is neither, or too short.
    ///
    /// As that key is the same 16 bits again and again, a bit counts by its place in a 16-bit word: so only the exclusive or
    /// of all of those has to be hashed. Some 15 ns.
    public static func symmetricHash(of frame: RawSpan) -> UInt32? {
        guard let (kind, start) = FlowHash.network(in: frame) else { return nil }
        // Sound, here and below: each load is of octets that are there or whose existence was just compared.
        var (words, portOffset): (UInt64, Int)
        switch EtherType(rawValue: kind) {
        case .ipv4:
            let first = unsafe frame.octet(start)
            portOffset = start &+ Int(first & 15) &* 4
            guard first >> 4 == 4, portOffset >= start &+ 20 else { return nil }
            words = unsafe frame.big64(start &+ 12)
            // More fragments, or an offset: RFC 791, section 3.1.
            let isWhole = unsafe frame.big16(start &+ 6) & 0x3fff == 0
            if unsafe !isWhole || !FlowHash.hasPorts(frame.octet(start &+ 9)) { return hash(words) }
        case .ipv6:
            guard frame.byteCount >= start &+ 40, unsafe frame.octet(start) >> 4 == 6 else { return nil }
            words = unsafe frame.big64(start &+ 8) ^ frame.big64(start &+ 16)
            words ^= unsafe frame.big64(start &+ 24) ^ frame.big64(start &+ 32)
            guard let offset = unsafe ipv6Ports(frame, start) else { return hash(words) }
            portOffset = offset
        default: return nil
        }
        if frame.byteCount >= portOffset &+ 4 { words ^= unsafe UInt64(frame.big32(portOffset)) }
        return hash(words)
    }

    /// Where the ports of an IPv6 packet are that begins at `start`, with a whole header; `nil` when it has none.
    @unsafe
    private static func ipv6Ports(_ frame: RawSpan, _ start: Int) -> Int? {
        let next = unsafe IPProtocol(rawValue: frame.octet(start &+ 6))
        guard _slowPath(IPv6View.isExtension(next)) else {
            return FlowHash.hasPorts(next.rawValue) ? start &+ 40 : nil
        }
        let packet = frame.extracting(droppingFirst: start)
        guard let view = try? IPv6View(firstSegment: packet, of: .max), let upper = try? view.upperLayer(),
            !upper.isFragment, FlowHash.hasPorts(upper.protocolNumber.rawValue)
        else { return nil }
        return start &+ upper.offset
    }

    /// The hash of whatever 16-bit words have that exclusive or.
    private static func hash(_ words: UInt64) -> UInt32 {
        let half = words ^ words >> 32
        var word = UInt16(truncatingIfNeeded: half ^ half >> 16)
        var (window, value): (UInt16, UInt16) = (0x6d5a, 0)
        for _ in 0..<16 {
            // All ones where the highest bit is set.
            value ^= window & (0 &- word >> 15)
            word &<<= 1
            window = window &<< 1 | window &>> 15
        }
        return UInt32(value) << 16 | UInt32(value)
    }
}
