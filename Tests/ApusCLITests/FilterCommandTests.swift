import Apus
import Testing

@testable import ApusCLI

/// What `apus filter` makes of its words, without any interface.
@Suite struct FilterCommandTests {
    @Test(arguments: [
        (
            "",
            "apus filter: a command is missing; there are: load, reload, unload, status, top, limit, allow, deny, remove, explain, dump, export"
        ),
        ("list", "apus filter: unknown command \"list\"; did you mean status?"),
        ("show lo", "apus filter: unknown command \"show\"; did you mean status?"),
        ("stats", "apus filter: unknown command \"stats\"; did you mean status?"),
        ("drop lo udp/53", "apus filter: unknown command \"drop\"; did you mean deny?"),
        ("help list", "apus filter: unknown command \"list\"; did you mean status?"),
        (
            "help load lo",
            "apus filter load: unexpected argument \"lo\"; apus filter load --help shows what there is"
        ),
        (
            "top lo --by drops",
            "apus filter top: --by: expected packets, bytes or dropped, found \"drops\"; did you mean dropped?"
        ),
        (
            "top lo --by droped",
            "apus filter top: --by: expected packets, bytes or dropped, found \"droped\"; did you mean dropped?"
        ),
        (
            "deny lo udp:53",
            "apus filter deny: expected an address, a prefix, ports or a protocol, such as \"198.51.100.0/24\", \"udp/5004\", \"from:udp/11211\" or \"gre\", found \"udp:53\"; did you mean \"udp/53\"?"
        ),
        (
            "deny lo any",
            "apus filter deny: expected an address, a prefix, ports or a protocol, such as \"198.51.100.0/24\", \"udp/5004\", \"from:udp/11211\" or \"gre\", found \"any\"; all addresses are \"0.0.0.0/0\" and \"::/0\""
        ),
        ("laod lo", "apus filter: unknown command \"laod\"; did you mean load?"),
        (
            "load",
            "apus filter load: IF is missing: apus filter load IF [--config FILE] [--mode NAME] [--dry-run] [--replace] [--check]"
        ),
        (
            "load lo --mode fast",
            "apus filter load: --mode: expected auto, native, generic or offload, found \"fast\""
        ),
        (
            "reload lo",
            "apus filter reload: --config is missing: apus filter reload IF --config FILE [--dry-run] [--check]"
        ),
        ("unload", "apus filter unload: name an interface, or --all for the filters of all"),
        ("unload lo --all", "apus filter unload: name an interface, or --all for the filters of all"),
        ("top lo --by weight", "apus filter top: --by: expected packets, bytes or dropped, found \"weight\""),
        ("top lo -n 0", "apus filter top: --number: expected a number from 1 to 1000, found 0"),
        (
            "limit lo",
            "apus filter limit: --rate is missing: expected a rate, such as \"1000pps\", \"30/m\" or \"10Mbit\""
        ),
        (
            "limit lo --rate 1000",
            "apus filter limit: --rate: expected a rate, such as \"1000pps\", \"30/m\" or \"10Mbit\", found \"1000\"; of what? \"1000pps\" or \"1000bit\""
        ),
        ("limit lo --rate 1pps --rate 2pps", "apus filter limit: --rate: a limit has one rate of packets"),
        (
            "limit lo --rate 1pps --burst 5 --burst 6",
            "apus filter limit: --burst: a limit has one burst of packets"
        ),
        (
            "limit lo --rate 1pps --source 24",
            "apus filter limit: --source: expected any, or the lengths of prefixes of IPv4 and IPv6, such as /24 or /24,/64, found \"24\""
        ),
        (
            "limit lo --rate 1pps --source /33",
            "apus filter limit: --source: expected any, or the lengths of prefixes of IPv4 and IPv6, such as /24 or /24,/64, found \"/33\""
        ),
        (
            "limit lo --rate 1pps --each-port",
            "apus filter limit: --each-port: is for each source; write --source any beside it"
        ),
        (
            "limit lo --rate 1pps --source /24 --each-port",
            "apus filter limit: --each-port: is for each source address, and not for each prefix; write --source any"
        ),
        (
            "limit lo --rate 1pps --source any --ban-over 10",
            "apus filter limit: --ban-over: for how long? write --ban-for TIME beside it, such as 10m"
        ),
        (
            "limit lo --rate 1pps --source any --ban-for 10m",
            "apus filter limit: --ban-for: for whom? write --ban-over TIMES beside it, such as 10"
        ),
        (
            "limit lo --rate 1pps --source any --ban-over 1 --ban-for 10m",
            "apus filter limit: --ban-over: expected how many times the rate is too much, from 1.01 to 1000, found \"1\""
        ),
        (
            "limit lo --rate 1pps --ban-over 10 --ban-for 10m",
            "apus filter limit: --ban-over: only a limit on each source bans, as the others do not know whose packets were too many; write --each source"
        ),
        (
            "limit lo --rate 1pps --each any",
            "apus filter limit: --each: expected source, prefix, sourcePort or all, or the lengths of prefixes of IPv4 and IPv6, such as /22,/56, found \"any\"; did you mean source?"
        ),
        (
            "limit lo --rate 1pps --each source --each-port",
            "apus filter limit: --each says all there is to say; leave --source and --each-port out"
        ),
        ("deny lo", "apus filter deny: WHAT is missing: apus filter deny IF WHAT… [--for TIME]"),
        (
            "deny lo 5004",
            "apus filter deny: expected an address, a prefix, ports or a protocol, such as \"198.51.100.0/24\", \"udp/5004\", \"from:udp/11211\" or \"gre\", found \"5004\"; ports of what? \"tcp/5004\", \"udp/5004\", \"port/5004\" for both"
        ),
        (
            "deny lo gre --for 10",
            "apus filter deny: --for: expected a time from 1 ms to 365 days, such as \"90s\", \"10m\" or \"1h30m\", found \"10\"; of what? \"10s\" are seconds, \"10m\" minutes"
        ),
        (
            "allow lo gre --limited",
            "apus filter allow: \"limited\" is for sources, as limits apply to other entries in any case; leave it out"
        ),
        (
            "deny lo gre --limited",
            "apus filter deny: unknown option --limited; apus filter deny --help shows what there is"
        ),
        (
            "remove lo",
            "apus filter remove: what is to be removed? name an entry, or a limit with --limit NAME"
        ),
        ("explain lo", "apus filter explain: what is to be judged? name --pcap FILE or --hex FRAME"),
        (
            "explain lo --hex 0102",
            "apus filter explain: --hex: expected the octets of a frame, 14 at least, in pairs of hexadecimal digits, found \"0102\""
        ),
    ])
    func `Wrong words are wrong usage, with what was meant`(words: String, text: String) throws {
        let run = try shell("apus filter \(words)")
        #expect(run.code == 64 && run.output == "", "\(run)")
        #expect(run.errors.split(separator: "\n").first.map(String.init) == text)
    }

    @Test func `A file of rules is checked, with the place of each error`() throws {
        let file = try ScratchFile(
            "{ deny: ['10.0.0.0/8', 'udp/53'],\n  limits: [{ rate: 'x' }] }", suffix: "json5")
        let run = try apus("filter", "load", "lo", "--config", file.path, "--check")
        #expect(run.code == 78 && run.errors.contains("\(file.path):2:"), "\(run)")
        let right = try ScratchFile("{ deny: ['10.0.0.0/8', 'udp/53'] }", suffix: "json5")
        let fine = try apus("filter", "reload", "lo", "--config", right.path, "--check", "--dry-run")
        #expect(
            fine.output == "\(right.path): fine: 2 entries, 0 limits, dry run: all packets pass\n", "\(fine)")
        #expect(try apus("filter", "load", "lo", "--config", "/nonexistent").code == 66)
    }

    @Test func `The connection is read as sshd tells of it`() throws {
        let ssh = try #require(SSHSession("192.0.2.1 40000 192.0.2.2 22"))
        #expect(ssh.packet.count == 54)
        let facts = FrameFacts(ssh.packet)
        #expect(facts.text == "192.0.2.1:40000 > 192.0.2.2:22 tcp")
        // RFC 1071: the sum with the checksum in it is all ones.
        let sum = stride(from: 14, to: 34, by: 2).reduce(0) {
            $0 + Int(ssh.packet[$1]) << 8 + Int(ssh.packet[$1 + 1])
        }
        #expect((sum & 0xffff) + (sum >> 16) == 0xffff)
        let six = try #require(SSHSession("fe80::1%eth0 40000 fe80::2%eth0 2222"))
        #expect(six.packet.count == 74)
        #expect(FrameFacts(six.packet).text == "[fe80::1]:40000 > [fe80::2]:2222 tcp")
        for text in ["", "x", "192.0.2.1 40000 192.0.2.2", "192.0.2.1 40000 2001:db8::1 22", "a 1 b 2"] {
            #expect(SSHSession(text) == nil)
        }
    }

    @Test func `A frame that is cut anywhere is no trap`() throws {
        let packet = try #require(SSHSession("2001:db8::1 4 2001:db8::2 5")).packet
        for length in 0...packet.count { _ = FrameFacts(Array(packet.prefix(length))).text }
        let tagged = packet.prefix(12) + [0x81, 0, 0, 7] + packet.dropFirst(12)
        #expect(FrameFacts(Array(tagged)).text == "[2001:db8::1]:4 > [2001:db8::2]:5 tcp")
        // A source route, which hosts refuse, and a packet recorded in part.
        var routed = packet
        routed[20] = 43
        routed.insert(contentsOf: [6, 0, 0, 1, 0, 0, 0, 0], at: 54)
        #expect(FrameFacts(Array(routed.prefix(70))).text == "[2001:db8::1]:4 > [2001:db8::2]:5 tcp")
        #expect(FrameFacts([UInt8](repeating: 0, count: 12) + [8, 6]).text == "ARP")
        #expect(FrameFacts([UInt8](repeating: 0, count: 12) + [8, 7]).text == "Ethernet type 0x0807")
    }

    @Test func `A mark behind a quote does not hide it`() throws {
        let name = "a'\u{301};touch pwned;\"\u{301}\\\u{301}"
        let run = try shell("printf %s \(shellWord(name))")
        #expect(run.code == 0 && Array(run.output.utf8) == Array(name.utf8), "\(run)")
        #expect(
            Array(FilterMetrics.escaped("\"\u{301}\\\u{301}\n\u{301}").unicodeScalars)
                == Array("\\\"\u{301}\\\\\u{301}\\n\u{301}".unicodeScalars))
        #expect(
            Array(fishText("'\u{301}\\\u{301}").unicodeScalars)
                == Array("\\'\u{301}\\\\\u{301}".unicodeScalars))
    }

    @Test func `Help may stand before the command that it is about`() throws {
        for command in ["load", "top", "deny"] {
            let (help, same) = (try apus("filter", "help", command), try apus("filter", command, "--help"))
            #expect(help.code == 0 && help.output == same.output, "\(help)")
        }
        let all = try apus("filter", "--help").output
        #expect(try apus("filter", "help").output == all)
        #expect(try apus("help", "filter", "list").errors.contains("did you mean status?"))
    }

    @Test func `The help of the filter's commands has exit codes of its own`() throws {
        let help = try apus("filter", "--help").output
        #expect(help.contains("no such entry or limit") && !help.contains("stream"), "\(help)")
    }
}
