import Foundation
import NetworkLab
import Testing

/// `apus forward --check`: what a start would refuse on this host, and nothing touched.
@Suite(.requires(.root, .program("setpriv")), .timeLimit(.minutes(2)))
struct CheckLabTests {
    @Test func `options are held against the host, without any privilege`() throws {
        let net = try Pair("check", queues: 2)
        defer { net.close() }
        let line =
            "-l 192.0.2.2:5004 -t 192.0.2.1:5004 -t [2001:db8::1]:5004 -i vb -b xdp --mode native"
            + " --zero-copy require --hugepages never --queues 2 --ring-size 1024 --frame-size 4096 --frames 8192"
            + " --busy-poll 30 --busy-poll-budget 16 --ttl 9 --no-rtp -w 2 --cpu 0 --cpu 1 --spin 5 --sleep 0"
            + " --metrics 127.0.0.1:9000 --control /run/a.sock"
        let run = try runApus(
            in: net.b, ["forward", "--check"] + line.split(separator: " ").map(String.init),
            prefix: unprivileged)
        #expect(run.code == .exited(0) && run.errors == "", "\(run.errors)")
        #expect(run.output == "fine: 1 stream to 2 destinations\n")
        #expect(!FileManager.default.fileExists(atPath: "/run/a.sock.lock"))
    }

    @Test(arguments: [
        (["-l", "192.0.2.77:5004", "-t", "192.0.2.1:5006"], 64, "--listen: 192.0.2.77 is not an address of"),
        (["-l", "192.0.2.2:5004", "-t", "192.0.2.2:5006"], 64, "--to: 192.0.2.2 is an address of this host"),
        (["-l", "192.0.2.2:5004", "-t", "10.9.9.9:5006"], 64, "--to: there is no route to 10.9.9.9"),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "-i", "eth9"], 66,
            "interface \"eth9\" does not exist"
        ),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "--queues", "9"], 69,
            "--queues: vb has 1 receive queue"
        ),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "--cpu", "99"], 69,
            "--cpu: this process can't run on"
        ),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "--metrics", "192.0.2.77:9469"], 64,
            "--metrics: the metrics server can't listen on 192.0.2.77:9469: no interface has the address"
        ),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "--control", "/no/such/folder/a.sock"], 69,
            "no control socket can be made at \"/no/such/folder/a.sock\": the folder"
        ),
        (
            ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:1", "--control", "/tmp/a.sock"], 69,
            "no control socket is made at \"/tmp/a.sock\": anybody may write"
        ),
    ])
    func `what a start always refuses the check refuses in the same words`(
        words: [String], code: Int32, sentence: String
    ) throws {
        let net = try Pair("checks")
        defer { net.close() }
        let checked = try runApus(in: net.b, ["forward", "--check"] + words)
        #expect(checked.code == .exited(code) && checked.output == "", "\(checked)")
        #expect(checked.errors.hasPrefix("apus forward: " + sentence), "\(checked.errors)")
        let started = try runApus(in: net.b, ["forward"] + words)
        #expect(started.errors == checked.errors && started.code == checked.code)
    }

    @Test func `a file is checked beside the forwarder that runs with it, and named places stay its own`()
        throws
    {
        let net = try Pair("checkfile")
        defer { net.close() }
        let folder = FileManager.default.temporaryDirectory.path + "/apus-check-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let file = try ScratchFile(
            """
            { streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.1:5006"] },
                        { listen: "192.0.2.2:6", to: ["192.0.2.1:6"] }],
              defaults: { backend: "packet" }, metrics: {},
              control: { socket: "\(folder)/control.sock", group: "root" } }
            """, suffix: "json5")
        let running = try net.b.start([apusPath, "forward", "--config", file.path])
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        let run = try runApus(in: net.b, ["forward", "--config", file.path, "--check"])
        #expect(run.code == .exited(0) && run.errors == "", "\(run)")
        #expect(run.output == "\(file.path): fine: 2 streams to 2 destinations\n")
        let json = try runApus(in: net.b, ["forward", "--config", file.path, "--check", "--json"])
        #expect(json.output == "{\"destinations\":2,\"interfaces\":0,\"streams\":2}\n")
        #expect(running.stop() == .exited(0))
        let wrong = try ScratchFile(
            try file.text.replacing("192.0.2.1:6\"", with: "192.0.2.2:7\""), suffix: "json5")
        let refused = try runApus(in: net.b, ["forward", "--config", wrong.path, "--check"])
        #expect(refused.code == .exited(78) && refused.errors.contains("\(wrong.path):2:43: "), "\(refused)")
        try file.text.replacing("\"root\"", with: "\"nobody-of-that-name\"")
            .write(toFile: wrong.path, atomically: true, encoding: .utf8)
        let group = try runApus(in: net.b, ["forward", "--config", wrong.path, "--check"])
        #expect(group.code == .exited(69) && group.errors.contains("there is no group"), "\(group)")
    }

    @Test func `interfaces over DPDK are checked beside the kernel's, and nothing of DPDK is started`() throws
    {
        let net = try Pair("checkdpdk")
        defer { net.close() }
        func check(_ interface: String, _ stream: String) throws -> (Bool, String) {
            let file = try ScratchFile(
                "{ interfaces: [{ name: 'vb' }, { name: 'net_null0', \(interface) }],\nstreams: [{ \(stream) }] }",
                suffix: "json5")
            let run = try runApus(
                in: net.b, ["forward", "--config", file.path, "--check"], prefix: unprivileged)
            return (run.code == .exited(0), run.output + run.errors)
        }
        let addresses = "addresses: ['203.0.113.1/24'], gateway: '203.0.113.254'"
        #if !DPDK
            // All the rest is right.
            let refused = try check(addresses, "listen: '203.0.113.1:5004', to: ['192.0.2.1:1']")
            #expect(
                !refused.0 && refused.1.contains("json5:1:40: net_null0: this apus was built without DPDK; "),
                "\(refused.1)")
        #else
            // From the kernel's link to DPDK's, by its gateway and back: no route of the kernel leads to the first two.
            for stream in [
                "listen: '192.0.2.2:5004', to: ['203.0.113.9:1']",
                "listen: '203.0.113.1:5004', to: ['10.9.9.9:1']",
                "listen: '203.0.113.1:5004', to: ['192.0.2.1:1']",
                "listen: '0.0.0.0:5004', to: ['203.0.113.9:1']",
                "listen: '239.1.1.1:5004', to: ['203.0.113.9:1'], interface: 'net_null0'",
            ] {
                let (isFine, text) = try check(addresses, stream)
                #expect(isFine && text.hasSuffix(": fine: 1 stream to 1 destination\n"), "\(text)")
            }
            let options = ["-i", "net_null0", "--address", "203.0.113.1/24", "-l", "203.0.113.1:5004"]
            for (more, code) in [(["--gateway", "203.0.113.254"], Int32(0)), ([], 64)] {
                let words = ["forward", "--check"] + options + ["-t", "10.9.9.9:1"] + more
                let run = try runApus(in: net.b, words, prefix: unprivileged)
                #expect(run.code == .exited(code), "\(run)")
                #expect(
                    code == 0 || run.errors.contains("--to: no network, route or gateway of net_null0"),
                    "\(run)")
            }
            for (name, sentence) in [
                ("0000:ff:1f.7", "there is no such PCI device; "),
                (
                    "net_af_packet0,iface=nosuch0",
                    "there is no interface nosuch0 for it; the kernel has: lo, vb"
                ),
            ] {
                let words =
                    ["forward", "--check", "-i", name] + options.dropFirst(2) + ["-t", "203.0.113.9:1"]
                let run = try runApus(in: net.b, words, prefix: unprivileged)
                #expect(run.code == .exited(66) && run.errors.contains("\(name): \(sentence)"), "\(run)")
            }
        #endif
        for (interface, stream, sentence) in [
            (
                addresses, "listen: '192.0.2.2:5004', to: ['10.9.9.9:1']",
                "2:44: there is no route to 10.9.9.9"
            ),
            (
                addresses, "listen: '203.0.113.2:5004', to: ['203.0.113.9:1']",
                "2:21: 203.0.113.2 is not an address of this host; it has: 203.0.113.1, 192.0.2.2"
            ),
            (
                addresses, "listen: '192.0.2.2:1', to: ['203.0.113.9:1'], interface: 'net_null0'",
                "2:21: 192.0.2.2 is not an address of net_null0; it has: 203.0.113.1"
            ),
            (
                "addresses: ['192.0.2.2/24']", "listen: '192.0.2.2:1', to: ['192.0.2.1:1']",
                "1:65: 192.0.2.2 is an address of vb, which the kernel has; take it from there with "
                    + "`ip address del 192.0.2.2/24 dev vb`, or give net_null0 another"
            ),
        ] {
            let (isFine, text) = try check(interface, stream)
            #expect(!isFine)
            #expect(text.contains(sentence), "\(text)")
        }
    }

    @Test func `what may not be meant is told`() throws {
        let net = try Pair("checkwarning")
        defer { net.close() }
        try net.b.run("ip", "link", "add", "other", "type", "veth", "peer", "peer")
        try net.b.run("ip", "link", "set", "other", "up")
        try net.b.run("ip", "address", "add", "198.51.100.2/24", "dev", "other")
        let words = ["-i", "other", "-l", "192.0.2.2:5004", "-t", "198.51.100.1:5006"]
        let run = try runApus(in: net.b, ["forward", "--check"] + words)
        #expect(run.code == .exited(0) && run.output.hasPrefix("fine: "))
        #expect(run.errors.contains("--interface: 192.0.2.2 is an address of vb"), "\(run.errors)")
    }
}
