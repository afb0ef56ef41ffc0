import Foundation
import NetworkLab
import Testing

extension Lab {
    /// `apus filter` as an operator types it: filters and rules come, change and go.
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
            #expect(text.contains(/\nsource icmp  1\/m +6 +588 B\n/), "\(text)")
            #expect(text.contains("\nsources: 1 in 262,150 places (0.00 %, "), "\(text)")

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
            #expect(try scene.fine("status --json") == "{\"filters\":[],\"takenOff\":[]}\n")
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
            try scene.fine("limit vb --source any --rate 1/m --burst 2 --ban-over 2 --ban-for 10m")
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
            let ping = try scene.net.a.start(["ping", "-i", "0.01", "-c", "20000", "-W", "1", "192.0.2.2"])
            try eventually("replies") { ping.output.contains(" bytes from ") }
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
            #expect(text.contains("\napus_filter_attached{interface=\"vb\"} 1\n"), "\(text)")
            let drops = try #require(
                text.firstMatch(
                    of: /apus_filter_limit_dropped_packets_total\{interface="vb",limit="all"\} (\d+)/))
            #expect(try (before...after).contains(#require(Int(drops.1))) && before > 0)
            try scene.fine("unload vb")
            #expect(try scene.fine("export").contains("# TYPE apus_filter_packets_total counter\n"))
        }

        /// At a prompt, as bash makes words of its own of what is typed, and puts what is offered in the place of some.
        @Test(.requires(.program("zsh")))
        func `bash completes the words of rules as they are typed`() throws {
            let scene = try FilterScene("typed")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("deny vb from:udp/11211 2001:db8::7 tcp/6000-6063")
            for limit in ["source udp/5004", "source udp/53", "it's $(touch pwned)", "x!!y"] {
                try scene.net.b.run(
                    ApusProgram.path, "filter", "limit", "vb", "--rate", "1pps", "--name", limit)
            }
            let cases = [
                // What is typed with a tab wherever one is pressed, and the words that bash then has.
                (#"deny vb fro\tu\t53"#, "deny|vb|from:udp/53"),
                (#"deny vb tcp/\t"#, "deny|vb|tcp/6000-6063"),
                (#"allow vb pro\t47"#, "allow|vb|protocol/47"),
                (#"allow vb udp/5 from:t\t"#, "allow|vb|udp/5|from:tcp/"),
                (#"remove vb from:\t"#, "remove|vb|from:udp/11211"),
                (#"remove vb from:udp/\t"#, "remove|vb|from:udp/11211"),
                (#"remove vb 2001:\t"#, "remove|vb|2001:db8::7"),
                (#"remove vb 2001:db8::\t"#, "remove|vb|2001:db8::7"),
                (#"remove vb --limit so\t0\t"#, "remove|vb|--limit|source udp/5004"),
                (#"remove vb --limit source\\ udp/53\t"#, "remove|vb|--limit|source udp/53"),
                (#"remove vb --limit \'so\t0\t"#, "remove|vb|--limit|source udp/5004"),
                (#"remove vb --limit "source udp/50\t"#, "remove|vb|--limit|source udp/5004"),
                (#"remove vb --limit=source\\ udp/50\t"#, "remove|vb|--limit=source udp/5004"),
                (#"remove vb --limit it\t"#, "remove|vb|--limit|it's $(touch pwned)"),
                (#"remove vb --limit "it\t"#, "remove|vb|--limit|it's $(touch pwned)"),
                (#"remove vb --limit \'it\t"#, "remove|vb|--limit|it's $(touch pwned)"),
                (#"remove vb --limit x\t"#, "remove|vb|--limit|x!!y"),
                (#"remove vb --limit "x\t"#, "remove|vb|--limit|x!!y"),
                (#"remove vb --limit \'x\t"#, "remove|vb|--limit|x!!y"),
                (#"limit vb --name so\t0\t"#, "limit|vb|--name|source udp/5004"),
                (#"limit vb --service ud\t/53"#, "limit|vb|--service|udp/53"),
            ]
            let folder = URL(fileURLWithPath: ApusProgram.path).deletingLastPathComponent().path
            let typed = cases.map { line, _ in
                #"""
                zpty -w -n z $'apus filter \#(line)\C-aprintf "|%s" \C-e>>typed;echo>>typed\n'
                zpty -r z text '*<%>*'
                """#
            }.joined(separator: "\n")
            // The line shows <""%> as it is typed; only what comes of it shows <%>.
            let script = #"""
                cd '\#(scene.files.path)'; export PATH='\#(folder)':$PATH TERM=xterm
                zmodload zsh/zpty; zpty z bash --norc --noprofile -i
                zpty -w z 'source <(apus completion bash); bind "set bell-style none"; PS1="<""%>"'
                zpty -r z text '*<%>*'
                \#(typed)
                zpty -d z
                """#
            try scene.net.b.run("timeout", "100", "zsh", "-f", "-c", script)
            let lines = String(decoding: scene.files.read("typed"), as: UTF8.self).split(separator: "\n")
                .map(String.init)
            #expect(lines.count == cases.count, "\(lines)")
            for ((line, words), found) in zip(cases, lines) {
                #expect(found == "|apus|filter|" + words, "\(line)")
            }
            #expect(scene.files.size("pwned") == 0)
            try scene.fine("unload vb")
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
