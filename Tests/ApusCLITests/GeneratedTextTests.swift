import Apus
import NetworkLab
import Testing

@testable import ApusCLI
@testable import ApusRuntime

/// The scripts and the manual, judged by the programs that they are made for.
@Suite struct GeneratedTextTests {
    private func bashOffers(_ words: String...) throws -> [String] {
        let list = words.map { "'\($0)'" }.joined(separator: " ")
        let run = try shell(
            """
            source <(apus completion bash) && COMP_WORDS=(\(list)) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) \
            && _apus && printf '%s\\n' "${COMPREPLY[@]}"
            """)
        #expect(run.code == 0 && run.errors == "", "\(run.errors)")
        return run.output.split(separator: "\n").map(String.init)
    }

    @Test func `bash is offered commands, options and values`() throws {
        #expect(try bashOffers("apus", "fo") == ["forward"])
        #expect(
            try bashOffers("apus", "forward", "--b") == ["--backend", "--busy-poll", "--busy-poll-budget"])
        #expect(try bashOffers("apus", "forward", "--backend", "") == ["auto", "xdp", "packet", "dpdk"])
        #expect(try bashOffers("apus", "forward", "-b", "x") == ["xdp"])
        #expect(try bashOffers("apus", "forward", "--backend", "=", "p") == ["packet"])
        #expect(try bashOffers("apus", "forward", "--backend", "=") == ["auto", "xdp", "packet", "dpdk"])
        #expect(try bashOffers("apus", "forward", "--interface", "").contains("lo"))
        #expect(try bashOffers("apus", "forward", "--config", "/etc/pass").contains("/etc/passwd"))
        #expect(try bashOffers("apus", "forward", "--listen", "").isEmpty)
        #expect(try bashOffers("apus", "completion", "") == ["bash", "zsh", "fish"])
        #expect(try bashOffers("apus", "help", "fo") == ["forward"])
        let orders = ["status", "reload", "stop", "help"]
        #expect(try bashOffers("apus", "control", "/run/a.sock", "") == orders)
        #expect(try bashOffers("apus", "control", "--json", "/run/a.sock", "") == orders)
        #expect(try bashOffers("apus", "control", "/run/a.sock", "--json", "st") == ["status", "stop"])
        #expect(try bashOffers("apus", "control", "/etc/pass").contains("/etc/passwd"))
        #expect(try bashOffers("apus", "control", "/run/a.sock", "status", "").isEmpty)
        // What an option takes is no argument, also where bash has made words of it.
        #expect(try bashOffers("apus", "generate", "--to", "192.0.2.1", ":", "5004", "").contains("lo"))
        #expect(try bashOffers("apus", "generate", "--to", "=", "192.0.2.1", ":", "5004", "").contains("lo"))
        #expect(try bashOffers("apus", "generate", "lo", "").isEmpty)
        #expect(try bashOffers("apus", "filter", "lo") == ["load"])
        #expect(try bashOffers("apus", "filter", "load", "").contains("lo"))
        #expect(
            try bashOffers("apus", "filter", "load", "lo", "--mode", "") == [
                "auto", "native", "generic", "offload",
            ])
        #expect(try bashOffers("apus", "filter", "top", "lo", "--by", "d") == ["dropped"])
        #expect(try bashOffers("apus", "filter", "allow", "lo", "pro") == ["protocol/"])
        #expect(try bashOffers("apus", "filter", "limit", "lo", "--service", "ud") == ["udp/", "udp"])
        // What nobody types is not offered.
        #expect(try !bashOffers("apus", "filter", "").contains("words"))
    }

    /// The kernel takes all but spaces, "/" and ":" for a name.
    @Test(arguments: [
        ["forward", "--interface", ""], ["generate", ""], ["capture", ""], ["doctor", ""], ["doctor", "e"],
    ])
    func `bash runs no interface's name, and quotes it`(words: [String]) throws {
        let list = (["apus"] + words).map { "'\($0)'" }.joined(separator: " ")
        let run = try shell(
            """
            place=$(mktemp -d) && cd "$place" && mkdir -p net work \
            && touch 'net/$(id>pwned)' 'net/`id>pwned`' 'net/a;id>pwned' net/eth0 $'net/\\e[31m' && cd work \
            && source <(apus completion bash | sed "s,/sys/class/net,$place/net,") \
            && COMP_WORDS=(\(list)) && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) \
            && _apus; printf '%s\\n' "${COMPREPLY[@]}"; ls; rm -r "$place"
            """)
        #expect(run.errors == "", "\(run.errors)")
        let offered = Set(run.output.split(separator: "\n").map(String.init))
        let all: Set = [#"\$\(id\>pwned\)"#, #"\`id\>pwned\`"#, #"a\;id\>pwned"#, "eth0", #"$'\E[31m'"#]
        #expect(offered == (words.last == "e" ? ["eth0"] : all))
    }

    @Test(.requires(.program("fish"))) func `fish is offered commands, options and values`() throws {
        func offers(_ line: String) throws -> [String] {
            let run = try shell(
                "fish --no-config -c 'apus completion fish | source; complete -C \"\(line)\"'")
            #expect(run.code == 0 && run.errors == "", "\(run.errors)")
            return run.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }
        }
        #expect(try offers("apus fo") == ["forward"])
        #expect(try offers("apus forward --b") == ["--backend", "--busy-poll", "--busy-poll-budget"])
        #expect(try offers("apus forward --backend ").sorted() == ["auto", "dpdk", "packet", "xdp"])
        #expect(try offers("apus forward -i l").contains("lo"))
        #expect(try offers("apus forward --config /etc/pass").contains("/etc/passwd"))
        #expect(try offers("apus completion ").sorted() == ["bash", "fish", "zsh"])
        #expect(try offers("apus help fo") == ["forward"])
        let orders = ["help", "reload", "status", "stop"]
        #expect(try offers("apus control /run/a.sock ").sorted() == orders)
        #expect(try offers("apus control --json /run/a.sock ").sorted() == orders)
        #expect(try offers("apus control /run/a.sock --json st").sorted() == ["status", "stop"])
        #expect(try offers("apus control /etc/pass").contains("/etc/passwd"))
        #expect(try offers("apus generate --to 192.0.2.1:5004 ").contains("lo"))
        #expect(try !offers("apus generate lo ").contains("lo"))
    }

    @Test(.requires(.program("fish"))) func `fish runs no interface's name`() throws {
        let run = try shell(
            """
            place=$(mktemp -d) && cd "$place" && mkdir -p net work && touch 'net/(id>pwned)' 'net/$(id>pwned)' net/eth0 \
            && cd work && apus completion fish | sed "s,/sys/class/net,$place/net," > ../script
            fish --no-config -c 'source ../script; complete -C "apus capture "; complete -C "apus forward -i "'
            ls; rm -r "$place"
            """)
        #expect(run.errors == "", "\(run.errors)")
        let names = ["$(id>pwned)", "(id>pwned)", "eth0"]
        #expect(
            run.output.split(separator: "\n").map { String($0.prefix { $0 != "\t" }) }.sorted()
                == (names + names).sorted())
    }

    /// zsh completes only at a prompt, so one is given to it on a terminal of its own.
    @Test(.requires(.program("zsh"))) func `zsh is offered commands, options and values`() throws {
        func offers(_ line: String) throws -> String {
            let script = try ScratchFile(
                """
                zmodload zsh/zpty
                zpty z zsh -f -i
                # The line shows <%%> and do''ne as it is typed; only what comes of it shows <%> and done.
                zpty -w z 'PROMPT="<%%>"; autoload -U compinit; compinit -D -u; LISTMAX=99; source <(apus completion zsh)'
                zpty -r z text '*<%>*'
                zpty -w -n z "\(line)"$'\\t\\t'
                zpty -w -n z $'\\C-u'
                zpty -w z "print do''ne"
                zpty -r z text '*done*'
                print -r -- $text
                zpty -d z
                """, suffix: "zsh")
            let run = try shell("timeout 20 zsh -f \(script.path)", environment: ["TERM": "xterm"])
            #expect(run.code == 0, "\(run.errors)")
            return run.output
        }
        #expect(try offers("apus fo").contains("forward"))
        let backends = try offers("apus forward --backend ")
        #expect(["auto", "xdp", "packet", "dpdk"].allSatisfy { backends.contains($0) }, "\(backends)")
        let options = try offers("apus forward --bu")
        #expect(options.contains("--busy-poll-budget"), "\(options)")
        #expect(try offers("apus filter deny lo pro").contains("protocol/"))
        for line in ["apus control /run/a.sock ", "apus control --json /run/a.sock "] {
            let orders = try offers(line)
            #expect(["status", "reload", "stop", "help"].allSatisfy { orders.contains($0) }, "\(orders)")
        }
    }

    @Test(.requires(.program("mandoc"))) func `the manual is clean mdoc`() throws {
        let run = try shell("apus man | mandoc -T lint -W warning")
        #expect(run.code == 0 && run.output == "" && run.errors == "", "\(run.output)\(run.errors)")
    }

    @Test(.requires(.program("mandoc"))) func `the manual explains each reason of a filter, and each key`()
        throws
    {
        let page = try shell("apus man | mandoc -T utf8 -O width=200 | col -bx").output
        for reason in FilterReason.allCases {
            let text = reason.sentence.prefix(1).uppercased() + reason.sentence.dropFirst() + "."
            #expect(
                page.split(separator: "\n").contains {
                    $0.hasPrefix("     \(reason.label) ") && $0.hasSuffix(text)
                }, "\(reason.label)")
        }
        #expect(page.contains("FILTER FILE") && page.contains("\n     limitNeighbors"))
        for command in FilterCommand.command.visibleSubcommands {
            #expect(page.contains("\n   filter \(command.name)\n"), "\(command.name)")
        }
        #expect(!page.contains("filter words"))
    }

    @Test(.requires(.program("mandoc"))) func `the manual explains each name that drops are counted under`()
        throws
    {
        let page = try shell("apus man | mandoc -T utf8 -O width=200 | col -bx").output
        var all = ParseFailure.allCases.map { ($0.label, $0.description) }
        all += RelayDrop.allCases.map { ($0.label, $0.description) }
        all += PortDrop.allCases.map { ($0.label, $0.description) }
        all += EndHostDrop.allCases.map { ($0.label, $0.description) }
        all += DeviceDrop.allCases.map { ($0.rawValue, $0.sentence) }
        for (label, sentence) in all {
            let text = sentence.prefix(1).uppercased() + sentence.dropFirst() + "."
            #expect(
                page.split(separator: "\n").contains { $0.hasPrefix("     \(label) ") && $0.hasSuffix(text) },
                "\(label)")
        }
        for (label, _) in SteeringCounters().passed { #expect(page.contains("\n     \(label) "), "\(label)") }
    }

    @Test(.requires(.program("mandoc"))) func `the manual knows each command, option and exit code`() throws {
        let page = try shell("apus man | mandoc -T utf8 -O width=200 | col -bx").output
        let help = try apus("forward", "--help").output
        let options = help.matches(of: /--[a-z][a-z-]*/).map(\.output)
        #expect(options.count > 20)
        for option in options { #expect(page.contains(option), "\(option)") }
        for code in ["64", "66", "69", "77", "78"] { #expect(page.contains("\n     \(code) "), "\(code)") }
        #expect(
            page.contains(
                "$ apus forward -l 192.0.2.1:5004 -t 198.51.100.7:5004 -t '[2001:db8::7]:5004' --stats"))
    }
}
