import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What `apus filter` does when several things are asked of it at once, or when something is there already.
    @Suite(.requires(.root, .program("ping"), .program("scapy")))
    struct FilterChangeTests {
        @Test func `What several words ask for is done as a whole or not at all`() throws {
            let scene = try FilterScene("several")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("deny vb udp/10-20 198.51.100.1 gre")
            try scene.fine("limit vb --name few --rate 10pps")
            let before = try scene.fine("dump vb")
            func refused(
                _ words: String, _ code: Int32, _ text: String, _ location: SourceLocation = #_sourceLocation
            ) throws {
                let run = try scene.run(words)
                #expect(
                    run.code == code && run.errors.hasSuffix("\(text)\n") && run.output.isEmpty, "\(run)",
                    sourceLocation: location)
                #expect(try scene.fine("dump vb") == before, "\(words)", sourceLocation: location)
            }
            try refused("deny vb 203.0.113.9 udp/15-25", 64, "write ranges that do not")
            try refused("allow vb 203.0.113.9 esp udp/5-15", 64, "write ranges that do not")
            try refused(
                "remove vb 198.51.100.1 203.0.113.9", 66, "there is no entry 203.0.113.9; nothing is changed")
            try refused("remove vb 198.51.100.1 --limit few --limit many", 66, "nothing is changed")
            try refused(
                "remove vb gre tcp/1", 66,
                "there is no entry tcp/1; there are udp/10-20, gre; nothing is changed")
            #expect(
                try scene.fine("remove vb 198.51.100.1 udp/10-20 gre --limit few")
                    == "vb: removed: deny 198.51.100.1\nvb: removed: deny udp/10-20\nvb: removed: deny gre\n"
                    + "vb: removed: the limit \"few\", 10pps\n")
            #expect(
                try scene.fine("dump vb")
                    == "{\n  policy: \"allow\",\n  management: [\n    \"tcp/22\",\n  ],\n}\n")
            try scene.fine("deny vb 192.0.2.1 udp/9 --for 1h")
            #expect(try scene.answers() == 0)
            try scene.fine("unload vb")
        }

        @Test func `Each change says what it has done, and to what`() throws {
            let scene = try FilterScene("says")
            defer { scene.net.close() }
            try scene.fine("load vb")
            #expect(
                try scene.fine("deny vb 203.0.113.0/24 tcp/9 --for 1h")
                    == "vb: added: deny 203.0.113.0/24 for 1h\nvb: added: deny tcp/9 for 1h\n")
            #expect(
                try scene.fine("allow vb 203.0.113.0/24 --limited").contains(
                    /^vb: replaced: allow 203\.0\.113\.0\/24, limited, which was deny for (59m5\ds|1h)\n$/)
            )
            #expect(try scene.fine("deny vb 203.0.113.0/25") == "vb: added: deny 203.0.113.0/25\n")
            #expect(
                try scene.fine("deny vb tcp/9").contains(
                    /^vb: replaced: deny tcp\/9, which was deny for (59m5\ds|1h)\n$/))
            #expect(
                try scene.fine("limit vb --each source --rate 100pps --rate 1Mbit --burst 50")
                    == "vb: added: the limit \"source\", 100pps and 1Mbit with a burst of 50\n")
            #expect(
                try scene.fine("limit vb --source any --rate 10pps --ban-over 10 --ban-for 5m")
                    == "vb: replaced: the limit \"source\", 10pps, a ban over 10 times that for 5m, which was "
                    + "100pps and 1Mbit with a burst of 50\n")
            // Whole seconds, and nothing that is left becomes none.
            try scene.fine("deny vb 203.0.113.77 udp/7 --for 1h")
            let text = try scene.fine("dump vb")
            #expect(text.matches(of: /for: "(59m5\ds|1h)"/).count == 2, "\(text)")
            #expect(try scene.fine("deny vb gre --for 3602900ms") == "vb: added: deny gre for 1h2s900ms\n")
            #expect(try scene.fine("dump vb").contains(/match: "gre", for: "(1h|1h[123]s|59m5\ds)"/))
            #expect(
                try scene.fine("remove vb udp/7").contains(/^vb: removed: deny udp\/7 for (59m5\ds|1h)\n$/))
            try scene.fine("unload vb")
        }

        @Test func `The way back that is printed restores what was there`() throws {
            let scene = try FilterScene("undo")
            defer { scene.net.close() }
            let ssh = ["SSH_CONNECTION": "192.0.2.1 40000 192.0.2.2 2222"]
            try scene.fine("load vb")
            try scene.fine("allow vb 192.0.2.1")
            try scene.fine("allow vb 192.0.2.0/24 --limited --for 1h")
            try scene.fine("limit vb --name few'x --each /24,/56 --rate 1000pps --burst 50 --rate 1Gbit")
            let before = try scene.fine("dump vb")
            let folder = URL(fileURLWithPath: ApusProgram.path).deletingLastPathComponent().path
            func undone(
                _ words: String, by way: Regex<Substring>, _ location: SourceLocation = #_sourceLocation
            )
                throws
            {
                let run = try scene.run(words, environment: ssh)
                let match = run.errors.firstMatch(of: /undo it from the console with `(.*)`\n/)
                let line = String(try #require(match, "\(run)", sourceLocation: location).1)
                #expect(line.wholeMatch(of: way) != nil, "\(line)", sourceLocation: location)
                try scene.net.b.run("bash", "-c", "PATH='\(folder)':$PATH; \(line)")
                // What is left of the hour is less by what has passed meanwhile.
                let (after, hour) = (try scene.fine("dump vb"), /59m5\ds|1h/)
                #expect(
                    after.replacing(hour, with: "") == before.replacing(hour, with: ""), "\(words): \(after)",
                    sourceLocation: location)
            }
            try undone("deny vb 192.0.2.1 --for 5m", by: /apus filter allow vb 192\.0\.2\.1/)
            try scene.fine("remove vb 192.0.2.1")
            try scene.fine("limit vb --name few'x --each /24,/56 --rate 2000pps --burst 50 --rate 1Gbit")
            try scene.fine("allow vb 192.0.2.1")
            try scene.fine("limit vb --name few'x --each /24,/56 --rate 1000pps --burst 50 --rate 1Gbit")
            try undone(
                "deny vb 192.0.2.1 192.0.2.0/24 203.0.113.1",
                by:
                    /apus filter remove vb 203\.0\.113\.1 && apus filter allow vb 192\.0\.2\.1 && apus filter allow vb 192\.0\.2\.0\/24 --limited --for .*/
            )
            try scene.fine("allow vb 192.0.2.1 --limited")
            let limited = try scene.run("limit vb --name few'x --rate 1/m --burst 1", environment: ssh)
            #expect(
                limited.errors.hasSuffix(
                    "`apus filter limit vb --name 'few'\\''x' --each '/24,/56' --rate 1kpps --rate 1Gbit "
                        + "--burst 50`\n"), "\(limited)")
            try scene.fine("unload vb")
        }

        @Test func `The SSH connection is found where the environment was cleared`() throws {
            let scene = try FilterScene("sudo")
            defer { scene.net.close() }
            let ssh = ["SSH_CONNECTION": "192.0.2.1 40000 192.0.2.2 2222"]
            // As sudo clears it; the shell stays between.
            let cleared = ["sh", "-c", "env -u SSH_CONNECTION \"$@\"; exit $?", "sh"]
            try scene.fine("load vb")
            var run = try scene.run("deny vb 192.0.2.0/24", environment: ssh, as: cleared)
            #expect(
                run.code == 0
                    && run.errors.contains("from 192.0.2.1 to 192.0.2.2:2222: the source is denied"),
                "\(run)")
            try scene.fine("remove vb 192.0.2.0/24")
            // sshd is there, and nobody who says which connection it is.
            try scene.net.b.run("cp", "/bin/sh", "\(scene.files.path)/sshd")
            let under = ["\(scene.files.path)/sshd", "-c", "\"$@\"; exit $?", "sshd"]
            run = try scene.run("deny vb 192.0.2.0/24", as: under)
            #expect(
                run.code == 0
                    && run.errors.hasPrefix(
                        "warning: whether these rules drop the SSH connection that this command runs in can't be told"
                    ),
                "\(run)")
            // Neither where all passes, nor where there is no connection.
            try scene.fine("deny vb gre")
            try scene.fine("unload vb")
        }

        @Test func `A fast and a slow limit may be for the same packets`() throws {
            let scene = try FilterScene("tiers")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --name slow --each source --rate 1/m --burst 6")
            #expect(
                try scene.fine("limit vb --name fast --each source --rate 1000pps --burst 3")
                    == "vb: added: the limit \"fast\", 1kpps with a burst of 3, beside \"slow\" for the same\n"
            )
            #expect(try scene.answers() == 6)
            try scene.fine("limit vb --name fast --each source --rate 1/m --burst 3")
            try scene.fine("limit vb --name slow --each source --rate 10/m --burst 60")
            let file = try scene.files.write("tiers.json5", scene.fine("dump vb"))
            try scene.fine("unload vb")
            try scene.fine("load vb --config \(file)")
            #expect(try scene.answers() == 3)
            try scene.fine("reload vb --config \(file)")
            // Each keeps its own buckets.
            #expect(try scene.answers() == 0)
            let limits = try #require(scene.status()["limits"] as? [[String: Any]])
            let drops = limits.map { ($0["dropped"] as? [String: Int])?["packets"] ?? -1 }
            #expect(
                limits.map { $0["name"] as? String } == ["slow", "fast"] && drops == [0, 17], "\(limits)")
            // What is wrong otherwise is all that is said.
            let run = try scene.run("limit vb --each source --name x --rate 10Mbit --burst 100")
            #expect(
                run.errors
                    == "apus filter limit: a burst of packets needs a rate of packets, such as rate: \"1000pps\"\n",
                "\(run)")
            try scene.fine("unload vb")
        }

        @Test func `A ban is lifted by allow, and remove says which of the two went`() throws {
            let scene = try FilterScene("forgive")
            defer { scene.net.close() }
            try scene.fine("load vb")
            // So slow that nothing fills while this lasts.
            let limit = "limit vb --source any --rate 1/m --burst 2 --ban-over 2 --ban-for 10m"
            func ban() throws {
                try scene.fine(limit)
                #expect(try scene.answers() < 10)
                #expect(try scene.answers() == 0)
            }
            try ban()
            #expect(
                try scene.fine("allow vb 192.0.2.1")
                    == "vb: added: allow 192.0.2.1\nvb: lifted: the ban of 192.0.2.1\n")
            #expect(try scene.answers() == 10)
            #expect(try scene.fine("remove vb 192.0.2.1") == "vb: removed: allow 192.0.2.1\n")
            try ban()
            #expect(
                try scene.fine("allow vb 192.0.2.0/24")
                    == "vb: added: allow 192.0.2.0/24\nvb: lifted: the ban of 192.0.2.1\n")
            #expect(try scene.answers() == 10)
            try scene.fine("remove vb 192.0.2.0/24")
            try ban()
            #expect(try scene.fine("remove vb 192.0.2.1") == "vb: lifted: the ban of 192.0.2.1\n")
            try ban()
            #expect(try scene.fine("remove vb 192.0.2.0/24") == "vb: lifted: the ban of 192.0.2.1\n")
            try ban()
            try scene.fine("deny vb 192.0.2.1")
            #expect(
                try scene.fine("remove vb 192.0.2.1")
                    == "vb: removed: deny 192.0.2.1\nvb: lifted: the ban of 192.0.2.1\n")
            try scene.fine("remove vb --limit source")
            #expect(try scene.answers() == 10)
            try scene.fine("unload vb")
        }

        @Test func `What is loaded already is replaced where that is asked for`() throws {
            let scene = try FilterScene("replace")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", "{ deny: ['icmp'] }")
            #expect(try scene.fine("load vb --replace").hasPrefix("vb: native mode, "))
            #expect(try scene.answers() == 10)
            #expect(
                try scene.fine("load vb --replace --config \(file)")
                    == "vb: the rules are in force, 1 entry, 0 limits\n")
            #expect(try scene.answers() == 0)
            let wished = try scene.run("load vb --replace --mode generic")
            #expect(
                wished.code == 0
                    && wished.errors.contains(
                        "remark: vb stays in native mode; to change it unload its filter first"),
                "\(wished)")
            try scene.fine("unload vb")
            let run = try scene.run("unload vb")
            #expect(run.code == 69 && run.errors == "apus filter unload: vb: no filter is loaded\n", "\(run)")
        }

        @Test func `A check knows the interface, and who would be locked out`() throws {
            let scene = try FilterScene("check")
            defer { scene.net.close() }
            var run = try scene.run("load nosuch0 --check")
            #expect(run.code == 66 && run.errors.contains("nosuch0: no such interface"), "\(run)")
            let none = try scene.files.write("none.json5", "{ policy: 'deny', management: [] }")
            run = try scene.run("load vb --config \(none) --check")
            #expect(
                run.code == 0
                    && run.errors.hasPrefix("warning: nothing is management, the policy is to deny"),
                "\(run)")
            for text in [
                "policy: 'allow'", "policy: 'deny', allow: ['tcp']", "policy: 'deny', allow: ['port/1-99']",
            ] {
                let file = try scene.files.write("fine.json5", "{ management: [], \(text) }")
                try scene.fine("load vb --config \(file) --check")
            }
        }

        @Test func `Whoever reads no further ends it without a word`() throws {
            let scene = try FilterScene("head")
            defer { scene.net.close() }
            try scene.fine("load vb")
            for words in ["top vb", "top vb --json", "status vb", "dump vb"] {
                let line =
                    "'\(ApusProgram.path)' filter \(words) | head -n 1; echo \"ended ${PIPESTATUS[0]}\""
                let shell = try scene.net.b.start(["bash", "-c", line])
                try shell.waitForLine(containing: "ended", timeout: .seconds(20))
                #expect(
                    shell.output.hasSuffix("ended 0\n") && shell.errors.isEmpty,
                    "\(words): \(shell.output)\(shell.errors)")
            }
            try scene.fine("unload vb")
        }

        @Test func `What can't be judged is named, and a pipe without a writer is given up`() throws {
            let scene = try FilterScene("skip")
            defer { scene.net.close() }
            try scene.fine("load vb")
            let file = scene.files("odd.pcap")
            try scene.net.a.run([
                "/usr/bin/python3", "-c",
                """
                from scapy.all import *
                ether = Ether(src='02:00:00:00:00:02', dst='02:00:00:00:00:01')
                wrpcap('\(file)', [ether / Raw(b'x' * 200000), ether / IP(src='192.0.2.9', dst='192.0.2.2') / ICMP(),
                    Raw(b'x' * 9)], linktype=1, snaplen=262144)
                """,
            ])
            let text = try scene.fine("explain vb --pcap \(file)")
            let lines = text.split(separator: "\n").map(String.init)
            #expect(lines.count == 7, "\(text)")
            #expect(
                lines.first?.hasSuffix("200014 octets: it is longer than the kernel runs a program on")
                    == true
                    && lines.first?.contains("  skip  ") == true, "\(text)")
            #expect(
                lines.count > 2 && lines[2].hasSuffix("9 octets: there is no whole Ethernet header"),
                "\(text)")
            #expect(text.contains("\n1 packet: 1 pass, 0 dropped\n"), "\(text)")
            #expect(
                text.hasSuffix(
                    "1 more have no whole Ethernet header, and are not judged\n"
                        + "1 more are longer than the kernel runs a program on, and are not judged\n"),
                "\(text)")
            try scene.net.b.run("mkfifo", scene.files("pipe"))
            let run = try scene.run("explain vb --pcap \(scene.files("pipe"))")
            #expect(
                run.code == 66
                    && run.errors.hasSuffix(
                        "it is a pipe, and nothing came out of it within 5 seconds\n"),
                "\(run)")
            // One that somebody writes to is read to its end.
            let piped = try scene.net.b.run(
                "bash", "-c",
                """
                cat '\(file)' > '\(scene.files("pipe"))' & '\(ApusProgram.path)' filter explain vb --pcap '\(scene.files("pipe"))'
                '\(ApusProgram.path)' filter explain vb --pcap <(sleep 0.2; cat '\(file)')
                """)
            #expect(piped.standardOutput == text + text)
            try scene.fine("unload vb")
        }
    }
}
