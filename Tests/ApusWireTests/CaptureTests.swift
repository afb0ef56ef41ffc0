import ApusWire
import NetworkLab
import Seeds
import Testing

/// Real RTP, beside tshark.
@Suite(.enabled(if: SharedCaptures.areHere, "there are no captures in \(SharedCaptures.folder)"))
struct CaptureTests {
    /// What is compared of a packet, as tshark prints it.
    private static let fields = [
        "ip.src", "ip.dst", "ip.ttl", "udp.srcport", "udp.dstport", "udp.length", "udp.checksum.status",
        "rtp.seq", "rtp.ssrc", "rtp.timestamp", "rtp.marker", "rtp.p_type", "rtp.ext", "rtp.padding",
        "rtp.cc",
    ]

    @Test(
        .requires(.program("tshark")),
        arguments: [("h264.pcap", 1235, 298), ("vp8.pcap", 5443, 104)])
    func `each packet of a capture is read as tshark reads it`(name: String, port: Int, count: Int) throws {
        let path = "\(SharedCaptures.folder)/\(name)"
        let capture = try #require(Capture(path: path))
        #expect(capture.frames.count == count)
        let lines = try tshark(path, fields: Self.fields, ["-d", "udp.port==\(port),rtp"])
        try #require(lines.count == count)
        for (frame, line) in zip(capture.frames, lines) {
            let flow = try FlowHeaders(checking: frame.raw)
            let view = try RTPView(checking: flow.payload(of: frame.raw))
            let isValid = flow.udpChecksumState(in: frame.raw) == .valid
            let ours: [String] = [
                flow.sourceAddress.description, flow.destinationAddress.description, "\(flow.hopLimit)",
                "\(flow.sourcePort)", "\(flow.destinationPort)", "\(flow.udpLength)", isValid ? "1" : "0",
                "\(view.sequenceNumber)", hexadecimal(view.ssrc), "\(view.timestamp)",
                view.marker ? "1" : "0", "\(view.payloadType)", view.hasExtension ? "1" : "0",
                view.hasPadding ? "1" : "0", "\(view.csrcCount)",
            ]
            #expect(ours == line)
        }
    }

    @Test(arguments: ["h264.pcap", "vp8.pcap"])
    func `each prefix of a captured frame is refused`(name: String) throws {
        let capture = try #require(Capture(path: "\(SharedCaptures.folder)/\(name)"))
        for frame in capture.frames.prefix(20) {
            for length in 0..<frame.count {
                let prefix = Array(frame[..<length])
                #expect(refusal(prefix) { _ = try FlowHeaders(checking: $0) } != nil)
            }
        }
    }
}

/// Frames written here, read by tshark.
@Suite(.requires(.program("tshark")))
struct TsharkTests {
    private static let fields = [
        "eth.dst", "eth.src", "ieee8021ad.id", "vlan.id", "ip.src", "ip.dst", "ip.ttl", "ip.dsfield",
        "ip.checksum.status",
        "ip.flags.df", "ipv6.src", "ipv6.dst", "ipv6.hlim", "ipv6.tclass", "ipv6.flow", "udp.srcport",
        "udp.dstport", "udp.length", "udp.checksum.status", "rtp.seq", "rtp.ssrc", "rtp.timestamp",
        "rtp.marker", "rtp.p_type",
    ]

    @Test func `encapsulated RTP is read by tshark as it was meant`() throws {
        var random = Seeded(41)
        var frames: [[UInt8]] = []
        var expected: [[String]] = []
        for number in 0..<300 {
            // tshark takes payload type 99 for redundant audio and looks into it.
            let header = RTPHeader(
                payloadType: 100 + UInt8(random.next() % 28), marker: random.next() & 1 == 0,
                sequenceNumber: random.number(), timestamp: random.number(), ssrc: random.number())
            var payload = [UInt8](repeating: 0, count: 12) + random.octets(Int(random.next() % 300))
            try write(&payload) { try header.encode(into: &$0) }
            let headers = encapsulation(&random, number)
            var frame = [UInt8](repeating: 0xa5, count: headers.byteCount) + payload
            let checksum = headers.checksum(of: payload.raw)
            try write(&frame) {
                try headers.encode(into: &$0, payloadLength: payload.count, udpChecksum: checksum)
            }
            frames.append(frame)
            expected.append(meaning(headers, header, payload.count, try FlowHeaders(checking: frame.raw)))
        }
        let lines = try read(frames, Self.fields, ["-d", "udp.port==5004,rtp"])
        try #require(lines.count == frames.count)
        for (line, meant) in zip(lines, expected) { #expect(line == meant) }
    }

    @Test func `ARP, ICMP and neighbor discovery are read by tshark as they were meant`() throws {
        let (mac, other) = (MACAddress("02:00:00:00:00:01")!, MACAddress("02:00:00:00:00:02")!)
        let (v4, to4) = (IPv4Address("192.0.2.1")!, IPv4Address("192.0.2.2")!)
        let (v6, to6) = (IPv6Address("2001:db8::1")!, IPv6Address("2001:db8::2")!)
        func frame(_ type: EtherType, _ payload: [UInt8]) throws -> [UInt8] {
            var octets = [UInt8](repeating: 0, count: 14)
            let header = EthernetHeader(destination: other, source: mac, etherType: type)
            try write(&octets) { try header.encode(into: &$0) }
            return octets + payload
        }
        func packet4(_ payload: [UInt8]) throws -> [UInt8] {
            var octets = [UInt8](repeating: 0, count: 20)
            let header = IPv4Header(protocolNumber: .icmp, source: v4, destination: to4)
            try write(&octets) { try header.encode(into: &$0, payloadLength: payload.count) }
            return try frame(.ipv4, octets + payload)
        }
        func packet6(_ payload: [UInt8], to destination: IPv6Address) throws -> [UInt8] {
            var octets = [UInt8](repeating: 0, count: 40)
            let header = IPv6Header(nextHeader: .icmpv6, hopLimit: 255, source: v6, destination: destination)
            try write(&octets) { try header.encode(into: &$0, payloadLength: payload.count) }
            return try frame(.ipv6, octets + payload)
        }
        var arp = [UInt8](repeating: 0, count: 28)
        try write(&arp) { try ARPMessage(asking: to4, from: mac, v4).encode(into: &$0) }
        var echo = [UInt8](repeating: 0x61, count: 21)
        let request = ICMPEcho(isReply: false, identifier: 0x1234, sequenceNumber: 7)
        try write(&echo) { try request.encodeICMPv4(into: &$0) }
        var echo6 = [UInt8](repeating: 0x61, count: 21)
        try write(&echo6) { try request.encodeICMPv6(into: &$0, source: v6, destination: to6) }
        var solicitation = [UInt8](repeating: 0, count: 32)
        try write(&solicitation) {
            let message = NeighborMessage(soliciting: to6, from: mac)
            try message.encode(into: &$0, source: v6, destination: to6.solicitedNode)
        }
        var advertisement = [UInt8](repeating: 0, count: 32)
        try write(&advertisement) {
            try NeighborMessage(advertising: v6, at: mac).encode(into: &$0, source: v6, destination: to6)
        }
        let lines = try read(
            [
                frame(.arp, arp), packet4(echo), packet6(echo6, to: to6),
                packet6(solicitation, to: to6.solicitedNode), packet6(advertisement, to: to6),
            ],
            [
                "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.proto_ipv4", "icmp.type",
                "icmp.checksum.status", "icmp.seq", "icmpv6.type", "icmpv6.checksum.status",
                "icmpv6.echo.sequence_number", "icmpv6.nd.ns.target_address", "icmpv6.nd.na.target_address",
                "icmpv6.nd.na.flag.s", "icmpv6.opt.linkaddr", "_ws.expert.message",
            ])
        let sender = ["1", "\(mac)", "\(v4)", "\(to4)"]
        let none = ["", "", "", ""]
        let expected: [[String]] = [
            sender + ["", "", "", "", "", "", "", "", "", ""],
            none + ["8", "1", "7", "", "", "", "", "", "", ""],
            none + ["", "", "", "128", "1", "7", "", "", "", ""],
            none + ["", "", "", "135", "1", "", "\(to6)", "", "", "\(mac)"],
            none + ["", "", "", "136", "1", "", "", "\(v6)", "1", "\(mac)"],
        ]
        // tshark remarks that no answers to the echoes are in the file; nothing else.
        for (line, meant) in zip(lines, expected) {
            #expect(Array(line.dropLast()) == meant)
            #expect(line.last == "" || line.last!.hasPrefix("No response seen"))
        }
        #expect(lines.count == expected.count)
    }

    private func encapsulation(_ random: inout Seeded, _ number: Int) -> UDPEncapsulation {
        let (nextHop, interface) = (
            MACAddress(bits: random.next() & 0xfeff_ffff_ffff),
            MACAddress(bits: random.next() & 0xfeff_ffff_ffff)
        )
        let inner = VLANTag(identifier: 1 + UInt16(random.next() % 4094), priority: 5)
        let outer = VLANTag(tagProtocol: .serviceVLAN, identifier: 1 + UInt16(random.next() % 4094))
        let tags = [VLANTags(), VLANTags(inner), VLANTags(outer: outer, inner: inner)][number % 3]
        let (hopLimit, trafficClass) = (random.number(UInt8.self) | 1, random.number(UInt8.self))
        if random.next() & 1 == 0 {
            return UDPEncapsulation(
                nextHop: nextHop, interface: interface, tags: tags,
                source: IPv4Address(bits: 0x0a00_0000 | random.number(UInt32.self) >> 8),
                sourcePort: random.number(UInt16.self) | 1,
                destination: IPv4Address(bits: 0x0b00_0000 | random.number(UInt32.self) >> 8),
                destinationPort: 5004, hopLimit: hopLimit, trafficClass: trafficClass)
        }
        return UDPEncapsulation(
            nextHop: nextHop, interface: interface, tags: tags,
            source: IPv6Address(high: 0x2001_0db8_0000_0000, low: random.next()),
            sourcePort: random.number(UInt16.self) | 1,
            destination: IPv6Address(high: 0x2001_0db8_0000_0001, low: random.next()), destinationPort: 5004,
            hopLimit: hopLimit, trafficClass: trafficClass, flowLabel: random.number())
    }

    private func meaning(
        _ headers: UDPEncapsulation, _ rtp: RTPHeader, _ length: Int, _ flow: FlowHeaders
    ) -> [String] {
        let service = headers.tags.inner == nil ? nil : headers.tags.outer
        let customer = headers.tags.inner ?? headers.tags.outer
        let tags = [service, customer].map { tag in tag.map { "\($0.identifier)" } ?? "" }
        let addresses = ["\(flow.sourceAddress)", "\(flow.destinationAddress)", "\(headers.hopLimit)"]
        let trafficClass = hexadecimal(headers.trafficClass)
        let four = headers.isIPv6 ? Array(repeating: "", count: 6) : addresses + [trafficClass, "1", "1"]
        let label = headers.isIPv6 ? "0x" + padded(String(headers.flowLabel, radix: 16), 6) : ""
        let class6 = "0x" + padded(String(headers.trafficClass, radix: 16), 8)
        let six = headers.isIPv6 ? addresses + [class6, label] : Array(repeating: "", count: 5)
        let udp = ["\(headers.sourcePort)", "5004", "\(length + 8)", "1"]
        let last = [
            "\(rtp.sequenceNumber)", hexadecimal(rtp.ssrc), "\(rtp.timestamp)", rtp.marker ? "1" : "0",
            "\(rtp.payloadType)",
        ]
        return ["\(headers.nextHop)", "\(headers.interface)"] + tags + four + six + udp
            + last
    }

    private func read(_ frames: [[UInt8]], _ fields: [String], _ options: [String] = []) throws -> [[String]]
    {
        let path = "/tmp/apus-wire-\(UInt64.random(in: 0 ... .max)).pcap"
        defer { _ = try? NetworkLab.run(["rm", "-f", path]) }
        try Capture(frames: frames).write(to: path)
        return try tshark(path, fields: fields, options)
    }
}

/// What tshark prints of each packet of a file, field by field, with all checksums verified.
private func tshark(_ path: String, fields: [String], _ options: [String]) throws -> [[String]] {
    let checks = ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE"].flatMap { ["-o", $0] }
    let output = try NetworkLab.run(
        ["tshark", "-n", "-r", path, "-T", "fields", "-E", "separator=;", "-E", "occurrence=a"] + checks
            + options
            + fields.flatMap { ["-e", $0] })
    return output.standardOutput.split(separator: "\n").map {
        $0.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
    }
}

private func hexadecimal<Number: FixedWidthInteger>(_ number: Number) -> String {
    "0x" + padded(String(number, radix: 16), Number.bitWidth / 4)
}

private func padded(_ digits: String, _ count: Int) -> String {
    String(repeating: "0", count: max(0, count - digits.count)) + digits
}
