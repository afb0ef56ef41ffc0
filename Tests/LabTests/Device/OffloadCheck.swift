import ApusWire
import NetworkLab
import Seeds
import Testing

/// What a card does beside moving packets comes out as software does it: see `DPDKEcho`.
extension Lab.RealDeviceTests {
    /// What is known of a packet that was received.
    private struct Seen: Equatable {
        var queue: Int
        var tag: UInt16?
        var hash: UInt32?
        var isTimed: Bool
        var octets: [UInt8]
    }

    /// Tags are taken off and put back, and checksums completed: what the program got, and what comes back, is the same
    /// whoever did it.
    func checkOffloads(_ guest: Guest, _ card: Guest.Card, byDevice features: [String]) throws {
        // Else a virtio card takes frames of no VLAN but those that it was told.
        try guest.start(
            "DPDKEcho --promiscuous --strip --partial --describe \(card.address)", untilLine: "ready")
        let (sent, back) = frames(to: card)
        for frame in sent { try card.wire.send(frame) }
        expect(card.wire.receive(sent.count), back)
        let text = try guest.stop()
        let wanted = sent.map { frame in
            let (octets, tag) = stripped(frame)
            let hash = unsafe ToeplitzKey.symmetricHash(of: frame.span.bytes)
            return Seen(queue: 0, tag: tag, hash: hash, isTimed: true, octets: octets)
        }
        let got = seen(text)
        #expect(got.count == wanted.count)
        let different = zip(got, wanted).first { $0 != $1 }
        #expect(different == nil, "\(card.driver)")
        for feature in ["VLAN strip", "VLAN insert", "transmit checksum"] {
            let granted =
                features.contains(feature) ? "device" : "software (the driver \(card.driver) has none)"
            #expect(text.contains("\(feature) \(granted)"), "\(card.driver), \(text.prefix(1000))")
        }
        #expect(text.contains("frames conserved\n"), "\(text.suffix(1000))")
    }

    /// Datagrams and others, with all kinds of tags, none so short that a card would fill it up; and what comes back.
    private func frames(to card: Guest.Card) -> (sent: [[UInt8]], back: [[UInt8]]) {
        var random = Seeded(1)
        var (sent, back): ([[UInt8]], [[UInt8]]) = ([], [])
        let tags: [[UInt8]] = [
            [], [0x81, 0, 0, 5], [0x81, 0, 0xe0, 0], [0x88, 0xa8, 0x20, 7], [0x81, 0, 0, 1, 0x81, 0, 0, 2],
            [0x88, 0xa8, 0, 1, 0x81, 0, 0x0f, 0xff],
        ]
        for number in 0..<120 {
            let datagram = Datagram(
                from: .init(
                    mac: [2, 0, 0, 0, 0, 1], address: [192, 0, 2, 1], port: UInt16(40_000 + number)),
                to: .init(mac: card.mac, address: [192, 0, 2, 2], port: 7),
                payload: (0..<30 + 11 * number).map { _ in .random(in: 0...255, using: &random) })
            let tag = tags[number % tags.count]
            func tagged(_ frame: [UInt8]) -> [UInt8] { frame[..<12] + tag + frame[12...] }
            if number % 4 == 3 {
                let octets = (0..<100).map { _ in UInt8.random(in: 0...255, using: &random) }
                sent.append(tagged(card.mac + [2, 0, 0, 0, 0, 1, 0x88, 0xb5] + octets))
                back.append(sent[number])
            } else {
                sent.append(tagged(datagram.frame))
                back.append(tagged(datagram.reply.frame))
            }
        }
        return (sent, back)
    }

    /// Both directions of a flow come by one queue, and it is the one that the hash in software says: so the card has the
    /// same hash.
    func checkSpreading(_ guest: Guest) throws {
        let card = guest.spreading
        try guest.run("give \(card.address) uio_pci_generic")
        try guest.start("DPDKEcho --queues 2 --describe \(card.address)", untilLine: "ready")
        var random = Seeded(2)
        var sent: [[UInt8]] = []
        for _ in 0..<100 {
            let frame = SeededFrame(&random, payload: 20...60).whole
            sent.append(card.mac + frame[6...])
            sent.append(card.mac + turned(frame)[6...])
        }
        try guest.send(sent)
        let deadline = ContinuousClock.now + .seconds(30)
        while ContinuousClock.now < deadline,
            try guest.run("grep -c ^got /tmp/out || true") != "\(sent.count)\n"
        {}
        let text = try guest.stop()
        let got = seen(text)
        #expect(text.contains("symmetric RSS yes"), "\(text.prefix(1000))")
        var queues: [[UInt8]: Int] = [:]
        for packet in got { queues[packet.octets] = packet.queue }
        #expect(queues.count == sent.count)
        #expect(Set(queues.values) == [0, 1])
        var wrong = 0
        for (there, back) in stride(from: 0, to: sent.count, by: 2).map({ (sent[$0], sent[$0 + 1]) }) {
            let hash = unsafe ToeplitzKey.symmetricHash(of: there.span.bytes)
            // The table has the queues in turn, and as many places as a power of two.
            let queue = hash.map { Int($0 % 2) }
            if queues[there] != queue || queues[back] != queue { wrong += 1 }
        }
        #expect(wrong == 0, "of \(sent.count / 2) flows")
        for packet in got {
            let hash = unsafe ToeplitzKey.symmetricHash(of: packet.octets.span.bytes)
            #expect(packet.hash == hash)
        }
    }

    /// The same packet in the other direction: addresses and ports in each other's place. Its checksums stay right.
    private func turned(_ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        let isIPv6 = frame[12] == 0x86
        let (start, length) = isIPv6 ? (22, 16) : (26, 4)
        let hasPorts = !isIPv6 || frame[20] == 17 || frame[20] == 6
        let ports = isIPv6 ? 54 : 14 + 4 * Int(frame[14] & 15)
        for offset in 0..<length { frame.swapAt(start + offset, start + length + offset) }
        if hasPorts { for offset in 0..<2 { frame.swapAt(ports + offset, ports + 2 + offset) } }
        return frame
    }

    private func seen(_ text: String) -> [Seen] {
        text.split(separator: "\n").filter { $0.hasPrefix("got ") }.map { line in
            let words = line.split(separator: " ")
            let digits = Array(words[9].utf8).map { UInt8($0 > 57 ? $0 - 87 : $0 - 48) }
            return Seen(
                queue: Int(words[2]) ?? -1, tag: UInt16(words[4]), hash: UInt32(words[6]),
                isTimed: words[7] == "timed",
                octets: stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
        }
    }
}
