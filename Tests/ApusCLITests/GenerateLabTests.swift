import Foundation
import NetworkLab
import Testing

/// `apus generate` between namespaces, judged by tcpdump and tshark.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct GenerateLabTests {
    @Test(
        .requires(.root, .program("tcpdump"), .program("tshark")),
        arguments: [
            ("xdp", "192.0.2.2:5004"), ("xdp", "[2001:db8::2]:5004"), ("packet", "192.0.2.2:5004"),
            ("packet", "[2001:db8::2]:5004"),
        ])
    func `exactly the packets that were asked for arrive, right in every field and in time`(
        backend: String, destination: String
    ) throws {
        let net = try Pair("generate")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcap")
        let capture = try net.tcpdump(file, "udp", "port", "5004")
        let run = try runApus(
            in: net.a,
            [
                "generate", "va", "--to", destination, "--rate", "5000", "--duration", "2", "--backend",
                backend,
                "--ssrc", "77", "--payload-type", "0", "--flows", "2", "--json",
            ])
        #expect(run.code == .exited(0), "\(run.errors)")
        let summary = try object(run.output)
        #expect(summary["packets"] as? Int == 10_000 && summary["backend"] as? String == backend)
        #expect((summary["drops"] as? [String: Any])?.isEmpty == true)
        let reached = try #require(summary["reachedRate"] as? Double)
        #expect((4850...5150).contains(reached), "\(reached)")
        try net.finish(capture, file)

        let isIPv6 = destination.hasPrefix("[")
        let rows = try fields(
            of: file, "frame.time_epoch", "udp.srcport", "rtp.ssrc", "rtp.seq", "rtp.timestamp", "rtp.p_type",
            "udp.checksum.status", "udp.length", isIPv6 ? "ipv6.hlim" : "ip.checksum.status")
        #expect(rows.count == 10_000)
        var wrong = 0
        for (index, row) in rows.enumerated() {
            let turn = index / 2
            let expected = [
                "\(49152 + index % 2)", index % 2 == 0 ? "0x0000004d" : "0x0000004e", "\(turn % 65536)",
                // 8000 ticks a second for 2500 packets a second.
                "\(turn * 16 / 5)", "0", "1", "180", isIPv6 ? "64" : "1",
            ]
            if Array(row.dropFirst()) != expected {
                wrong += 1
                if wrong == 1 { #expect(Array(row.dropFirst()) == expected, "packet \(index)") }
            }
        }
        #expect(wrong == 0)
        let times = rows.compactMap { Double($0[0]) }
        let seconds = try #require(times.last) - times[0]
        #expect((1.94...2.06).contains(seconds), "\(seconds) s")
    }

    @Test(.requires(.root)) func `a run shorter than a clock can tell has no rate`() throws {
        let net = try Pair("generate-few")
        defer { net.close() }
        let words = ["generate", "va", "--to", "192.0.2.2:5004", "-n", "5", "--rate", "max"]
        let run = try runApus(in: net.a, words)
        #expect(
            run.output.wholeMatch(
                of: /sent 5 packets, 1,070 bytes to 192.0.2.2:5004( in [1-9][0-9.]* [µm]s: .*)?\n/)
                != nil, "\(run.output)")
        let summary = try object(try runApus(in: net.a, words + ["--json"]).output)
        #expect(summary["reachedRate"] as? Double != 0, "\(summary)")
    }

    @Test(.requires(.root, .program("tcpdump"), .program("tshark")))
    func `plain UDP goes flat out, numbered and right`() throws {
        let net = try Pair("generate-max")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcap")
        let capture = try net.tcpdump(file, "udp", "port", "9")
        let run = try runApus(
            in: net.a,
            [
                "generate", "va", "--to", "192.0.2.2:9", "--from", "192.0.2.1:7000", "--udp", "--size", "18",
                "--rate", "max", "--count", "500",
            ])
        #expect(run.code == .exited(0), "\(run.errors)")
        #expect(run.output.hasPrefix("sent 500 packets, 30,000 bytes to 192.0.2.2:9 in "))
        try net.finish(capture, file)
        let rows = try fields(of: file, "udp.srcport", "udp.checksum.status", "data.data")
        #expect(rows.count == 500)
        let wrong = rows.enumerated().first { index, row in
            row[0] != "7000" || row[1] != "1" || row[2].prefix(16) != hex(index)
        }
        #expect(wrong == nil)
    }

    @Test(.requires(.root)) func `a destination that nobody answers for is a clear error within seconds`()
        throws
    {
        let net = try Pair("generate-nobody")
        defer { net.close() }
        let start = ContinuousClock.now
        let runs = try ["192.0.2.9:5004", "[2001:db8::9]:5004"].map { address in
            (address, try net.a.start([apusPath, "generate", "va", "--to", address, "--count", "1"]))
        }
        for (address, run) in runs {
            #expect(run.waitForExit(within: .seconds(60)) == .exited(69) && run.output == "")
            let host = address.split(separator: ":5004")[0].trimmingCharacters(in: ["[", "]"])
            #expect(
                run.errors.contains("\(host) has not told its Ethernet address on va in 3 s; "),
                "\(run.errors)")
            #expect(run.errors.contains("ip neigh show dev va"))
            let took = ContinuousClock.now - start
            #expect(took > .seconds(2.5) && took < .seconds(30), "\(took)")
        }
        let own = try runApus(in: net.a, ["generate", "va", "--to", "192.0.2.1:5004"])
        #expect(own.code == .exited(64) && own.errors.contains("192.0.2.1 is an address of this host itself"))
        let foreign = try runApus(
            in: net.a, ["generate", "va", "--to", "192.0.2.2:5004", "--from", "192.0.2.77:5004"])
        #expect(
            foreign.code == .exited(69) && foreign.errors.contains("no interface has the address 192.0.2.77"))
        let long = try runApus(in: net.a, ["generate", "va", "--to", "192.0.2.2:5004", "--size", "1473"])
        #expect(long.code == .exited(64))
        #expect(
            long.errors == "apus generate: --size: the MTU of 1500 on va leaves 1472 bytes, found 1473\n")
    }

    @Test(.requires(.root)) func `a next hop that comes up late is waited for`() throws {
        let net = try Pair("generate-late")
        defer { net.close() }
        try net.b.run("ip", "address", "del", "192.0.2.2/24", "dev", "vb")
        let running = try net.a.start([apusPath, "generate", "va", "--to", "192.0.2.2:5004", "--count", "10"])
        // It has asked, and nobody has answered.
        try eventually("the kernel asks for the next hop") {
            try net.a.run("ip", "neighbor", "show", "to", "192.0.2.2").standardOutput.contains("INCOMPLETE")
        }
        #expect(running.isRunning)
        try net.b.run("ip", "address", "add", "192.0.2.2/24", "dev", "vb")
        #expect(running.waitForExit(within: .seconds(30)) == .exited(0), "\(running.errors)")
        #expect(running.output.hasPrefix("sent 10 packets"))
    }

    @Test(.requires(.root)) func `SIGINT ends it with the summary of what was sent`() throws {
        let net = try Pair("generate-stop")
        defer { net.close() }
        let running = try net.a.start(
            [
                apusPath, "generate", "va", "--to", "192.0.2.2:5004", "--rate", "1000", "--duration", "60",
                "--json",
            ])
        try running.waitForLine(containing: "va: ", timeout: .seconds(30))
        func received() throws -> Int {
            let text = try net.b.run("cat", "/sys/class/net/vb/statistics/rx_packets").standardOutput
            return try #require(Int(text.dropLast()))
        }
        try eventually("it sends") { try received() > 100 }
        #expect(running.stop(SIGINT) == .exited(0), "\(running.errors)")
        let summary = try object(running.output)
        let packets = try #require(summary["packets"] as? Int)
        #expect(summary["interrupted"] as? Bool == true && packets > 90 && packets < 5000, "\(packets)")
        #expect(try received() >= packets)
    }

    @Test(.requires(.root)) func `what the kernel has not taken in time is named`() throws {
        let net = try Pair("generate-slow")
        defer { net.close() }
        // 10 packets a second, and room for all that the socket's buffer holds.
        try net.a.run(
            "tc", "qdisc", "add", "dev", "va", "root", "tbf", "rate", "80kbit", "burst", "2000", "limit",
            "10000000")
        let words = [
            "generate", "va", "--to", "192.0.2.2:5004", "--count", "3000", "--size", "1000", "--rate", "max",
            "--backend", "packet",
        ]
        let run = try runApus(in: net.a, words + ["--json"])
        #expect(run.code == .exited(0), "\(run.errors)")
        let summary = try object(run.output)
        let packets = try #require(summary["packets"] as? Int)
        let pending = try #require(summary["pending"] as? Int)
        let drops = try #require(summary["drops"] as? [String: Int])
        #expect(pending > 0 && packets + pending + drops.values.reduce(0, +) == 3000, "\(summary)")
        let text = try runApus(in: net.a, words).output
        #expect(text.contains("\nnot sent within a second: "), "\(text)")
    }

    @Test(.requires(.root, .program("setpriv")))
    func `without the capability it ends with 77 and the command that gives it`() throws {
        let net = try Pair("generate-user")
        defer { net.close() }
        for backend in ["auto", "xdp", "packet"] {
            let run = try runApus(
                in: net.a, ["generate", "va", "--to", "192.0.2.2:5004", "--backend", backend],
                prefix: unprivileged)
            #expect(run.code == .exited(77) && run.output == "")
            #expect(run.errors.contains("CAP_NET_RAW") && run.errors.contains("setcap"), "\(run.errors)")
        }
    }

    private func hex(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
