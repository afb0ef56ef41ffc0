import Glibc
import NetworkLab
import Testing

/// What `apus forward` ends with when the host is in the way, by options and from a file.
@Suite(.requires(.root, .program("setpriv")), .timeLimit(.minutes(2)))
struct ForwardExitTests {
    /// `apus forward` of one stream, given as options and then as a file.
    private func run(
        in space: Namespace, listen: String, to: String, backend: String = "packet", prefix: [String] = []
    ) throws -> (options: LabRun, file: LabRun, path: String) {
        let file = try ScratchFile(
            "{ defaults: { backend: '\(backend)' }, streams: [\n{ listen: '\(listen)', to: ['\(to)'] }] }",
            suffix: "json5")
        return (
            try runApus(
                in: space, ["forward", "-b", backend, "-l", listen, "-t", to], prefix: prefix),
            try runApus(in: space, ["forward", "-c", file.path], prefix: prefix), file.path
        )
    }

    @Test func `a port in use is no wrong usage: 69, with the option or the place`() throws {
        let net = try Pair("inuse")
        defer { net.close() }
        let holder = try net.b.start([
            "python3", "-c",
            "import socket,time; s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('192.0.2.2',5004)); "
                + "print('bound',flush=True); time.sleep(60)",
        ])
        try holder.waitForLine(containing: "bound")
        let (options, file, path) = try run(in: net.b, listen: "192.0.2.2:5004", to: "192.0.2.1:5004")
        #expect(options.code == .exited(69) && file.code == .exited(69))
        #expect(
            options.errors.hasPrefix("apus forward: --listen: 192.0.2.2:5004 is in use by "),
            "\(options.errors)")
        #expect(
            file.errors.hasPrefix("apus forward: \(path):2:11: 192.0.2.2:5004 is in use by "),
            "\(file.errors)")
        #expect(file.errors.contains("pid \(holder.pid)"), "\(file.errors)")
    }

    @Test func `a thread that can't be started is a limit of the host: 69, with its name`() throws {
        let net = try Pair("nothread")
        defer { net.close() }
        // The limit counts for who has neither CAP_SYS_ADMIN nor CAP_SYS_RESOURCE, and is another user than root.
        let folder = try NetworkLab.run(["mktemp", "--directory"]).standardOutput.split(separator: "\n")[0]
        defer { _ = try? NetworkLab.run(["rm", "-r", "\(folder)"]) }
        try NetworkLab.run(["install", "-m", "755", apusPath, "\(folder)/apus"])
        try NetworkLab.run(["chmod", "755", "\(folder)"])
        let running = try net.b.start(
            [
                "prlimit", "--nproc=1:1", "setpriv", "--reuid=61234", "--regid=61234", "--clear-groups",
                "--inh-caps=-all,+net_raw,+net_admin", "--ambient-caps=-all,+net_raw,+net_admin",
                "--bounding-set=-all,+net_raw,+net_admin", "\(folder)/apus",
                "forward", "-b", "packet", "-l", "192.0.2.2:5004", "-t", "192.0.2.1:5004",
            ])
        #expect(running.waitForExit() == .exited(69))
        #expect(
            running.errors.hasPrefix("apus forward: no thread could be started: ")
                && running.errors.contains("TasksMax=") && running.errors.contains("ulimit -u"),
            "\(running.errors)")
    }

    @Test func `auto goes on with AF_PACKET where AF_XDP may not lock its memory, and leaves no program`()
        throws
    {
        let net = try Pair("memlock")
        defer { net.close() }
        let prefix = [
            "prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock",
        ]
        let words = ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:5004"]
        let running = try net.b.start(prefix + [apusPath, "forward", "-b", "auto"] + words)
        try running.waitForLine(containing: "ready", timeout: .seconds(30))
        #expect(running.errors.contains("LimitMEMLOCK="), "\(running.errors)")
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(running.stop(SIGTERM) == .exited(0))
        let strict = try runApus(in: net.b, ["forward", "-b", "xdp"] + words, prefix: prefix)
        #expect(strict.code == .exited(69) && strict.errors.contains("LimitMEMLOCK="), "\(strict.errors)")
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
    }

    @Test func `the host itself as a destination is wrong usage, or a wrong file`() throws {
        let net = try Pair("own")
        defer { net.close() }
        let (options, file, path) = try run(in: net.b, listen: "192.0.2.2:5004", to: "192.0.2.2:5006")
        #expect(options.code == .exited(64) && file.code == .exited(78))
        #expect(options.errors.hasPrefix("apus forward: --to: 192.0.2.2 is an address of this host"))
        #expect(file.errors.contains("\(path):2:34: 192.0.2.2 is an address of this host"), "\(file.errors)")
    }

    @Test func `the broadcast address of a network is wrong usage, or a wrong file`() throws {
        let net = try Pair("broadcast")
        defer { net.close() }
        let (options, file, path) = try run(in: net.b, listen: "192.0.2.2:5004", to: "192.0.2.255:5006")
        #expect(options.code == .exited(64) && file.code == .exited(78))
        let sentence =
            "192.0.2.255 is a broadcast address, to which nothing is sent; name one host, or a multicast group"
        #expect(options.errors == "apus forward: --to: \(sentence)\n")
        #expect(file.errors.contains("\(path):2:34: \(sentence)\n"), "\(file.errors)")
        for address in ["192.0.2.255", "255.255.255.255"] {
            let run = try runApus(in: net.b, ["generate", "vb", "--to", "\(address):5004", "--count", "1"])
            #expect(run.code == .exited(64))
            #expect(run.errors.hasPrefix("apus generate: --to: \(address) is a broadcast"), "\(run.errors)")
        }
    }

    @Test(arguments: [
        ("--queues 4", "defaults: { queues: 4 }", "--queues", "vb has 1 receive queue, and 4 are asked for"),
        ("--cpu 99", "workers: { cpus: [99] }", "--cpu", "this process can't run on core 99"),
    ])
    func `what the host has too little of is no wrong usage: 69, with the option or the place`(
        words: String, section: String, option: String, sentence: String
    ) throws {
        let net = try Pair("little")
        defer { net.close() }
        let stream = ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:5004"]
        let options = try runApus(
            in: net.b, ["forward"] + stream + words.split(separator: " ").map(String.init))
        #expect(options.code == .exited(69))
        #expect(options.errors.hasPrefix("apus forward: \(option): \(sentence)"), "\(options.errors)")
        let text = "{ \(section), streams: [{ listen: '192.0.2.2:5004', to: ['192.0.2.1:5004'] }] }"
        let file = try ScratchFile(text, suffix: "json5")
        let run = try runApus(in: net.b, ["forward", "-c", file.path])
        #expect(run.code == .exited(69))
        #expect(run.errors.hasPrefix("apus forward: \(file.path):1:"), "\(run.errors)")
        // Beside what is wrong itself, all is told at once.
        let both = try ScratchFile(text.replacing("192.0.2.1:", with: "192.0.2.255:"), suffix: "json5")
        let wrong = try runApus(in: net.b, ["forward", "-c", both.path])
        #expect(wrong.code == .exited(78) && wrong.errors.contains("has 2 errors"), "\(wrong.errors)")
    }

    @Test func `a file that may not be read is not permitted: 77`() throws {
        let net = try Pair("unreadable")
        defer { net.close() }
        let file = try ScratchFile("{}", suffix: "json5")
        unsafe chmod(file.path, 0)
        let run = try runApus(in: net.b, ["forward", "-c", file.path], prefix: unprivileged)
        #expect(run.code == .exited(77))
        #expect(
            run.errors.hasPrefix(
                "apus forward: cannot read the configuration \"\(file.path)\": Permission denied; "),
            "\(run.errors)")
    }

    @Test func `the host itself as a destination of generated traffic is wrong usage`() throws {
        let net = try Pair("owngenerate")
        defer { net.close() }
        let run = try runApus(in: net.b, ["generate", "vb", "--to", "192.0.2.2:5004", "--count", "1"])
        #expect(run.code == .exited(64))
        #expect(
            run.errors.hasPrefix("apus generate: --to: 192.0.2.2 is an address of this host"), "\(run.errors)"
        )
    }

    @Test
    func `the capabilities that the help names are those that AF_XDP needs, and one that lacks is named`()
        throws
    {
        let net = try Pair("capabilities")
        defer { net.close() }
        let all = ["net_admin", "net_raw", "bpf", "perfmon", "ipc_lock"]
        func start(_ capabilities: [String]) -> [String] {
            let list = "-all" + capabilities.map { ",+" + $0 }.joined()
            return [
                "setpriv", "--bounding-set=\(list)", "--inh-caps=\(list)", apusPath, "forward", "-b", "xdp",
            ]
                + ["-l", "192.0.2.2:5004", "-t", "192.0.2.1:5004"]
        }
        let running = try net.b.start(start(all))
        try running.waitForLine(containing: "ready")
        #expect(running.stop() == .exited(0))
        for lacking in ["net_admin", "net_raw", "bpf", "perfmon"] {
            let refused = try net.b.start(start(all.filter { $0 != lacking }))
            #expect(refused.waitForExit(within: .seconds(20)) == .exited(77), "without \(lacking)")
            #expect(refused.errors.contains("missing CAP_\(lacking.uppercased());"), "\(refused.errors)")
        }
    }

    @Test func `a port that only some may take is not permitted: 77`() throws {
        let net = try Pair("low")
        defer { net.close() }
        let (options, file, path) = try run(
            in: net.b, listen: "192.0.2.2:53", to: "192.0.2.1:5004",
            prefix: ["setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw"])
        #expect(options.code == .exited(77) && file.code == .exited(77), "\(options.errors)\(file.errors)")
        #expect(
            options.errors.hasPrefix(
                "apus forward: --listen: listening on port 53 needs CAP_NET_BIND_SERVICE"))
        #expect(
            file.errors.hasPrefix("apus forward: \(path):2:11: listening on port 53 needs"), "\(file.errors)")
    }

    @Test func `a listening address that can't be is told once, and nothing about the destinations`() throws {
        let net = try Pair("cause")
        defer { net.close() }
        for (listen, cause) in [
            ("127.0.0.1:5004", "127.0.0.1 is a loopback address: no packet from a network arrives there"),
            ("10.9.9.9:5004", "10.9.9.9 is not an address of this host; it has: 192.0.2.2"),
        ] {
            let (options, file, path) = try run(in: net.b, listen: listen, to: "192.0.2.1:5004")
            #expect(options.errors == "apus forward: --listen: \(cause)\n")
            #expect(file.errors.contains("the configuration has 1 error:\n\(path):2:11: \(cause)\n"))
            #expect(!file.errors.contains("\(path):2:3"), "\(file.errors)")
        }
    }

    @Test func `what is missing is asked for in the words of who gave the rest`() throws {
        let net = try Pair("words")
        defer { net.close() }
        let (options, file, path) = try run(in: net.b, listen: "239.1.2.3:5004", to: "192.0.2.1:5004")
        #expect(
            options.errors
                == "apus forward: --listen: say with --interface on which link the group 239.1.2.3 is to be joined\n"
        )
        #expect(file.errors.contains("\(path):2:11: say with \"interface\" on which link"), "\(file.errors)")
        let link = try run(in: net.b, listen: "[2001:db8::2]:5004", to: "[fe80::7]:5004")
        #expect(
            link.options.errors
                == "apus forward: --to: fe80::7 is link-local: say with --interface on which link it is\n")
        let zone = try run(in: net.b, listen: "[fe80::1%vb]:5004", to: "192.0.2.1:5004")
        let sentence =
            "no zone stands in an address; write \"[fe80::1]:5004\", and vb as the stream's \"interface\" or --interface"
        #expect(zone.options.errors == "apus forward: --listen: \(sentence)\n")
        #expect(zone.file.errors.contains(":2:11: \(sentence)\n"), "\(zone.file.errors)")
        let two = try run(in: net.b, listen: "192.0.2.2:5004,192.0.2.2:5006", to: "192.0.2.1:5004")
        for told in [two.options.errors, two.file.errors] {
            #expect(told.contains("; one address and port, and no list of them"), "\(told)")
            #expect(!told.contains("brackets"), "\(told)")
        }
    }
}
