import ApusWire

/// Frames as peers send them to the relay.
enum Traffic {
    static let relay = MACAddress("02:00:00:00:00:01")!
    static let peer = MACAddress("02:00:00:00:00:02")!
    static let v4 = Endpoint("192.0.2.1:5004")!
    static let v6 = Endpoint("[2001:db8::1]:5004")!
    static let sender4 = Endpoint("198.51.100.9:4000")!
    static let sender6 = Endpoint("[2001:db8:9::9]:4000")!

    enum Checksum { case right, absent, partial, wrong }

    /// A frame with a UDP datagram.
    static func frame(
        _ payload: [UInt8], from source: Endpoint? = nil, to destination: Endpoint = v4, hopLimit: UInt8 = 64,
        trafficClass: UInt8 = 0, tags: VLANTags = VLANTags(), mac: MACAddress = relay,
        checksum: Checksum = .right
    ) -> [UInt8] {
        let from = source ?? (destination.address.isIPv6 ? sender6 : sender4)
        let headers = UDPEncapsulation(
            nextHop: mac, interface: peer, tags: tags, source: from, destination: destination,
            hopLimit: hopLimit, trafficClass: trafficClass)!
        let right = headers.checksum(of: payload.raw)
        let field =
            switch checksum {
            case .right: right
            case .absent: 0 as UInt16
            case .partial: pseudoHeader(from, destination, payload.count + 8)
            case .wrong: right == 0x1234 ? 0x4321 : 0x1234 as UInt16
            }
        var octets = [UInt8](repeating: 0, count: headers.byteCount)
        write(&octets) {
            try! headers.encode(into: &$0, payloadLength: payload.count, udpChecksum: field)
        }
        return octets + payload
    }

    private static func pseudoHeader(_ source: Endpoint, _ destination: Endpoint, _ length: Int) -> UInt16 {
        switch (source.address, destination.address) {
        case (.v4(let from), .v4(let to)):
            InternetChecksum(pseudoHeader: from, to, .udp, length: length).folded
        case (.v6(let from), .v6(let to)):
            InternetChecksum(pseudoHeader: from, to, .udp, length: length).folded
        default: fatalError("two families")
        }
    }

    /// An RTP packet.
    static func rtp(
        _ sequence: UInt16, timestamp: UInt32 = 0, ssrc: UInt32 = 7, type: UInt8 = 0, marker: Bool = false,
        body: [UInt8] = [1, 2, 3, 4]
    ) -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: 12)
        let header = RTPHeader(
            payloadType: type, marker: marker, sequenceNumber: sequence, timestamp: timestamp, ssrc: ssrc)
        write(&octets) { try! header.encode(into: &$0) }
        return octets + body
    }

    /// The same IPv4 frame with options in its header, of a multiple of four octets.
    static func withOptions(_ options: [UInt8], _ frame: [UInt8]) -> [UInt8] {
        var header = Array(frame[14..<34]) + options
        header[0] = 0x40 | UInt8(header.count / 4)
        let total = UInt16(header.count + frame.count - 34)
        (header[2], header[3], header[10], header[11]) = (UInt8(total >> 8), UInt8(total & 0xff), 0, 0)
        let checksum = InternetChecksum.of(header.raw)
        (header[10], header[11]) = (UInt8(checksum >> 8), UInt8(checksum & 0xff))
        return frame[..<14] + header + frame[34...]
    }
}

extension IPAddress {
    var isIPv6: Bool { if case .v6 = self { true } else { false } }
}
