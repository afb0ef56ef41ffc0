import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What `apus filter` says: of captures, of the SSH connection it runs in, and of wrong words.
    @Suite(.requires(.root, .program("ping"), .program("tcpdump"), .program("scapy"), .program("setpriv")))
    struct FilterAnswerTests {
        @Test func `A capture is explained as the filter has judged it`() throws {
            let scene = try FilterScene("explain")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --source any --service icmp --rate 1/m --burst 4")
            let file = scene.files("pings.pcap")
            let capture = try scene.net.a.start([
                "tcpdump", "-i", "va", "-nn", "-U", "--immediate-mode", "-Q", "out", "-w", file, "icmp",
            ])
            try capture.waitForLine(containing: "listening on")
            #expect(try scene.answers() == 4)
            try eventually("the capture is written") { scene.files.size("pings.pcap") >= 24 + 10 * (16 + 98) }
            capture.stop(SIGINT)
            let text = try scene.fine("explain vb --pcap \(file)")
            let lines = text.split(separator: "\n").map(String.init)
            #expect(lines.count == 13, "\(text)")
            #expect(
                lines[0]
                    == "1  0.000000  pass  192.0.2.1 > 192.0.2.2 icmp, 98 octets: within all limits: source icmp"
            )
            #expect(
                lines[4].hasSuffix(
                    "drop  192.0.2.1 > 192.0.2.2 icmp, 98 octets: the limit \"source icmp\" has no room"))
            #expect(
                lines[10...] == [
                    "10 packets: 4 pass, 6 dropped", "  4  within all limits",
                    "  6  the limit \"source icmp\" has no room",
                ], "\(text)")
            // Nothing of it was charged to those of the interface.
            let limits = try #require(scene.status()["limits"] as? [[String: Any]])
            #expect((limits[0]["dropped"] as? [String: Int])?["packets"] == 6)

            // The times in the file count, and each rule is named.
            try scene.fine("deny vb 203.0.113.0/24 from:udp/11211 udp/4000-4010 gre")
            try scene.fine("allow vb 203.0.113.7")
            let made = scene.files("made.pcap")
            let script = """
                from scapy.all import *
                ether = Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02")
                def ip(source): return ether / IP(src=source, dst="192.0.2.2")
                frames = [ip("203.0.113.8") / UDP(sport=1, dport=2), ip("203.0.113.7") / UDP(sport=1, dport=2),
                    ip("192.0.2.9") / UDP(sport=11211, dport=2), ip("192.0.2.9") / UDP(sport=1, dport=4003),
                    ip("192.0.2.9") / GRE(), ip("192.0.2.9") / TCP(sport=1, dport=22),
                    ether / ARP(pdst="192.0.2.2"), ether / Raw(b"abc")] + [ip("192.0.2.9") / ICMP() for n in range(6)]
                times = [1000 + n for n in range(8)] + [1010] * 5 + [1100]
                for frame, time in zip(frames, times): frame.time = time
                wrpcap("\(made)", frames)
                """
            try scene.net.a.run(["/usr/bin/python3", "-c", script], timeout: .seconds(60))
            let run = try scene.run("explain vb --pcap \(made) --json")
            let objects = try run.output.split(separator: "\n").map {
                try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
            }
            #expect(run.code == 0 && objects.count == 15, "\(run)")
            let found = objects.dropLast().map { one in
                "\(one["verdict"]!) \(one["reason"]!) \(one["rule"] ?? "-")"
            }
            #expect(
                found == [
                    "drop denied_source 203.0.113.0/24", "pass allowed_source 203.0.113.7",
                    "drop denied_source_port from:udp/11211", "drop denied_port udp/4000-4010",
                    "drop denied_protocol gre", "pass management -", "pass neighbor -",
                    "pass not_ip_allowed -",
                ] + [String](repeating: "pass within -", count: 4) + [
                    "drop limit source icmp", "pass within -",
                ], "\(found)")
            let summary = try #require(objects.last?["summary"] as? [String: Any])
            #expect(summary["packets"] as? Int == 14)
            // Longer than a page, as the kernel merges them.
            let long = scene.files("long.pcap")
            try scene.net.a.run([
                "/usr/bin/python3", "-c",
                "from scapy.all import *; wrpcap('\(long)', [Ether(src='02:00:00:00:00:02', dst='02:00:00:00:00:01') / "
                    + "IP(src='192.0.2.9', dst='192.0.2.2') / UDP(dport=9) / Raw(b'x' * n) for n in (8000, 60000)])",
            ])
            #expect(try scene.fine("explain vb --pcap \(long)").contains("2 packets: 2 pass, 0 dropped\n"))
            let hex =
                "ffffffffffff0200000000020800" + "4500001c0000000040010000" + "cb007108c0000202"
                + "0800f7ff00000000"
            #expect(
                try scene.fine("explain vb --hex \(hex)").hasPrefix(
                    "1  0.000000  drop  203.0.113.8 > 192.0.2.2 icmp, 42 octets: the source is denied: 203.0.113.0/24\n"
                ))
            try scene.fine("unload vb")
        }

        @Test func `Rules that cut the SSH connection are warned of, and are in force`() throws {
            let scene = try FilterScene("ssh")
            defer { scene.net.close() }
            let ssh = ["SSH_CONNECTION": "192.0.2.1 40000 192.0.2.2 2222"]
            let start =
                "warning: these rules drop packets of the SSH connection that this command runs in, from 192.0.2.1 to "
                + "192.0.2.2:2222: "
            let way = "; write management: ['tcp/2222'] in a file of rules to let it pass"
            let denying = try scene.files.write("deny.json5", "{ policy: 'deny' }")
            let fine = try scene.files.write("fine.json5", "{ policy: 'deny', management: ['tcp/2222'] }")

            // Only checked, nothing is loaded.
            var run = try scene.run("load vb --config \(denying) --check", environment: ssh)
            #expect(run.warnings == "\(start)the policy is to deny\(way)\n" && run.code == 0)
            #expect(run.output == "\(denying): fine: 0 entries, 0 limits\n")
            try scene.expectNothing()
            run = try scene.run("load vb --config \(denying)", environment: ssh)
            #expect(
                run.warnings == "\(start)the policy is to deny\(way), or undo it from the console with "
                    + "`apus filter unload vb`\n")
            #expect(run.code == 0)
            run = try scene.run("reload vb --config \(fine)", environment: ssh)
            #expect(run.code == 0 && run.warnings.isEmpty, "\(run)")
            try scene.fine("unload vb")
            try scene.fine("load vb")
            run = try scene.run("deny vb 192.0.2.0/24", environment: ssh)
            #expect(
                run.warnings == "\(start)the source is denied\(way), or undo it from the console with "
                    + "`apus filter remove vb 192.0.2.0/24`\n")
            #expect(try scene.answers() == 0)
            // What was said is not said again.
            run = try scene.run("deny vb gre", environment: ssh)
            #expect(run.warnings.isEmpty, "\(run)")
            try scene.fine("remove vb 192.0.2.0/24")
            run = try scene.run("limit vb --source any --rate 1pps", environment: ssh)
            #expect(
                run.warnings
                    == "\(start)the limit \"source\" has no room\(way), or undo it from the console with "
                    + "`apus filter remove vb --limit source`\n", "\(run)")
            // Not of one that comes in by another interface, nor where all passes.
            run = try scene.run(
                "deny vb 127.0.0.1", environment: ["SSH_CONNECTION": "127.0.0.1 40000 127.0.0.1 2222"])
            #expect(run.warnings.isEmpty, "\(run)")
            run = try scene.run("reload vb --config \(denying) --dry-run", environment: ssh)
            #expect(run.code == 0 && run.warnings.isEmpty, "\(run)")
            // By who is allowed where nobody else is.
            let allowing = try scene.files.write("allow.json5", "{ policy: 'deny', allow: ['192.0.2.1'] }")
            run = try scene.run("reload vb --config \(allowing)", environment: ssh)
            #expect(run.code == 0 && run.warnings.isEmpty, "\(run)")
            run = try scene.run("remove vb 192.0.2.1", environment: ssh)
            #expect(
                run.warnings == "\(start)the policy is to deny\(way), or undo it from the console with "
                    + "`apus filter allow vb 192.0.2.1`\n", "\(run)")
            // IPv6, and port 22, which is management.
            try scene.fine("unload vb")
            try scene.fine("load vb")
            run = try scene.run(
                "deny vb 2001:db8::/32", environment: ["SSH_CONNECTION": "2001:db8::1 4 2001:db8::2 222"])
            #expect(
                run.errors.contains("from 2001:db8::1 to [2001:db8::2]:222: the source is denied; "), "\(run)"
            )
            run = try scene.run(
                "deny vb 192.0.2.1", environment: ["SSH_CONNECTION": "192.0.2.1 40000 192.0.2.2 22"])
            #expect(run.code == 0 && run.warnings.isEmpty, "\(run)")
            try scene.fine("unload vb")
        }

        @Test func `Wrong words end with a sentence, and its code`() throws {
            let scene = try FilterScene("wrong")
            defer { scene.net.close() }
            func refused(
                _ words: String, _ code: Int32, _ text: String, as prefix: [String] = [],
                _ location: SourceLocation = #_sourceLocation
            ) throws {
                let run = try scene.run(words, as: prefix)
                let name = words.split(separator: " ")[0]
                #expect(run.code == code, "\(words): \(run)", sourceLocation: location)
                #expect(
                    run.errors == "apus filter \(name): \(text)\n" && run.output.isEmpty, "\(words): \(run)",
                    sourceLocation: location)
            }
            let none = "no such interface in this network namespace; there are: lo, vb"
            for words in ["load nope", "unload nope", "status nope", "deny nope gre", "dump nope"] {
                try refused(words, 66, "nope: \(none)")
            }
            let notLoaded = "vb: no filter is loaded; load one with `apus filter load vb`"
            for words in ["status vb", "deny vb gre", "top vb", "export vb"] {
                try refused(words, 69, notLoaded)
            }
            try refused("unload vb", 69, "vb: no filter is loaded")
            try refused(
                "load vb --mode offload", 69,
                "vb: a NIC runs no program that keeps the state of limits for all queues, so the filter can't be "
                    + "offloaded; use --mode native, or auto")
            try scene.fine("load vb")
            try refused(
                "load vb", 69,
                "vb: a filter is loaded already; change its rules with `apus filter reload vb --config FILE`")
            try refused("remove vb gre", 66, "vb: there is no entry gre")
            try refused("remove vb --limit x", 66, "vb: there is no limit \"x\"; there are no limits")
            try scene.fine("limit vb --rate 1pps")
            try refused("remove vb --limit x", 66, "vb: there is no limit \"x\"; the limits are \"all\"")
            try refused(
                "limit vb --source any --rate 1pps --name all --service udp/5 --burst 100000", 64,
                "a burst of \"100000\" is more than its rate gives in a day; write a smaller burst, or a higher rate"
            )
            try scene.fine("deny vb udp/10-20")
            try refused(
                "deny vb udp/15-25", 64,
                "udp/15-25 and udp/10-20 overlap, and neither is a part of the other, so nothing says which decides; "
                    + "write ranges that do not")
            try refused(
                "explain vb --pcap /nonexistent.pcap", 66,
                """
                "/nonexistent.pcap" cannot be read as a capture: No such file or directory
                """)
            let unprivileged = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
            let run = try scene.run("status", as: unprivileged)
            #expect(run.code == 77 && run.errors.contains("CAP_BPF"), "\(run)")
            #expect(try scene.run("load vb", as: unprivileged).code == 77)
            try scene.fine("unload vb")
            try scene.net.b.run("umount", "/sys/fs/bpf")
            try refused(
                "load vb", 69,
                "vb: no BPF file system is mounted at /sys/fs/bpf, and without one a filter can't stay; "
                    + "mount it with `mount -t bpf -o mode=0700 bpf /sys/fs/bpf`")
        }
    }
}
