import Testing

@testable import ApusCLI

/// A small tree of its own, so that the rules are seen without the real commands.
let sample = Command(
    name: "fly",
    summary: "go by air",
    discussion: ["A swift sleeps, eats and mates in the air."],
    options: [Option(long: "version", short: "V", help: "Print the version.")],
    subcommands: [
        Command(
            name: "glide",
            summary: "go without beating the wings",
            discussion: ["It takes height, and gives distance for it."],
            options: [
                Option(
                    long: "height", short: "m", value: .init(name: "METERS"), help: "Where to begin.",
                    defaultText: "100"),
                Option(
                    long: "over", short: "o", value: .init(name: "PLACE"), help: "What to pass.",
                    repeats: true),
                Option(
                    long: "wind", value: .init(name: "FROM", completion: .words(["east", "west"])),
                    help: "Where it blows from."),
                Option(long: "quiet", short: "q", help: "Do not call."),
                Option(
                    long: "high-frequency-of-calling", value: .init(name: "KILOHERTZ"), help: "How to call.",
                    section: "Voice"),
            ],
            arguments: [
                Argument(name: "FROM", help: "The place to leave."),
                Argument(name: "TO", help: "The places to reach.", isRequired: false, repeats: true),
            ],
            examples: [Example(purpose: "Leave the tower", line: "fly glide tower --height 60")],
            run: { _ in }),
        Command(
            name: "nest", summary: "stay on the ground",
            subcommands: [Command(name: "build", summary: "begin one", run: { _ in })], run: { _ in }),
    ], run: { _ in })

/// What a command line comes to, or what is said about it.
private func parse(_ words: String...) -> String {
    var path: [String] = []
    do {
        switch try ArgumentParser.parse(words, root: sample, path: &path) {
        case .help: return "help for \(path.joined(separator: " "))"
        case .run(_, let values, let arguments):
            let options = values.sorted { $0.key < $1.key }.map {
                "\($0.key)=\($0.value.joined(separator: "|"))"
            }
            return ([path.joined(separator: " ")] + options + arguments).joined(separator: ", ")
        }
    } catch {
        return "\(error.code.rawValue): \(error.message)"
    }
}

@Suite struct ArgumentParserTests {
    @Test func `options and arguments may be mixed, and values be joined`() {
        #expect(parse("glide", "tower", "--height", "60", "roof") == "fly glide, height=60, tower, roof")
        #expect(parse("glide", "--height=60", "tower") == "fly glide, height=60, tower")
        #expect(parse("glide", "--height=", "tower") == "fly glide, height=, tower")
        #expect(parse("glide", "--wind=a=b", "tower") == "fly glide, wind=a=b, tower")
        #expect(parse("glide", "-m", "60", "tower") == "fly glide, height=60, tower")
        #expect(parse("glide", "-m60", "tower") == "fly glide, height=60, tower")
        #expect(parse("glide", "-qm60", "tower") == "fly glide, height=60, quiet=, tower")
        #expect(parse("glide", "-q", "-q", "tower") == "fly glide, quiet=|, tower")
    }

    @Test func `a repeated option keeps its values in order`() {
        #expect(parse("glide", "-o", "a", "tower", "--over=b", "-oc") == "fly glide, over=a|b|c, tower")
    }

    @Test func `what follows two hyphens is an argument, and one hyphen is one as well`() {
        #expect(parse("glide", "--", "--height", "-q") == "fly glide, --height, -q")
        #expect(parse("glide", "-") == "fly glide, -")
    }

    @Test func `a value may begin with a hyphen if it is no option's name`() {
        #expect(parse("glide", "--height", "-5", "tower") == "fly glide, height=-5, tower")
        #expect(parse("glide", "--height", "--quiet") == "64: --height needs a value: --height METERS")
        #expect(parse("glide", "-m", "-q") == "64: -m needs a value: -m METERS")
        #expect(parse("glide", "tower", "--height") == "64: --height needs a value: --height METERS")
    }

    @Test func `help is given wherever it is asked for`() {
        #expect(parse("--help") == "help for fly")
        #expect(parse("glide", "--height", "60", "-h") == "help for fly glide")
        #expect(parse("nest", "build", "--help") == "help for fly nest build")
        #expect(parse("glide", "-qh") == "help for fly glide")
    }

    @Test func `an unknown option is answered with the nearest one`() {
        #expect(parse("glide", "--hieght", "60") == "64: unknown option --hieght; did you mean --height?")
        #expect(parse("glide", "--heigth=60") == "64: unknown option --heigth; did you mean --height?")
        #expect(parse("glide", "-height", "60") == "64: unknown option -height; did you mean --height?")
        #expect(
            parse("glide", "--depth", "60")
                == "64: unknown option --depth; fly glide --help shows what there is")
        #expect(parse("glide", "-x") == "64: unknown option -x; fly glide --help shows what there is")
        #expect(parse("--height", "60") == "64: unknown option --height; fly --help shows what there is")
    }

    @Test func `an unknown command is answered with the nearest one`() {
        #expect(parse("glid") == "64: unknown command \"glid\"; did you mean glide?")
        #expect(parse("swim") == "64: unknown command \"swim\"; fly --help shows what there is")
        #expect(parse("nest", "bild") == "64: unknown command \"bild\"; did you mean build?")
    }

    @Test func `too much and too little are wrong usage`() {
        #expect(parse("glide") == "64: FROM is missing: fly glide FROM [TO…] [options]")
        #expect(
            parse("nest", "build", "x")
                == "64: unexpected argument \"x\"; fly nest build --help shows what there is")
        #expect(
            parse("glide", "--height", "1", "--height", "2")
                == "64: --height is there twice, and takes one value")
        #expect(parse("glide", "--quiet=yes") == "64: --quiet takes no value")
    }

    @Test func `a word that was meant for a repeated option is told so`() {
        let tree = Command(
            name: "fly", summary: "x",
            options: [Option(long: "over", value: .init(name: "PLACE"), help: "X.", repeats: true)],
            run: { _ in })
        var path: [String] = []
        #expect(
            throws: ExitFailure(.usage, "unexpected argument \"b\"; write --over before each of its values")
        ) {
            try ArgumentParser.parse(["--over", "a", "b"], root: tree, path: &path)
        }
    }

    @Test func `control characters of a command line do not reach the terminal`() {
        #expect(!parse("glide", "--\u{1b}[2J").contains("\u{1b}"))
        #expect(!parse("\u{1b}[2J").contains("\u{1b}"))
    }
}
