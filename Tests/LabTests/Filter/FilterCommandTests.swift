import Foundation
import NetworkLab
import Testing

extension Lab {
    /// `apus filter` as an operator types it.
    @Suite(.requires(.root, .program("ping"), .program("tcpdump"), .program("scapy"), .program("setpriv")))
    struct FilterCommandTests {
        @Test func `A filter is loaded by a file, limits, is asked, and is unloaded`() throws {
            let scene = try FilterScene("load")
            defer { scene.net.close() }
            let file = try scene.files.write(
                "rules.json5", "{ limits: [{ each: 'source', service: 'icmp', rate: '1/m', burst: 4 }] }")
            let loaded = try scene.fine("load vb --config \(file)")
            #expect(loaded.hasPrefix("vb: native mode, "), "\(loaded)")
            #expect(loaded.split(separator: "\n")[0].hasSuffix(", 0 entries, 1 limit"), "\(loaded)")
            #expect(try scene.answers() == 4)

            let text = try scene.fine("status vb")
            #expect(text.contains(/\ndropped +6  588 B\n  by limits +6  588 B\n/), "\(text)")
            #expect(
                text.contains(/\nsource icmp  1\/m +6  588 B\n/) || text.contains("source icmp"), "\(text)")
            #expect(text.contains("\nsources: 1 of 131,072 (0.00 %) in "), "\(text)")

            let status = try scene.status()
            #expect(status["interface"] as? String == "vb" && status["mode"] as? String == "native")
            #expect(status["policy"] as? String == "allow" && status["dryRun"] as? Bool == false)
            let dropped = ["packets": 6, "bytes": 588]
            #expect(status["dropped"] as? [String: Int] == dropped)
            let limits = try #require(status["limits"] as? [[String: Any]])
            #expect(limits.count == 1 && limits[0]["name"] as? String == "source icmp")
            #expect(limits[0]["dropped"] as? [String: Int] == dropped)
            #expect(limits[0]["service"] as? String == "icmp" && limits[0]["each"] as? String == "source")
            let reasons = try #require(status["reasons"] as? [String: [String: Int]])
            #expect(reasons.count == 16 && reasons["within"]!["packets"]! >= 4)

            #expect(try scene.fine("unload vb") == "vb: the filter is unloaded\n")
            try scene.expectNothing()
            #expect(try scene.answers() == 10)
            #expect(try scene.fine("status").hasPrefix("no filter is loaded in this network namespace; "))
            #expect(try scene.fine("status --json") == "{\"filters\":[]}\n")
        }

        @Test(arguments: ["native", "generic"])
        func `Entries and limits come and go one by one`(mode: String) throws {
            let scene = try FilterScene("lists")
            defer { scene.net.close() }
            #expect(try scene.fine("load vb --mode \(mode)").hasPrefix("vb: \(mode) mode, "))
            try scene.fine("deny vb 192.0.2.0/24")
            #expect(try scene.answers() == 0)
            try scene.fine("allow vb 192.0.2.1")
            #expect(try scene.answers() == 10)
            try scene.fine("limit vb --name few --rate 1/m --burst 3")
            // Sources that are allowed have no limits.
            #expect(try scene.answers() == 10)
            try scene.fine("allow vb 192.0.2.1 --limited")
            #expect(try scene.answers() == 3)
            try scene.fine("remove vb --limit few")
            #expect(try scene.answers() == 10)
            try scene.fine("remove vb 192.0.2.1")
            #expect(try scene.answers() == 0)
            try scene.fine("remove vb 192.0.2.0/24")
            try scene.fine("deny vb icmp --for 5s")
            #expect(try scene.answers() == 0)
            try eventually("what is denied for a time passes again") { try scene.answers() == 10 }
            let reasons = try #require(scene.status()["reasons"] as? [String: [String: Int]])
            #expect(
                reasons["denied_protocol"]!["packets"]! >= 10 && reasons["denied_source"]!["packets"] == 20)
            try scene.fine("unload --all")
            try scene.expectNothing()
        }

        @Test func `A source that overruns its limit is banned, and forgiven by remove`() throws {
            let scene = try FilterScene("ban")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --source any --rate 1pps --burst 2 --ban-over 2 --ban-for 10m")
            #expect(try scene.answers() < 10)
            #expect(try scene.answers() == 0)
            let bans = try #require(scene.status()["bans"] as? [[String: Any]])
            #expect(bans.count == 1 && bans[0]["source"] as? String == "192.0.2.1")
            #expect(bans[0]["limit"] as? String == "source")
            #expect((590...600).contains(try #require(bans[0]["seconds"] as? Double)))
            #expect(try scene.fine("status vb").contains(/\n192\.0\.2\.1 +9m5\ds +source\n/))
            try scene.fine("remove vb 192.0.2.1 --limit source")
            #expect(try scene.answers() == 10)
            try scene.fine("unload vb")
        }

        @Test func `In a dry run all passes and drops are counted`() throws {
            let scene = try FilterScene("dry")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", "{ deny: ['icmp'] }")
            let loaded = try scene.fine("load vb --config \(file) --dry-run")
            #expect(loaded.contains(", 1 entry, 0 limits, dry run: all packets pass\n"), "\(loaded)")
            #expect(try scene.answers() == 10)
            #expect(try (scene.status()["dropped"] as? [String: Int])?["packets"] == 10)
            #expect(
                try scene.fine("status vb").contains("  dry run: all packets pass, and what is dropped below")
            )
            #expect(
                try scene.fine("reload vb --config \(file)")
                    == "vb: the rules are in force, 1 entry, 0 limits\n")
            #expect(try scene.answers() == 0)
            try scene.fine("unload vb")
        }

        @Test func `What is dumped is loaded as the same`() throws {
            let scene = try FilterScene("dump")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("deny vb 203.0.113.0/24 2001:db8:bad::/48 from:udp/11211 tcp/6000-6063 gre")
            try scene.fine("allow vb 192.0.2.0/24 --limited")
            try scene.fine(
                "limit vb --source /22,/56 --service udp/5004 --rate 1kpps --rate 10Mbit --burst 50")
            try scene.fine("limit vb --source any --each-port --rate 50Mbit --burst 1MiB --name ports")
            let text = try scene.fine("dump vb")
            let file = try scene.files.write("dump.json5", text)
            try scene.fine("reload vb --config \(file)")
            #expect(try scene.fine("dump vb") == text)
            try scene.fine("unload vb")
            try scene.fine("load vb --config \(file)")
            #expect(try scene.fine("dump vb") == text)
            #expect(
                text.contains("\"from:udp/11211\"") && text.contains("prefixes: [\"/22\", \"/56\"]"),
                "\(text)")
            try scene.fine("unload vb")
        }

        @Test func `The heaviest sources are seen in a reading of a second`() throws {
            let scene = try FilterScene("top")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --source any --rate 10pps --burst 5")
            let ping = try scene.net.a.start(["ping", "-i", "0.01", "-c", "800", "-W", "1", "192.0.2.2"])
            usleep(300_000)
            let reading = try scene.run("top vb --once --json").object()
            let sources = try #require(reading["sources"] as? [[String: Any]])
            #expect(sources.count >= 1 && sources[0]["source"] as? String == "192.0.2.1", "\(reading)")
            #expect(sources[0]["limit"] as? String == "source")
            let dropped = try #require(sources[0]["droppedPackets"] as? Int)
            #expect(dropped > 20, "\(reading)")
            let text = try scene.fine("top vb --once --by dropped -n 1")
            #expect(text.contains(/\n192\.0\.2\.1 +source/), "\(text)")
            // It goes on until it is told to end.
            let live = try scene.start("top vb --json")
            try eventually("two readings") { live.output.split(separator: "\n").count >= 2 }
            #expect(live.stop(SIGINT) == .exited(0))
            ping.stop(SIGINT)
            try scene.fine("unload vb")
        }

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
            #expect(run.errors == "\(start)the policy is to deny\(way)\n" && run.code == 0)
            #expect(run.output == "\(denying): fine: 0 entries, 0 limits\n")
            try scene.expectNothing()
            run = try scene.run("load vb --config \(denying)", environment: ssh)
            #expect(
                run.errors == "\(start)the policy is to deny\(way), or undo it from the console with "
                    + "`apus filter unload vb`\n")
            #expect(run.code == 0)
            run = try scene.run("reload vb --config \(fine)", environment: ssh)
            #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
            try scene.fine("unload vb")
            try scene.fine("load vb")
            run = try scene.run("deny vb 192.0.2.0/24", environment: ssh)
            #expect(
                run.errors == "\(start)the source is denied\(way), or undo it from the console with "
                    + "`apus filter remove vb 192.0.2.0/24`\n")
            #expect(try scene.answers() == 0)
            // What was said is not said again.
            run = try scene.run("deny vb gre", environment: ssh)
            #expect(run.errors.isEmpty, "\(run)")
            try scene.fine("remove vb 192.0.2.0/24")
            run = try scene.run("limit vb --source any --rate 1pps", environment: ssh)
            #expect(
                run.errors
                    == "\(start)the limit \"source\" has no room\(way), or undo it from the console with "
                    + "`apus filter remove vb --limit source`\n", "\(run)")
            // Not of one that comes in by another interface, nor where all passes.
            run = try scene.run(
                "deny vb 127.0.0.1", environment: ["SSH_CONNECTION": "127.0.0.1 40000 127.0.0.1 2222"])
            #expect(run.errors.isEmpty, "\(run)")
            run = try scene.run("reload vb --config \(denying) --dry-run", environment: ssh)
            #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
            // By who is allowed where nobody else is.
            let allowing = try scene.files.write("allow.json5", "{ policy: 'deny', allow: ['192.0.2.1'] }")
            run = try scene.run("reload vb --config \(allowing)", environment: ssh)
            #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
            run = try scene.run("remove vb 192.0.2.1", environment: ssh)
            #expect(
                run.errors == "\(start)the policy is to deny\(way), or undo it from the console with "
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
            #expect(run.code == 0 && run.errors.isEmpty, "\(run)")
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
            for words in ["status vb", "deny vb gre", "unload vb", "top vb", "export vb"] {
                try refused(words, 69, notLoaded)
            }
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
                    + "mount it with `mount -t bpf bpf /sys/fs/bpf`")
        }

        @Test func `Commands at once change the filter one after the other`() throws {
            let scene = try FilterScene("both")
            defer { scene.net.close() }
            try scene.fine("load vb")
            let commands = try (1...6).flatMap { number in
                [try scene.start("deny vb 203.0.113.\(number)"), try scene.start("deny vb udp/\(number)")]
            }
            for one in commands {
                #expect(one.waitForExit(within: .seconds(20)) == .exited(0), "\(one.errors)")
            }
            let text = try scene.fine("dump vb")
            for number in 1...6 {
                #expect(
                    text.contains("\"203.0.113.\(number)\"") && text.contains("\"udp/\(number)\""), "\(text)")
            }
            try scene.fine("unload vb")
            // Of two that load one has loaded.
            let both = [try scene.start("load vb"), try scene.start("load vb")]
            let codes = both.map { $0.waitForExit(within: .seconds(20)) }
            #expect(codes.contains(.exited(0)) && codes.contains(.exited(69)), "\(codes)")
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `The figures are metrics of Prometheus`() throws {
            let scene = try FilterScene("export")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --rate 1/m --burst 4")
            #expect(try scene.answers() < 10)
            func dropped() throws -> Int {
                let limits = try #require(scene.status()["limits"] as? [[String: Any]])
                return try #require((limits[0]["dropped"] as? [String: Int])?["packets"])
            }
            // The kernel at the other end may say something of its own meanwhile.
            let before = try dropped()
            let text = try scene.fine("export")
            let after = try dropped()
            var types: Set<Substring> = []
            for line in text.split(separator: "\n") {
                if let type = line.firstMatch(of: /^# TYPE ([a-z_]+) (counter|gauge)$/) {
                    #expect(types.insert(type.1).inserted, "\(line)")
                } else if !line.hasPrefix("# HELP ") {
                    let sample = line.firstMatch(of: /^([a-z_]+)\{interface="vb"(,[a-z]+="[^"]*")*\} \d+$/)
                    #expect(sample.map { types.contains($0.1) } == true, "\(line)")
                }
            }
            let drops = try #require(
                text.firstMatch(
                    of: /apus_filter_limit_dropped_packets_total\{interface="vb",limit="all"\} (\d+)/))
            #expect(try (before...after).contains(#require(Int(drops.1))) && before > 0)
            try scene.fine("unload vb")
            #expect(try scene.fine("export").contains("# TYPE apus_filter_packets_total counter\n"))
        }

        @Test(.requires(.program("fish")))
        func `Shells offer the rules in force for remove`() throws {
            let scene = try FilterScene("words")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("deny vb 203.0.113.0/24 from:udp/11211 gre 2001:db8::7")
            let words = ["limit", "vb", "--rate", "1pps", "--name", "$(touch pwned) x"]
            try scene.net.b.run([ApusProgram.path, "filter"] + words)
            let folder = URL(fileURLWithPath: ApusProgram.path).deletingLastPathComponent().path
            func offers(_ line: String) throws -> [String] {
                let script = """
                    cd '\(scene.files.path)' && export PATH='\(folder)':$PATH && source <(apus completion bash)
                    COMP_LINE='\(line)'; COMP_POINT=${#COMP_LINE}
                    read -ra COMP_WORDS <<< "${COMP_LINE//:/ : }"
                    [[ $COMP_LINE == *' ' || $COMP_LINE == *: ]] && COMP_WORDS+=("")
                    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _apus; printf '%s\\n' "${COMPREPLY[@]}"
                    """
                return try scene.net.b.run("bash", "-c", script).standardOutput.split(separator: "\n").map(
                    String.init)
            }
            #expect(
                try Set(offers("apus filter remove vb ")) == [
                    "203.0.113.0/24", "from:udp/11211", "gre", "2001:db8::7",
                ])
            #expect(try offers("apus filter remove vb 203") == ["203.0.113.0/24"])
            #expect(try offers("apus filter remove vb gre 203") == ["203.0.113.0/24"])
            // Only what is behind the last colon is replaced.
            #expect(try offers("apus filter remove vb from:") == ["udp/11211"])
            #expect(try offers("apus filter remove vb from:udp/1") == ["udp/11211"])
            #expect(try offers("apus filter remove vb --limit ") == [#"\$\(touch\ pwned\)\ x"#])
            let fish = try scene.net.b.run(
                "fish", "--no-config", "-c",
                """
                cd '\(scene.files.path)'; set PATH '\(folder)' $PATH; apus completion fish | source
                complete -C "apus filter remove vb 203"; complete -C "apus filter remove vb --limit "
                """
            ).standardOutput.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
            #expect(fish == ["203.0.113.0/24", "$(touch pwned) x"], "\(fish)")
            #expect(scene.files.read("pwned").isEmpty && scene.files.size("pwned") == 0)
            try scene.fine("unload vb")
        }
    }
}
