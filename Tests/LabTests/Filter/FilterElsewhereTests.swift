import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What becomes of `apus filter` where interfaces and programs come and go behind its back.
    @Suite(.requires(.root, .program("ping"), .program("scapy"), .program("xdp-filter")))
    struct FilterElsewhereTests {
        @Test func `An interface without an Ethernet header is refused`() throws {
            let scene = try FilterScene("layer-3")
            defer { scene.net.close() }
            try scene.net.b.run("ip", "tuntap", "add", "dev", "t0", "mode", "tun")
            try scene.net.b.run("ip", "tuntap", "add", "dev", "t1", "mode", "tap")
            for mode in ["auto", "native", "generic"] {
                let run = try scene.run("load t0 --mode \(mode)")
                #expect(run.code == 69 && run.output.isEmpty)
                #expect(
                    run.errors
                        == "apus filter load: t0: its packets have no Ethernet header, as those of an interface of "
                        + "the kind \"tun\", with which the filter begins; load it on the interface below, which carries "
                        + "Ethernet, or use nftables\n")
            }
            try scene.fine("load t1")
            try scene.fine("load lo")
            try scene.fine("unload --all")
            try scene.expectNothing()
        }

        @Test func `What is kept of interfaces that are gone goes with the next load`() throws {
            let scene = try FilterScene("gone")
            defer { scene.net.close() }
            func kept() throws -> Int {
                let list = try scene.net.b.run("sh", "-c", "ls /sys/fs/bpf/apus/filter 2>/dev/null || true")
                return list.standardOutput.split(separator: "\n").count
            }
            for _ in 0..<3 {
                try scene.net.b.run("ip", "link", "add", "d0", "type", "veth", "peer", "name", "d1")
                try scene.fine("load d0")
                #expect(try kept() == 1)
                try scene.net.b.run("ip", "link", "delete", "d0")
            }
            try scene.fine("load vb")
            #expect(try kept() == 1)
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `A filter that another tool has taken off is said to be`() throws {
            let scene = try FilterScene("taken-off")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", "{ deny: ['icmp'] }")
            try scene.fine("load vb --config \(file)")
            #expect(try scene.answers() == 0)
            try scene.net.b.run("ip", "link", "set", "vb", "xdp", "off")
            #expect(try scene.answers() == 10)
            func text(_ now: String) -> String {
                "vb: its filter was taken off by another tool, so all packets pass it; \(now)its state is kept: load a filter "
                    + "anew with `apus filter load vb`, or remove the state with `apus filter unload vb`\n"
            }
            // Each of these twice: none of them removes it.
            for _ in 0..<2 {
                for words in ["status vb", "deny vb gre", "reload vb --config \(file)", "dump vb", "top vb"] {
                    let run = try scene.run(words)
                    #expect(run.code == 69 && run.warnings.hasSuffix(": " + text("")), "\(words): \(run)")
                }
            }
            #expect(try scene.fine("status") == text(""))
            #expect(
                try scene.fine("status --json")
                    == "{\"filters\":[],\"takenOff\":[{\"interface\":\"vb\",\"programs\":[]}]}\n")
            for words in ["export", "export vb"] {
                let metrics = try scene.fine(words)
                #expect(metrics.contains("\napus_filter_attached{interface=\"vb\"} 0\n"), "\(metrics)")
                #expect(!metrics.contains("apus_filter_info{"))
            }
            // Something else is there.
            try scene.net.b.run("xdp-filter", "load", "-m", "native", "vb")
            let run = try scene.run("status vb")
            let now = text("on the interface is now \"xdpfilt_alw_all\"; ")
            #expect(run.errors == "apus filter status: \(now)" && run.code == 69, "\(run)")
            #expect(try scene.run("load vb").code == 69)
            try scene.net.b.run("xdp-filter", "unload", "vb")
            // And it is loaded anew.
            try scene.fine("load vb --config \(file)")
            try scene.net.b.run("ip", "link", "set", "vb", "xdp", "off")
            try scene.fine("load vb --config \(file)")
            #expect(try scene.answers() == 0)
            try scene.net.b.run("ip", "link", "set", "vb", "xdp", "off")
            #expect(
                try scene.fine("unload vb")
                    == "vb: no filter was on the interface; what was kept of one is removed\n")
            try scene.expectNothing()
        }

        @Test func `A filter on an interface that was moved to another namespace can be taken off there`()
            throws
        {
            let scene = try FilterScene("moved")
            defer { scene.net.close() }
            let there = try scene.net.lab.namespace("c")
            let file = try scene.files.write("rules.json5", "{ deny: ['icmp'] }")
            try scene.fine("load vb --config \(file)")
            try scene.net.b.run("ip", "link", "set", "vb", "netns", "\(there.pid)")
            try there.run("ip", "address", "add", "192.0.2.2/24", "dev", "vb")
            try there.run("ip", "link", "set", "vb", "up")
            #expect(try scene.answers() == 0)

            func apus(_ words: String) throws -> (text: String, code: Int32?) {
                let process = try there.start(
                    [ApusProgram.path, "filter"] + words.split(separator: " ").map(String.init),
                    environment: ["NO_COLOR": "1"])
                guard case .exited(let code) = process.waitForExit(within: .seconds(30)) else {
                    return ("", nil)
                }
                return (process.output + process.errors, code)
            }
            let text =
                "vb: a filter of Apus is on it whose state is not kept here, as when the interface came from another "
                + "network namespace, or its pins are in another mount namespace; take it off with "
                + "`apus filter unload vb`\n"
            for words in ["status vb", "load vb", "deny vb gre"] {
                let run = try apus(words)
                #expect(run.code == 69 && run.text.hasSuffix(": " + text), "\(words): \(run)")
            }
            // Where it came from only its state is left, without which the program lets all pass.
            #expect(
                try scene.fine("unload --all").contains(
                    /^vb \(interface \d+\): the interface is gone, or in another network namespace; what was kept of its filter is removed, whose program lets all pass/
                ))
            #expect(try scene.answers() == 10)
            #expect(try there.run("ip", "link", "show", "vb").standardOutput.contains("xdp"))
            let run = try apus("unload vb")
            #expect(run.code == 0)
            #expect(
                run.text
                    == "vb: the program of a filter is taken off whose state was not kept here, as when an interface "
                    + "comes from another network namespace\n")
            #expect(try !there.run("ip", "link", "show", "vb").standardOutput.contains("xdp"))
            #expect(try apus("load vb --config \(file)").code == 0)
            #expect(try scene.answers() == 0)
            #expect(try apus("unload vb").code == 0)
            #expect(try apus("unload vb").code == 69)
        }

        @Test func `A time namespace changes no lifetime`() throws {
            let scene = try FilterScene("time")
            defer { scene.net.close() }
            try scene.fine("load vb")
            for offset in ["1000000", "-1"] {
                let shifted = ["unshare", "--time", "--monotonic", offset, "--fork", "--"]
                let run = try scene.run("deny vb icmp --for 3s", as: shifted)
                #expect(run.code == 0, "\(run)")
                #expect(try scene.answers() == 0)
                for prefix in [[], shifted] {
                    let text = try scene.run("dump vb", as: prefix).output
                    #expect(text.contains(/for: "[123]s"/), "\(text)")
                }
                try eventually("what is denied for a time passes again") { try scene.answers() == 10 }
            }
            try scene.fine("unload vb")
        }

        @Test func `In a capture time does not go back`() throws {
            let scene = try FilterScene("order")
            defer { scene.net.close() }
            try scene.fine("load vb")
            try scene.fine("limit vb --rate 1pps --burst 1")
            let made = scene.files("made.pcap")
            let script = """
                from scapy.all import *
                times = [100, 103, 101, 104, 104.5, 103.9, 105]
                frames = [Ether(dst="02:00:00:00:00:01", src="02:00:00:00:00:02") / IP(dst="192.0.2.2") / ICMP() for t in times]
                for frame, time in zip(frames, times): frame.time = time
                wrpcap("\(made)", frames)
                """
            try scene.net.a.run(["/usr/bin/python3", "-c", script], timeout: .seconds(60))
            let lines = try scene.fine("explain vb --pcap \(made)").split(separator: "\n").prefix(7)
            let found = lines.map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
            // The third comes with the second, and the sixth with the fifth.
            #expect(
                found == [
                    "1 0.000000 pass", "2 3.000000 pass", "3 3.000000 drop", "4 4.000000 pass",
                    "5 4.500000 drop",
                    "6 4.500000 drop", "7 5.000000 pass",
                ])
            try scene.fine("unload vb")
        }
    }
}
