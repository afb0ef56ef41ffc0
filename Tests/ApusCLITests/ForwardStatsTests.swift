import Apus
import Foundation
import Testing

@testable import ApusCLI

/// Statuses as a forwarder would give them, by way of the JSON that it gives to others.
private func status(
    uptime: Double, packets: [UInt64], drops: [String: Int] = [:], names: [String]? = nil,
    unreachable: [String: String] = [:], rtp: Bool = true, jitter: Double? = 1.25, isOpen: Bool = true,
    devices: [[String: Any]] = []
) throws -> ForwarderStatus {
    let total = packets.reduce(0, +)
    let streams = packets.enumerated().map { index, count -> [String: Any] in
        var figures: [String: Any] = [
            "packets": count, "bytes": count * 1000, "sent": count, "dropped": 0, "notRTP": 0, "rtcp": 0,
            "unmeasured": 0, "lost": count / 10, "reordered": 2, "duplicates": 0, "restarts": 0,
            "sourceChanges": 0, "lastArrival": 1_000_000_000_000 as UInt64,
        ]
        if rtp { (figures["ssrc"], figures["payloadType"], figures["jitter"]) = (0xbeef, 96, jitter) }
        return [
            "name": names?[index] ?? "stream\(index)", "listen": "192.0.2.1:\(5004 + index)",
            "destinations": ["198.51.100.7:5004"], "figures": figures,
        ]
    }
    let object: [String: Any] = [
        "received": total, "receivedBytes": total * 1042, "accepted": total, "copies": total, "sent": total,
        "sentBytes": total * 1042, "waiting": 0, "completedChecksums": 0, "unverifiedChecksums": 0,
        "stalls": 0,
        "drops": drops, "streams": streams,
        "interfaces": [
            [
                "name": "eth0", "isOpen": isOpen, "isReceiving": isOpen, "isListening": true,
                "reason": isOpen ? nil : "it went",
            ]
                as [String: Any?]
        ].map { $0.compactMapValues(\.self) },
        "ports": [
            [
                "interface": "eth0", "queue": 0, "backend": "xdp", "isOpen": isOpen,
                "features": [
                    ["name": "backend", "requested": "auto", "granted": "xdp"],
                    ["name": "XDP mode", "requested": "auto", "granted": "native"],
                    ["name": "zero-copy", "requested": "auto", "granted": "yes"],
                ],
                "received": total, "receivedBytes": 0, "sent": total, "sentBytes": 0, "pending": 0,
                "drops": [:],
            ] as [String: Any]
        ],
        "devices": devices,
        "steering": [
            ["interface": "eth0", "steered": total, "passed": ["not_ip": 0, "fragment": 3, "no_port": 1200]]
                as [String: Any]
        ], "unreachable": unreachable, "uptime": uptime,
    ]
    return try JSONDecoder().decode(
        ForwarderStatus.self, from: JSONSerialization.data(withJSONObject: object))
}

private func page(
    _ old: ForwarderStatus?, _ new: ForwarderStatus, width: Int = 120, height: Int = 40
) -> [String] {
    ForwardStatsPage(
        new, ForwarderRates(from: old, to: new), width: width, style: Style(isOn: false),
        now: 1_005_000_000_000
    ).lines(height: height)
}

@Suite struct ForwardStatsTests {
    @Test func `the page has totals, streams by rate, drops by reason, and ports with what was granted`()
        throws
    {
        let old = try status(uptime: 10, packets: [1000, 2000], drops: ["no_stream": 10])
        let new = try status(
            uptime: 12, packets: [5000, 3000], drops: ["no_stream": 30, "not_udp": 1],
            unreachable: ["198.51.100.9:5004": "no route"])
        let expected = """
            up 0:00:12, 2 streams
                      packets/s   bit/s  packets     bytes
            received     2.50 k  20.8 M    8,000  7.95 MiB
            sent         2.50 k  20.8 M    8,000  7.95 MiB
            dropped          11               31

            stream   listen          packets/s   bit/s    loss  reordered  dup   jitter        SSRC  last
            stream0  192.0.2.1:5004     2.00 k  16.0 M  9.09 %          2    0  1.25 ms  0x0000beef   5 s
            stream1  192.0.2.1:5005        500  4.00 M  9.09 %          2    0  1.25 ms  0x0000beef   5 s

            dropped because of  packets/s  packets
            no_stream                  10       30
            not_udp                  0.50        1

            port    backend  granted            received/s  sent/s  dropped
            eth0:0  xdp      native, zero-copy      2.50 k  2.50 k        0

            XDP program  steered  left to the kernel
            eth0           8,000  fragment 3, no_port 1,200

            198.51.100.9:5004 can't be reached: no route
            """
        #expect(page(old, new).joined(separator: "\n") == expected)
    }

    @Test func `without an earlier status there are totals and no rates`() throws {
        let lines = page(nil, try status(uptime: 1, packets: [7], rtp: false))
        #expect(lines[2].split(separator: " ") == ["received", "0", "0", "7", "7.12", "KiB"])
        let row = try #require(lines.first { $0.hasPrefix("stream0") })
        #expect(
            row.split(separator: " ") == [
                "stream0", "192.0.2.1:5004", "0", "0", "-", "-", "-", "-", "-", "5", "s",
            ])
    }

    @Test func `an interface that is gone is told of on the page, the line and the summary`() throws {
        let gone = try status(uptime: 1, packets: [7], isOpen: false)
        let text = "interface eth0 is not open: it went"
        #expect(page(nil, gone).contains(text))
        let port = try #require(page(nil, gone).first { $0.hasPrefix("eth0:0") })
        #expect(port.split(separator: " ") == ["eth0:0", "xdp", "closed", "0", "0", "0"])
        #expect(ForwardSummary.lines(gone, isRunning: true).contains(text))
        #expect(ForwardStatsLine.text(gone, ForwarderRates(from: nil, to: gone)).contains(text))
        #expect(!page(nil, try status(uptime: 1, packets: [7])).contains { $0.contains("not open") })
        var deaf = try status(uptime: 1, packets: [7])
        deaf.interfaces[0].reason = "down, so no packets come"
        let down = "interface eth0: down, so no packets come"
        #expect(page(nil, deaf).contains(down) && ForwardSummary.lines(deaf, isRunning: true).contains(down))
    }

    @Test func `a device has a row on the page, and its messages, drops and neighbors in the summary`() throws
    {
        let device: [String: Any] = [
            "interface": "net_tap0", "mac": "02:00:00:00:00:01", "mtu": 1500, "node": 1,
            "addresses": ["192.0.2.2/24", "fe80::1/64"], "isLinkUp": true, "linkMegabits": 10_000,
            "isFullDuplex": true,
            "linkChanges": 2, "handed": 1202, "transmitted": 14, "received": ["arp": 1200, "icmpv4": 2],
            "noted": 1, "reported": 0,
            "believed": 0,
            "sent": ["arp_reply": 3, "echo_reply": 2, "solicitation": 9],
            "drops": ["host_queue_full": 4, "unsolicited": 1], "conflicts": 0,
            "neighbors": ["reachable": 1, "failed": 2], "neighborEvents": ["failed": 3], "narrowPaths": 1,
        ]
        let new = try status(uptime: 1, packets: [7], devices: [device])
        let lines = page(nil, new)
        let title = try #require(lines.firstIndex { $0.hasPrefix("device ") })
        #expect(
            lines[title...(title + 1)] == [
                "device    link                        messages  answered  dropped  neighbors",
                "net_tap0  up, 10 Gbit/s, full duplex     1,202         5        5  failed 2, reachable 1",
            ])
        let summary = ForwardSummary.lines(new)
        for line in [
            "device net_tap0 has 02:00:00:00:00:01, MTU 1500, NUMA node 1",
            "device net_tap0 addresses 192.0.2.2/24, fe80::1/64",
            "device net_tap0 link up, 10 Gbit/s, full duplex, changed 2 times",
            "device net_tap0 received arp 1,200, icmpv4 2",
            "device net_tap0 sent arp_reply 3, echo_reply 2, solicitation 9",
            "device net_tap0 dropped host_queue_full 4, unsolicited 1",
            "device net_tap0 neighbors failed 2, reachable 1", "device net_tap0 neighbor events failed 3",
            "device net_tap0 paths of a smaller MTU 1",
        ] { #expect(summary.contains(line), "\(line): \(summary)") }
    }

    @Test func `jitter that can't be measured is said to be unknown`() throws {
        let unknown = try status(uptime: 1, packets: [7], jitter: nil)
        let row = try #require(page(nil, unknown).first { $0.hasPrefix("stream0") })
        #expect(row.split(separator: " ").contains("unknown"), "\(row)")
        let lines = ForwardSummary.lines(unknown)
        #expect(
            lines.contains { $0.hasSuffix("duplicates 0, jitter unknown, as the clock rate is") }, "\(lines)")
        let other = ForwardSummary.lines(try status(uptime: 1, packets: [7], rtp: false))
        #expect(!other.contains { $0.contains("jitter") })
    }

    @Test func `ten thousand streams fit the terminal`() throws {
        var packets = Array(repeating: 0 as UInt64, count: 10_000)
        let old = try status(uptime: 1, packets: packets)
        packets[7654] = 900
        let new = try status(uptime: 2, packets: packets, drops: ["no_stream": 1])
        for (width, height) in [(80, 8), (80, 12), (100, 20), (40, 24), (120, 50)] {
            let lines = page(old, new, width: width, height: height)
            #expect(lines.count <= height)
            #expect(lines.allSatisfy { displayWidth($0) <= width })
            let first = try #require(lines.firstIndex { $0.hasPrefix("stream ") })
            if height > first + 2 { #expect(lines[first + 1].hasPrefix("stream7654")) }
            guard height >= 20 else { continue }
            let shown = lines.filter { $0.hasPrefix("stream") }.count - 1
            #expect(shown >= 3)
            #expect(lines.contains("… and \(Units.count(10_000 - shown)) more"))
            // All else is still in sight.
            #expect(lines.contains { $0.hasPrefix("no_stream") } && lines.contains { $0.hasPrefix("eth0:0") })
        }
    }

    @Test func `streams keep their rates when a reload changes their order`() throws {
        let old = try status(uptime: 1, packets: [1000, 10], names: ["a", "b"])
        let new = try status(uptime: 2, packets: [15, 1100, 4], names: ["b", "a", "new"])
        #expect(ForwarderRates(from: old, to: new).streams.map(\.packets) == [5, 100, 4])
        // A stream that was put back counts from zero.
        let back = try status(uptime: 3, packets: [3, 1100, 4], names: ["b", "a", "new"])
        #expect(ForwarderRates(from: new, to: back).streams.map(\.packets) == [3, 0, 0])
    }

    @Test func `elsewhere than on a terminal it is one line`() throws {
        let old = try status(uptime: 10, packets: [1000])
        let new = try status(uptime: 12, packets: [5000], drops: ["no_stream": 4], unreachable: ["a": "b"])
        #expect(
            ForwardStatsLine.text(new, ForwarderRates(from: old, to: new))
                == "received 2.00 k packets/s 16.7 Mbit/s; sent 2.00 k packets/s 16.7 Mbit/s; "
                + "dropped 2 packets/s; in all 5,000 received, 5,000 sent, 4 dropped; "
                + "1 destinations can't be reached")
    }

    @Test func `the summary has drops by reason and the busiest twenty streams`() throws {
        let packets = (0..<50).map { UInt64($0) }
        let lines = ForwardSummary.lines(
            try status(uptime: 3661, packets: packets, drops: ["no_stream": 2, "not_udp": 40]))
        #expect(lines[0] == "ran for 1:01:01")
        #expect(lines[3...5] == ["dropped 42 packets", "  not_udp 40", "  no_stream 2"])
        #expect(lines[6] == "interface eth0 left to the kernel fragment 3, no_port 1,200")
        #expect(
            lines[7]
                == "stream stream49: received 49, sent 49, lost 4 (7.55 %), reordered 2, duplicates 0, jitter 1.25 ms"
        )
        #expect(lines.count == 7 + 20 + 1)
        #expect(lines.last == "… and 30 more streams")
    }

    @Test func `packets that wait for their next hop are named while it runs`() throws {
        var waiting = try status(uptime: 1, packets: [10], drops: [:])
        waiting.waiting = 10
        #expect(
            ForwardSummary.lines(waiting, isRunning: true)[3...4] == [
                "dropped 0 packets", "waiting for their next hop 10 packets",
            ])
        let line = ForwardStatsLine.text(waiting, ForwarderRates(from: waiting, to: waiting))
        #expect(line.contains(" 0 dropped, 10 waiting"), "\(line)")
    }

    @Test func `ages and times are short`() {
        #expect(
            [0, 7.9, 59.9, 3599, 360_000].map(ForwardStatsPage.clock) == [
                "0:00:00", "0:00:07", "0:00:59", "0:59:59", "100:00:00",
            ])
        let now: UInt64 = 1_000_000 * 1_000_000_000
        func age(_ seconds: UInt64) -> String { ForwardStatsPage.age(now - seconds * 1_000_000_000, now) }
        #expect(
            [0, 1, 2, 119, 120, 7200, 200_000].map(age) == [
                "now", "now", "2 s", "119 s", "2 min", "2 h", "2 d",
            ])
        #expect(ForwardStatsPage.age(0, now) == "-")
    }
}
