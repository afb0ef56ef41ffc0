import Foundation
import NetworkLab
import Testing

/// `apus capture` between namespaces, judged by tcpdump and tshark.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct CaptureLabTests {
    /// Every frame of a file as tcpdump prints it, in hexadecimal.
    private func frames(_ file: ScratchFile) throws -> String {
        try NetworkLab.run(["tcpdump", "-r", file.path, "-nn", "-t", "-xx"], timeout: .seconds(60))
            .standardOutput
    }

    private func send(
        _ net: Pair, _ count: Int, to destination: String = "192.0.2.2:5004", size: Int = 1400
    )
        throws
    {
        let run = try runApus(
            in: net.a,
            [
                // At a pace that leaves room in the rings for as long as the capture may have to wait for its turn.
                "generate", "va", "--to", destination, "--rate", "2000", "--count", "\(count)", "--size",
                "\(size)", "--ssrc", "5",
            ])
        #expect(run.code == .exited(0), "\(run.errors)")
    }

    @Test(
        .requires(.root, .program("tcpdump"), .program("tshark")),
        arguments: [("packet", "pcap"), ("packet", "pcapng"), ("xdp", "pcap"), ("xdp", "pcapng")])
    func `the file holds what was sent, byte for byte`(backend: String, format: String) throws {
        let net = try Pair("capture", queues: backend == "xdp" ? 2 : 1)
        defer { net.close() }
        let (own, theirs) = (try ScratchFile(suffix: format), try ScratchFile(suffix: "pcap"))
        // AF_XDP takes packets before tcpdump could see them, so that the twin is a second run.
        if backend == "xdp" {
            let twin = try net.tcpdump(theirs, "udp", "port", "5004")
            try send(net, 3000)
            try net.finish(twin, theirs)
        }
        let twin = backend == "packet" ? try net.tcpdump(theirs, "udp", "port", "5004") : nil
        let running = try net.b.start(
            [apusPath, "capture", "vb", "--write", own.path, "--port", "5004", "--backend", backend])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        let warning = "warning: UDP to port 5004 on vb goes to the file and not to this host"
        #expect(running.errors.contains(warning) == (backend == "xdp"), "\(running.errors)")
        try send(net, 3000)
        try send(net, 10, to: "192.0.2.2:5006")
        try eventually("all are in the file") {
            // Of a file that is still written it may say that it is cut off.
            let read = try? NetworkLab.run(["tcpdump", "-r", own.path, "--count"]).standardOutput
            return read == "3000 packets\n"
        }
        #expect(running.stop(SIGTERM) == .exited(0), "\(running.errors)")
        if let twin { try net.finish(twin, theirs) }

        #expect(
            running.output.hasPrefix("wrote 3,000 packets, 4,326,000 bytes to \(own.path) in "),
            "\(running.output)")
        #expect(!running.output.contains("dropped"))
        let (mine, others) = (try frames(own), try frames(theirs))
        #expect(mine.count == others.count)
        // Not within the macro, which would print all of it.
        let isSame = mine == others
        #expect(isSame)
        let rows = try fields(of: own, "rtp.seq", "udp.checksum.status", "frame.time_epoch")
        let isComplete = rows.map { $0[0] } == (0..<3000).map(String.init)
        #expect(isComplete)
        let isRight = rows.allSatisfy { $0[1] == "1" }
        #expect(isRight)
        let now = Date().timeIntervalSince1970
        let isNow = rows.allSatisfy { ((Double($0[2]) ?? 0) - now).magnitude < 120 }
        #expect(isNow)
    }

    @Test(.requires(.root, .program("tshark")))
    func `it ends after a count or a time, and cuts packets to a length without forgetting their own`() throws
    {
        let net = try Pair("capture-count")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcapng")
        let counted = try net.b.start(
            [
                apusPath, "capture", "vb", "--write", file.path, "--port", "5004", "--count", "50", "--snap",
                "64",
                "--json",
            ])
        try counted.waitForLine(containing: "ready", timeout: .seconds(30))
        try send(net, 200, to: "[2001:db8::2]:5004")
        #expect(counted.waitForExit(within: .seconds(30)) == .exited(0), "\(counted.errors)")
        let summary = try object(counted.output)
        #expect(summary["packets"] as? Int == 50 && summary["bytes"] as? Int == 3200)
        let rows = try fields(of: file, "frame.cap_len", "frame.len")
        #expect(rows.count == 50 && Set(rows) == [["64", "1462"]])

        let empty = try ScratchFile(suffix: "pcap")
        let timed = try runApus(
            in: net.b, ["capture", "vb", "--write", empty.path, "--port", "9", "--duration", "0.3", "--json"])
        #expect(timed.code == .exited(0), "\(timed.errors)")
        let nothing = try object(timed.output)
        #expect(nothing["packets"] as? Int == 0)
        #expect(try #require(nothing["seconds"] as? Double) >= 0.3)
        #expect(try fields(of: empty, "frame.len").isEmpty)
    }

    @Test(
        .requires(.root, .program("tcpdump"), .program("script")),
        arguments: [("", "pcapng capture file"), ("--format pcap", "pcap capture file")])
    func `standard output can be the file, and a terminal can't`(words: String, kind: String) throws {
        let net = try Pair("capture-pipe")
        defer { net.close() }
        let copy = try ScratchFile(suffix: "copy")
        let line = """
            '\(apusPath)' capture vb --write - --port 5004 --count 50 \(words) \
                | tee '\(copy.path)' | tcpdump -r - -nn -t --count
            echo "ended ${PIPESTATUS[0]}"
            """
        let running = try net.b.start(["bash", "-c", line])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        try send(net, 60)
        try running.waitForLine(containing: "ended", timeout: .seconds(30))
        #expect(running.output == "50 packets\nended 0\n", "\(running.output)\(running.errors)")
        #expect(running.errors.contains("wrote 50 packets, "), "\(running.errors)")
        #expect(running.errors.contains(" to standard output in "), "\(running.errors)")
        let magic = try Array(Data(contentsOf: copy.url).prefix(4))
        #expect(magic == (kind.hasPrefix("pcapng") ? [0x0a, 0x0d, 0x0d, 0x0a] : [0x4d, 0x3c, 0xb2, 0xa1]))

        let terminal = try net.b.start([
            "script", "-qec", "'\(apusPath)' capture vb --write - --count 1", "/dev/null",
        ])
        #expect(terminal.waitForExit() == .exited(64))
        #expect(
            terminal.output.contains(
                "--write: standard output is a terminal; send it to a program or a file"),
            "\(terminal.output)")
    }

    @Test(.requires(.root)) func `a reader of standard output that goes away ends it: 69`() throws {
        let net = try Pair("capture-gone")
        defer { net.close() }
        let line = """
            '\(apusPath)' capture vb --write - --port 5004 | head -c 100 >/dev/null
            echo "ended ${PIPESTATUS[0]}"
            """
        let running = try net.b.start(["bash", "-c", line])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        for _ in 0..<5 { try send(net, 50) }
        try running.waitForLine(containing: "ended 69", timeout: .seconds(30))
        #expect(running.errors.contains("writing standard output failed: Broken pipe"), "\(running.errors)")
    }

    @Test(.requires(.root), arguments: [(SIGTERM, ""), (SIGINT, ""), (0, "--duration 2")])
    func `a reader of standard output that takes nothing does not keep it from its end: 69`(
        signal: Int32, words: String
    ) throws {
        let net = try Pair("capture-stalled")
        defer { net.close() }
        let line = """
            exec 4> >(exec sleep 60)
            '\(apusPath)' capture vb --write - --port 5004 \(words) >&4 & pid=$!; exec 4>&-
            trap "kill -\(signal == SIGINT ? "INT" : "TERM") $pid" USR1
            for i in 1 2 3; do wait $pid; code=$?; [[ -e /proc/$pid ]] || break; done
            echo "ended $code"
            """
        let running = try net.b.start(["bash", "-c", line])
        defer { running.kill() }
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        // Far more than a pipe holds.
        try send(net, 1000)
        if signal != 0 { running.send(SIGUSR1) }
        try running.waitForLine(containing: "ended", timeout: .seconds(20))
        #expect(running.output == "ended 69\n", "\(running.errors)")
        #expect(
            running.errors.contains("writing standard output failed: nobody takes it"), "\(running.errors)")
        #expect(running.errors.contains("\nwrote "), "\(running.errors)")
    }

    @Test(.requires(.root)) func `what is written to a closed standard output goes nowhere else`() throws {
        let net = try Pair("capture-closed")
        defer { net.close() }
        let line = "'\(apusPath)' capture vb --write - --format pcap --duration 1 >&-; echo ended $? >&2"
        let running = try net.b.start(["bash", "-c", line])
        try running.waitForLine(containing: "ended", timeout: .seconds(20))
        #expect(
            running.errors.contains("writing standard output failed: Bad file descriptor"),
            "\(running.errors)")
        #expect(running.errors.contains("ended 69"), "\(running.errors)")
    }

    @Test(.requires(.root)) func `everything that arrives is captured, and goes its way all the same`() throws
    {
        let net = try Pair("capture-all")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcap")
        let running = try net.b.start([apusPath, "capture", "vb", "--write", file.path])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        try net.a.run("ping", "-c", "3", "-i", "0.2", "192.0.2.2")
        // What has come before the signal is written all the same.
        #expect(running.stop(SIGINT) == .exited(0))
        let rows = try fields(of: file, "icmp.type").filter { $0 == ["8"] }
        #expect(rows.count == 3)
    }

    @Test(
        .requires(.root, .program("tshark")),
        arguments: [("in", ["8"]), ("out", ["0"]), ("both", ["8", "0"])])
    func `it captures what comes, what goes, or both`(way: String, types: [String]) throws {
        let net = try Pair("capture-way")
        defer { net.close() }
        let file = try ScratchFile(suffix: "pcapng")
        let running = try net.b.start(
            [apusPath, "capture", "vb", "--write", file.path, "--direction", way])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        try net.a.run("ping", "-c", "1", "192.0.2.2")
        // What has come, or left, before the signal is written all the same.
        #expect(running.stop(SIGINT) == .exited(0))
        let rows = try fields(of: file, "icmp.type", "frame.packet_flags_direction").filter { $0[0] != "" }
        #expect(rows.map { $0[0] } == types)
        let expected = ["in": 1, "out": 2, "both": 0][way]
        for row in rows {
            #expect(Int(row[1].replacing("0x", with: ""), radix: 16) == expected, "\(row)")
        }
    }

    @Test(.requires(.root, .program("tcpdump")))
    func `it says beforehand that an XDP program is on the interface, and may take packets`() throws {
        let net = try Pair("capture-xdp")
        defer { net.close() }
        let forward = try net.b.start(
            [
                apusPath, "forward", "--listen", "192.0.2.2:5004", "--to", "192.0.2.1:5006", "--backend",
                "xdp",
            ])
        try forward.waitForLine(containing: "ready", timeout: .seconds(30))
        defer { forward.stop(SIGTERM) }
        let file = try ScratchFile(suffix: "pcap")
        let tap = try net.b.start([apusPath, "capture", "vb", "--write", file.path, "--port", "5004"])
        try tap.waitForLine(containing: "ready", timeout: .seconds(30))
        let sink = try net.a.start(["tcpdump", "-i", "va", "-c", "10", "udp", "and", "dst", "port", "5006"])
        try sink.waitForLine(containing: "listening on")
        try send(net, 10)
        // All have passed the tap's interface, both ways.
        #expect(sink.waitForExit() == .exited(0), "\(sink.errors)")
        #expect(tap.stop(SIGINT) == .exited(0))
        #expect(tap.output.hasPrefix("wrote 0 packets"), "\(tap.output)")
        #expect(tap.errors.contains("warning: an XDP program (native, id "), "\(tap.errors)")
        #expect(tap.errors.contains("is on vb; what it takes, drops or sends on is not captured\n"))
    }

    @Test(.requires(.root, .program("setpriv"))) func `what can't be done has a code and a reason`() throws {
        let net = try Pair("capture-errors")
        defer { net.close() }
        let file = try ScratchFile("precious", suffix: "pcap")
        for backend in ["packet", "xdp"] {
            let run = try runApus(
                in: net.b, ["capture", "vb", "--write", file.path, "--port", "9", "--backend", backend],
                prefix: unprivileged)
            #expect(run.code == .exited(77) && run.errors.contains("CAP_NET_RAW"), "\(run.errors)")
        }
        #expect(try file.text == "precious")
        let run = try runApus(in: net.b, ["capture", "vb", "--write", file.path + "/a.pcap"])
        #expect(run.code == .exited(66))
        #expect(run.errors.contains("\"\(file.path)/a.pcap\" cannot be created: Not a directory"))
    }
}
