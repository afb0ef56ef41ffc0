import ApusConfig
import Testing

/// The built program, as a user or a script sees it.
@Suite struct ProgramTests {
    @Test func `the version is printed`() throws {
        for words in [["--version"], ["-V"], ["version"]] {
            let run = try shell("apus \(words.joined(separator: " "))")
            #expect(run.code == 0 && run.errors == "")
            #expect(run.output.wholeMatch(of: /apus [0-9]+\.[0-9]+\.[0-9]+\n/) != nil, "\(run.output)")
        }
        for words in [["version", "--json"], ["--version", "--json"], ["--json", "-V"]] {
            let json = try shell("apus \(words.joined(separator: " "))").output
            #expect(json.wholeMatch(of: /{"name":"apus","version":"[0-9.]+"}\n/) != nil, "\(json)")
        }
    }

    @Test func `help goes to standard output, and complaints to standard error`() throws {
        let help = try apus("forward", "--help")
        #expect(help.code == 0 && help.errors == "" && help.output.hasPrefix("apus forward: relay RTP"))
        #expect(try apus("help", "forward").output == help.output)
        let wrong = try apus("forward", "--liste", "x")
        #expect(wrong.code == 64 && wrong.output == "")
        #expect(wrong.errors == "apus forward: unknown option --liste; did you mean --listen?\n")
    }

    @Test(arguments: [
        ("", "apus: a command is missing; there are: "),
        ("forwrad", "apus: unknown command \"forwrad\"; did you mean forward?\n"),
        ("help forwrad", "apus help: unknown command \"forwrad\"; did you mean forward?\n"),
        (
            "help version json",
            "apus help: unknown command \"json\"; apus version has no commands of its own\n"
        ),
        ("completion tcsh", "apus completion: expected bash, zsh or fish, found \"tcsh\"\n"),
        ("completion", "apus completion: SHELL is missing: apus completion SHELL\n"),
        (
            "forward",
            "apus forward: --listen is missing: say where the stream arrives, or name a file with --config\n"
        ),
        ("forward -l 192.0.2.1:5004", "apus forward: --to is missing: say where the stream goes\n"),
        (
            "forward -l 192.0.2.1 -t 198.51.100.7:5004",
            "apus forward: --listen: expected \"address:port\", such as \"192.0.2.1:5004\", found \"192.0.2.1\"\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:5004 198.51.100.8:5004",
            "apus forward: unexpected argument \"198.51.100.8:5004\"; write --to before each of its values\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:0",
            "apus forward: --to: nothing can be sent to port 0; take one from 1 to 65535\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -b dpdk",
            "apus forward: --backend dpdk needs --interface, which names the device to open\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -i eth0 -b dpdk --address 192.0.2.1/24",
            "apus forward: --interface: expected a PCI address, such as \"0000:03:00.0\", or a virtual device, such as "
                + "\"net_tap0,iface=tap0\", found \"eth0\"; `apus doctor` shows the addresses of network cards\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -i net_tpa0 --address 192.0.2.1/24",
            "apus forward: --interface: DPDK has no driver for the virtual device \"net_tpa0\"; did you mean "
                + "\"net_tap0\"?\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -i 0000:03:00.0",
            "apus forward: --address: the interface has no address; add one, such as --address 192.0.2.1/24\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -i 03:00.0 --address 192.0.2.1/24 --gateway 10.0.0.1",
            "apus forward: --gateway: the router 10.0.0.1 is on none of the interface's networks, which are "
                + "192.0.2.0/24; it has to be a neighbor\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --address 192.0.2.1/24",
            "apus forward: --address is for an interface over DPDK; the kernel knows that of its own interfaces\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 -i net_null0 --address 192.0.2.1",
            "apus forward: --address: expected an address and its prefix, such as \"192.0.2.1/24\", found "
                + "\"192.0.2.1\"; how long is its prefix? \"192.0.2.1/24\" is usual\n"
        ),
        (
            "generate net_null0 --to 198.51.100.7:1",
            "apus generate: net_null0: apus generate opens interfaces of the kernel; devices of DPDK's are for `apus "
                + "forward`\n"
        ),
        (
            "capture 0000:03:00.0 -w /nowhere/a.pcap",
            "apus capture: 0000:03:00.0: apus capture opens interfaces of the kernel; devices of DPDK's are for `apus "
                + "forward`\n"
        ),
        (
            "generate lo --to 198.51.100.7:1 -b dpdk",
            "apus generate: --backend: apus generate opens interfaces of the kernel, which DPDK does not; write auto, "
                + "xdp or packet\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --queues two",
            "apus forward: --queues: expected a whole number, found \"two\"\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --queues 0",
            "apus forward: --queues: expected a number of queues from 1 to 256, found 0\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --cpu 1 --cpu 1",
            "apus forward: --cpu: core 1 is named twice; each worker needs a core of its own\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --busy-poll-budget 9",
            "apus forward: --busy-poll-budget goes with --busy-poll, which says how long to poll\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --control run.sock",
            "apus forward: --control: expected an absolute path, such as \"/run/apus/control.sock\", found \"run.sock\"\n"
        ),
        (
            "forward -l 192.0.2.1:5004 -t 198.51.100.7:1 --metrics 9469",
            "apus forward: --metrics: expected \"address:port\", such as \"127.0.0.1:9469\", found \"9469\"; did you mean \"127.0.0.1:9469\"?\n"
        ),
        (
            "--json", "apus: a command is missing; there are: "
        ),
        (
            "forward -l 192.0.2.1:5004 -t 192.0.2.1:5004",
            "apus forward: --to: stream \"192.0.2.1:5004\" sends to 192.0.2.1:5004, where it listens itself"
        ),
        (
            "forward --config a.json5 --to 198.51.100.7:5004",
            "apus forward: --to cannot stand beside --config; write it in \"a.json5\"\n"
        ),
    ])
    func `wrong usage ends with 64 and one clear sentence`(line: String, complaint: String) throws {
        let run = try shell("apus \(line)")
        #expect(run.code == 64 && run.output == "")
        #expect(run.errors.hasPrefix(complaint), "\(run.errors)")
    }

    @Test func `a wrong file ends with 78 and names each place`() throws {
        let file = try ScratchFile(
            "{\n  streams: [\n    { lisen: '192.0.2.1:5004', to: ['198.51.100.7'] },\n  ],\n}\n",
            suffix: "json5")
        let run = try apus("forward", "--config", file.path)
        #expect(run.code == 78 && run.output == "")
        #expect(
            run.errors == """
                apus forward: the configuration has 3 errors:
                \(file.path):3:5: "listen" is missing: expected "address:port", such as "192.0.2.1:5004"
                  3 |     { lisen: '192.0.2.1:5004', to: ['198.51.100.7'] },
                    |     ^
                \(file.path):3:7: unknown key "lisen"; did you mean "listen"?
                  3 |     { lisen: '192.0.2.1:5004', to: ['198.51.100.7'] },
                    |       ^
                \(file.path):3:37: expected "address:port", such as "192.0.2.1:5004", found "198.51.100.7"
                  3 |     { lisen: '192.0.2.1:5004', to: ['198.51.100.7'] },
                    |                                     ^

                """)
    }

    @Test func `a file that is not there ends with 66`() throws {
        let run = try apus("forward", "--config", "/nonexistent/forward.json5")
        #expect(run.code == 66)
        #expect(
            run.errors
                == "apus forward: cannot read the configuration \"/nonexistent/forward.json5\": No such file or directory\n"
        )
    }

    @Test func `a folder is no configuration, and it is said what to do`() throws {
        let run = try apus("forward", "--config", "/tmp")
        #expect(run.code == 66)
        #expect(
            run.errors
                == "apus forward: cannot read the configuration \"/tmp\": it is a folder; name the file in it\n"
        )
    }

    @Test func `what is no control socket is said to be none`() throws {
        for path in ["/", "/etc/passwd"] {
            let run = try apus("control", path, "status")
            #expect(
                run.code == 66 && run.errors.hasPrefix("apus control: \"\(path)\" is no control socket\n"))
        }
    }

    @Test func `a reader that goes away is no crash`() throws {
        for line in ["apus man | head -n 1 >/dev/null", "apus help forward | true"] {
            let run = try shell("\(line); echo \"${PIPESTATUS[0]}\"")
            #expect(run.output == "0\n" && run.errors == "", "\(line): \(run.output) \(run.errors)")
        }
    }

    @Test func `output that is lost is an error`() throws {
        let run = try shell("apus man >/dev/full")
        #expect(run.code == 69)
        #expect(run.errors == "apus man: cannot write all of the output: No space left on device\n")
    }

    @Test func `colour and width follow the terminal and the environment`() throws {
        func onTerminal(_ columns: Int, _ variables: String) throws -> String {
            let line = "stty cols \(columns); \(variables) apus help forward"
            return try shell("script -qec '\(line)' /dev/null").output
        }
        let narrow = try onTerminal(50, "TERM=xterm")
        #expect(narrow.contains("\u{1b}[1mUsage:\u{1b}[0m"))
        let prose = narrow.split(separator: "\r\n").filter { !$0.hasPrefix("    $ ") }
        #expect(prose.allSatisfy { $0.count <= 50 + 8 })
        #expect(prose.contains { (40...50).contains($0.count) })
        #expect(!(try onTerminal(50, "TERM=xterm NO_COLOR=1").contains("\u{1b}")))
        #expect(try onTerminal(50, "TERM=xterm NO_COLOR=").contains("\u{1b}[1m"))
        #expect(!(try onTerminal(50, "TERM=dumb").contains("\u{1b}")))
        #expect(!(try apus("help", "forward", environment: ["TERM": "xterm"]).output.contains("\u{1b}")))
        let wide = try apus("help", "forward", environment: ["COLUMNS": "100"]).output
        let usual = try apus("help", "forward").output
        #expect(wide.split(separator: "\n").count < usual.split(separator: "\n").count)
    }
}
