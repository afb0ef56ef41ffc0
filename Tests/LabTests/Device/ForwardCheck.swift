import Foundation
import NetworkLab
import Testing

extension Lab.RealDeviceTests {
    /// The forwarder from one card to the other, as a router and two hosts on the cables see it: it answers for its
    /// address, asks for its next hop, and sends on.
    func checkForward(_ guest: Guest) throws {
        let (inside, outside) = (guest.cards[0], guest.cards[1])
        let configuration = """
            { interfaces: [ { name: "\(inside.address)", addresses: ["192.0.2.2/24"], mtu: 9000 }, \
            { name: "\(outside.address)", addresses: ["198.51.100.2/24"] } ], \
            dpdk: { memory: 96 }, workers: { cpus: [0, 1] }, \
            streams: [ { listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] } ] }
            """
        try guest.run("printf '%s' '\(configuration)' >/tmp/forward.json5")
        try guest.start("apus forward --json --config /tmp/forward.json5", untilLine: "ready")

        let here = Datagram.End(mac: [2, 0, 0, 0, 0, 1], address: [192, 0, 2, 1], port: 40_000)
        let relay = Datagram.End(mac: inside.mac, address: [192, 0, 2, 2], port: 5004)
        let leaving = Datagram.End(mac: outside.mac, address: [198, 51, 100, 2], port: 5004)
        let away = Datagram.End(mac: [2, 0, 0, 0, 0, 9], address: [198, 51, 100, 1], port: 6004)

        try inside.wire.send(ARP.request(from: here, for: relay.address))
        let answer = ARP.reply(from: relay, to: here)
        #expect(inside.wire.receive(1) { $0 == answer } == [answer])

        // The long ones lie in several buffers.
        for count in [56, 1700, 2000, 8000, 8972] {
            try inside.wire.send(Datagram.echo(from: here, to: relay, type: 8, count: count))
            let echo = Datagram.echo(from: relay, to: here, type: 0, count: count)
            let echoes = inside.wire.receive(1) { $0[12...13] == [8, 0] }
            // All but the rest of the IP header, in which a host is free.
            #expect(
                echoes.first.map { $0[..<14] + $0[26...] } == echo[..<14] + echo[26...],
                "\(count): \(echoes.map(\.count))")
        }

        let sent = (0..<50).map { number in
            Datagram(from: here, to: relay, payload: Numbered.packet(number, length: 172 + 20 * number))
        }
        for datagram in sent { try inside.wire.send(datagram.frame) }
        let question = ARP.request(from: leaving, for: away.address)
        #expect(outside.wire.receive(1) { $0 == question } == [question])
        try outside.wire.send(ARP.reply(from: away, to: leaving))
        let wanted = sent.map { Datagram(from: leaving, to: away, payload: $0.payload, hops: 63).frame }
        expect(outside.wire.receive(sent.count) { $0[12...13] == [8, 0] }, wanted)

        try checkNodes(guest)
        let text = try guest.stop()
        let last = try #require(text.split(separator: "\n").last, "\(text)")
        let status = try JSONDecoder().decode(Status.self, from: Data(last.utf8))
        expectConserved(status)
        #expect(status.received == 50 && status.sent == 50 && status.drops.isEmpty, "\(text)")
        // Each device has one queue, so worker 1 has rings to worker 0, and frames of its own.
        for interface in guest.cards.map(\.address) {
            let ports = status.ports.filter { $0.interface == interface }
            for name in ["NUMA node", "worker's NUMA node"] {
                let got = ports.map { port in port.features.first { $0.name == name }?.granted }
                #expect(got == ["0", "1"], "\(name): \(ports)")
            }
        }
    }

    /// The kernel's own word on where the memory of the workers lies: the tables of one for 10,000 streams are 10 MB.
    private func checkNodes(_ guest: Guest) throws {
        for node in [0, 1] {
            let pages = try guest.run(
                "tr ' ' '\\n' </proc/$program/numa_maps | awk -F = '/^N\(node)=/ { n += $2 } END { print n }'"
            )
            #expect(Int(pages.dropLast()) ?? 0 > 2_000, "node \(node): \(pages) pages")
        }
    }
}

/// RFC 826, over Ethernet, for IPv4.
enum ARP {
    static func request(from sender: Datagram.End, for address: [UInt8]) -> [UInt8] {
        frame([UInt8](repeating: 0xff, count: 6), 1, sender, [UInt8](repeating: 0, count: 6), address)
    }

    static func reply(from sender: Datagram.End, to target: Datagram.End) -> [UInt8] {
        frame(target.mac, 2, sender, target.mac, target.address)
    }

    private static func frame(
        _ to: [UInt8], _ operation: UInt8, _ sender: Datagram.End, _ mac: [UInt8], _ address: [UInt8]
    ) -> [UInt8] {
        let body = [0, 1, 8, 0, 6, 4, 0, operation] + sender.mac + sender.address + mac + address
        return to + sender.mac + [8, 6] + body + [UInt8](repeating: 0, count: 18)
    }
}
