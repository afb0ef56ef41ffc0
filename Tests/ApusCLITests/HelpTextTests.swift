import Testing

@testable import ApusCLI

@Suite struct HelpTextTests {
    private let glide = sample.subcommands[0]

    @Test func `the help of a command puts examples first and aligns the rest`() {
        #expect(
            HelpText.text(of: glide, path: "fly glide", width: 60, style: Style(isOn: false)) == """
                fly glide: go without beating the wings

                Usage:
                  fly glide FROM [TO…] [options]

                Examples:
                  Leave the tower:
                    $ fly glide tower --height 60

                It takes height, and gives distance for it.

                Arguments:
                  FROM  The place to leave.
                  TO    The places to reach.

                Options:
                  -m, --height METERS  Where to begin. Default: 100.
                  -o, --over PLACE     What to pass. May be given several
                                       times.
                      --wind FROM      Where it blows from. One of east or
                                       west.
                  -q, --quiet          Do not call.
                  -h, --help           Show this help.

                Voice:
                      --high-frequency-of-calling KILOHERTZ
                                        How to call.

                """)
    }

    @Test func `the help of a tree lists its commands`() {
        #expect(
            HelpText.text(of: sample, path: "fly", width: 60, style: Style(isOn: false)) == """
                fly: go by air

                Usage:
                  fly COMMAND [options]

                A swift sleeps, eats and mates in the air.

                Commands:
                  glide  Go without beating the wings.
                  nest   Stay on the ground.

                Options:
                  -V, --version  Print the version.
                  -h, --help     Show this help.

                Exit codes:
                  0   Fine.
                  64  Wrong usage: an unknown option, a missing value, a
                      stream by options that makes no sense on this host,
                      such as one to the host itself.
                  66  There is no such interface, device or file, or no such
                      rule of a filter.
                  69  The host cannot do what was asked, or not now, as when
                      a port is in use or it has fewer queues; or nobody
                      reads the output any more. The message says what is in
                      the way and how to mend it.
                  77  Not permitted; the message names the capability or
                      permission that is missing.
                  78  The configuration file is wrong, or makes no sense on
                      this host; the message says where, as
                      file:line:column, and what was meant.

                """)
    }

    @Test func `headings are bold where that is wanted`() {
        let text = HelpText.text(of: sample, path: "fly", width: 60, style: Style(isOn: true))
        #expect(text.contains("\n\u{1b}[1mCommands:\u{1b}[0m\n"))
    }

    @Test(arguments: [40, 60, 80, 100])
    func `no line of the real help is wider than asked for, but examples and labels`(width: Int) {
        for (path, command) in Command.apus.flattened() {
            let text = HelpText.text(
                of: command, path: path.joined(separator: " "), width: width, style: Style(isOn: false))
            for line in text.split(separator: "\n")
            where !line.hasPrefix("    $ ") && !line.contains("  --") && !line.contains(", --") {
                #expect(line.count <= width, "\(line)")
            }
        }
    }
}

/// What holds for each command that anybody adds to the tree.
@Suite struct CommandTreeTests {
    private let all = Command.apus.flattened()

    @Test func `names are short lower-case words, and no two are the same`() {
        for (path, command) in all {
            #expect(command.name.wholeMatch(of: /[a-z][a-z0-9-]*/) != nil, "\(path)")
            let options = command.allOptions
            #expect(Set(options.map(\.long)).count == options.count, "\(path)")
            let shorts = options.compactMap(\.short)
            #expect(Set(shorts).count == shorts.count, "\(path): \(shorts)")
            #expect(Set(command.subcommands.map(\.name)).count == command.subcommands.count, "\(path)")
            for option in options {
                #expect(option.long.wholeMatch(of: /[a-z][a-z0-9-]*/) != nil, "\(option.name)")
            }
        }
    }

    @Test func `each command and option is explained in whole sentences`() {
        for (path, command) in all {
            #expect(command.summary.first?.isUppercase == false && command.summary.last != ".", "\(path)")
            for text in command.discussion + command.arguments.map(\.help) + command.allOptions.map(\.help) {
                #expect(text.last == "." && text.first?.isLowercase == false, "\(path): \(text)")
            }
            #expect(
                command.name == "help" || command.subcommands.isEmpty == false || !command.examples.isEmpty,
                "\(path)")
        }
    }

    @Test func `each example is a command line that is understood`() throws {
        for (path, command) in all {
            for example in command.examples {
                let parts = example.line.replacing("&&", with: "|").split(separator: "|").map {
                    $0.prefix { $0 != ">" }
                }
                let lines = parts.compactMap { part in
                    part.split(separator: "apus ", maxSplits: 1).last.map(String.init)
                }
                let own = zip(parts, lines).filter { $0.0.contains("apus ") }.map(\.1)
                #expect(!own.isEmpty, "\(path): \(example.line)")
                for line in own {
                    let words = line.split { " ()".contains($0) }.map { $0.filter { $0 != "'" } }
                    var reached: [String] = []
                    guard
                        case .run(let parsed, _, _) = try ArgumentParser.parse(
                            words, root: .apus, path: &reached)
                    else {
                        Issue.record("\(example.line) asks for help")
                        continue
                    }
                    #expect(parsed.name == command.name || command.name == "apus", "\(example.line)")
                }
            }
        }
    }
}
