import ApusWire

/// The link-layer part of a frame to be sent, and what is written into it.
///
/// All write from the start of `frame`, fill up to the shortest frame of Ethernet with zeros (IEEE 802.3 clause 4.2.3.3), so
/// that nothing of what was in the buffer goes out, and give the octets of the whole.
struct Envelope {
    let destination: MACAddress
    let source: MACAddress
    let tags: VLANTags

    /// Octets of the shortest frame, without its check sequence.
    static var shortest: Int { 60 }

    func write(_ message: ARPMessage, into frame: inout MutableRawSpan) throws(EncodeFailure) -> Int {
        let start = try open(.arp, &frame)
        do {
            var bytes = frame.from(start)
            try message.encode(into: &bytes)
        }
        return try Self.close(start + ARPView.byteCount, &frame)
    }

    func write(
        _ message: NeighborMessage, from: IPv6Address, to: IPv6Address, into frame: inout MutableRawSpan
    ) throws(EncodeFailure) -> Int {
        let start = try open(.ipv6, &frame)
        let header = IPv6Header(nextHeader: .icmpv6, hopLimit: 255, source: from, destination: to)
        do {
            var bytes = frame.from(start)
            try header.encode(into: &bytes, payloadLength: message.byteCount)
            var payload = bytes.from(IPv6View.headerByteCount)
            try message.encode(into: &payload, source: from, destination: to)
        }
        return try Self.close(start + IPv6View.headerByteCount + message.byteCount, &frame)
    }

    func write(
        _ message: ICMPMessage, body: RawSpan, from: IPv4Address, to: IPv4Address, trafficClass: UInt8 = 0,
        into frame: inout MutableRawSpan
    ) throws(EncodeFailure) -> Int {
        let start = try open(.ipv4, &frame)
        let header = IPv4Header(
            trafficClass: trafficClass, protocolNumber: .icmp, source: from, destination: to)
        do {
            var bytes = frame.from(start)
            try header.encode(into: &bytes, payloadLength: body.byteCount + 8)
            var payload = bytes.from(IPv4View.minimumHeaderByteCount)
            try message.encodeICMPv4(into: &payload, body: body)
        }
        return try Self.close(start + IPv4View.minimumHeaderByteCount + 8 + body.byteCount, &frame)
    }

    func write(
        _ message: ICMPMessage, body: RawSpan, from: IPv6Address, to: IPv6Address, trafficClass: UInt8 = 0,
        into frame: inout MutableRawSpan
    ) throws(EncodeFailure) -> Int {
        let start = try open(.ipv6, &frame)
        let header = IPv6Header(
            trafficClass: trafficClass, nextHeader: .icmpv6, source: from, destination: to)
        do {
            var bytes = frame.from(start)
            try header.encode(into: &bytes, payloadLength: body.byteCount + 8)
            var payload = bytes.from(IPv6View.headerByteCount)
            try message.encodeICMPv6(into: &payload, body: body, source: from, destination: to)
        }
        return try Self.close(start + IPv6View.headerByteCount + 8 + body.byteCount, &frame)
    }

    /// Behind the option that has routers look at it (RFC 2711), and for the link only, as reports of groups have to be.
    func write(
        _ message: ICMPMessage, body: RawSpan, behindRouterAlertFrom from: IPv6Address, to: IPv6Address,
        into frame: inout MutableRawSpan
    ) throws(EncodeFailure) -> Int {
        let start = try open(.ipv6, &frame)
        let header = IPv6Header(nextHeader: .hopByHop, hopLimit: 1, source: from, destination: to)
        do {
            var bytes = frame.from(start)
            try header.encode(into: &bytes, payloadLength: body.byteCount + 16)
            var payload = bytes.from(IPv6View.headerByteCount)
            guard payload.byteCount >= 8 else { throw EncodeFailure.noRoom }
            // ICMPv6 follows; the alert for MLD; padding.
            let options: [8 of UInt8] = [58, 0, 5, 2, 0, 0, 1, 0]
            for offset in options.indices {
                payload.storeBytes(of: options[offset], toByteOffset: offset, as: UInt8.self)
            }
            var rest = payload.from(8)
            try message.encodeICMPv6(into: &rest, body: body, source: from, destination: to)
        }
        return try Self.close(start + IPv6View.headerByteCount + 16 + body.byteCount, &frame)
    }

    private func open(_ type: EtherType, _ frame: inout MutableRawSpan) throws(EncodeFailure) -> Int {
        let header = EthernetHeader(destination: destination, source: source, tags: tags, etherType: type)
        try header.encode(into: &frame)
        return header.byteCount
    }

    private static func close(_ count: Int, _ frame: inout MutableRawSpan) throws(EncodeFailure) -> Int {
        guard count < shortest else { return count }
        guard frame.byteCount >= shortest else { throw .noRoom }
        for offset in count..<shortest { frame.storeBytes(of: 0, toByteOffset: offset, as: UInt8.self) }
        return shortest
    }
}
