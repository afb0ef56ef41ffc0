import Apus
import ApusPorts
import Glibc

/// `apus filter explain`.
extension FilterCommand {
    private static let pcap = Option(
        long: "pcap", value: .init(name: "FILE", completion: .file),
        help: "Judge the frames of a capture file, pcap or pcapng, by the times in it.")
    private static let hex = Option(
        long: "hex", value: .init(name: "FRAME"),
        help: "Judge one frame: its octets from the Ethernet header on, in hexadecimal digits.")

    static let explain = Command(
        name: "explain",
        summary: "say what the rules in force would do with packets, and why",
        discussion: [
            "The filter's own program judges the packets, with its lists and bans as they are, and with buckets of its own "
                + "that begin full: nothing on the interface is disturbed. In a capture the buckets fill as the times in the "
                + "file say. A line says for each packet what becomes of it, the rule that decides, and the limits that it "
                + "was charged to; a summary ends it.",
            "What a capture on the interface shows has passed its filter. For what comes in before that, record it where no "
                + "filter is loaded, or in a dry run: `apus capture`, or `tcpdump -Q in`, as what this host sends is not "
                + "filtered.",
        ],
        usage: ["IF --pcap FILE [--json]", "IF --hex FRAME [--json]"],
        options: [
            pcap, hex,
            Option(long: "json", help: "Print an object on a line for each packet and the summary."),
        ],
        arguments: [interface],
        examples: [
            Example(
                purpose: "See what the rules would drop of what came in a minute",
                line: "sudo apus filter explain eth0 --pcap minute.pcap")
        ],
        run: { invocation throws(ExitFailure) in
            let interface = try invocation.kernelInterface()
            guard invocation.has(pcap) != invocation.has(hex) else {
                throw ExitFailure(.usage, "what is to be judged? name --pcap FILE or --hex FRAME")
            }
            let frame = try invocation.text(hex).map { (text) throws(ExitFailure) in try octets(text) }
            try require(changing, for: "judging packets")
            let filter = try filter(on: interface)
            var run = ExplainRun(
                try filtering { () throws(FilterError) in try filter.explanation() }, invocation)
            if let frame {
                try run.judge(frame, length: frame.count, at: 0)
            } else if let path = invocation.text(pcap) {
                try run.judge(file: path)
            }
            run.finish()
        })

    /// The octets of hexadecimal digits; blanks and colons may be between them.
    private static func octets(_ text: String) throws(ExitFailure) -> [UInt8] {
        let digits = text.filter { !" :\n\t".contains($0) }
        var octets: [UInt8] = []
        var rest = digits[...]
        while let octet = UInt8(rest.prefix(2), radix: 16), rest.count >= 2, rest.first != "+" {
            octets.append(octet)
            rest = rest.dropFirst(2)
        }
        guard rest.isEmpty, octets.count >= FilterExplanation.leastFrame else {
            throw ExitFailure(
                .usage,
                "--hex: expected the octets of a frame, \(FilterExplanation.leastFrame) at least, in pairs of hexadecimal digits, "
                    + "found \(text.quoted)")
        }
        return octets
    }
}

/// One run of `apus filter explain`: judges packets one after the other, and tells.
private struct ExplainRun: ~Copyable {
    private var explanation: FilterExplanation
    private let finder: RuleFinder
    private let invocation: Invocation
    private let writesJSON: Bool
    private var number = 0
    private var start: UInt64?
    /// The latest time so far, after the first packet.
    private var latest: UInt64 = 0
    private var summary = ExplainSummary()

    init(_ explanation: consuming FilterExplanation, _ invocation: Invocation) {
        finder = RuleFinder(explanation.rules)
        self.explanation = explanation
        self.invocation = invocation
        writesJSON = invocation.has(FilterCommand.json)
    }

    mutating func judge(file path: String) throws(ExitFailure) {
        do {
            var file = try CaptureFile(path: path)
            while let frame = try file.next(), !invocation.output.isClosed {
                let first = start ?? frame.time
                start = first
                // Captures of several interfaces or CPUs are not in order, and on an interface time never goes back.
                latest = max(latest, frame.time > first ? frame.time - first : 0)
                try judge(frame.octets, length: frame.length, at: latest)
            }
        } catch let failure as ExitFailure {
            throw failure
        } catch {
            throw ExitFailure(.noInput, "\(error)")
        }
    }

    mutating func judge(_ frame: [UInt8], length: Int, at time: UInt64) throws(ExitFailure) {
        number += 1
        if frame.count < length { summary.cut += 1 }
        guard frame.count >= FilterExplanation.leastFrame else {
            summary.tooShort += 1
            return skip(frame, at: time, "too_short", "there is no whole Ethernet header")
        }
        let trial: FilterTrial
        do throws(FilterError) {
            trial = try explanation.judge(frame, at: time)
        } catch {
            // No frame on an Ethernet is as long as the kernel runs a program on, so a file alone has such.
            guard case .failed(_, let code, _) = error.cause, [ENOMEM, EINVAL].contains(code),
                frame.count > Self.longFrame
            else { throw ExitFailure(error) }
            summary.tooLong += 1
            return skip(frame, at: time, "too_long", "it is longer than the kernel runs a program on")
        }
        let facts = FrameFacts(frame)
        let rules = explanation.rules
        let one = ExplainedPacket(
            packet: number, seconds: Double(time) / 1e9, verdict: trial.verdict.passes ? "pass" : "drop",
            passed: trial.passed, reason: FilterStatusReport.label(of: trial.verdict),
            rule: finder.rule(for: trial.verdict, facts), limits: trial.limits.map { rules.limits[$0].name },
            frame: facts.text, bytes: frame.count)
        summary.add(one)
        if writesJSON {
            invocation.output.json(one, spread: false)
        } else {
            invocation.output.line(one.line(rules.text(of: trial.verdict)).printable)
        }
    }

    /// Tells of a frame that is not judged.
    private func skip(_ frame: [UInt8], at time: UInt64, _ reason: String, _ text: String) {
        let one = ExplainedPacket(
            packet: number, seconds: Double(time) / 1e9, verdict: "skip", passed: nil, reason: reason,
            rule: nil, limits: [], frame: FrameFacts(frame).text, bytes: frame.count)
        if writesJSON {
            invocation.output.json(one, spread: false)
        } else {
            invocation.output.line(one.line(text).printable)
        }
    }

    /// The kernel runs programs on all that is shorter: a packet of IP.
    private static let longFrame = 65_535

    func finish() {
        if writesJSON {
            invocation.output.json(["summary": summary], spread: false)
        } else {
            for line in summary.lines(isDryRun: explanation.rules.isDryRun) {
                invocation.output.line(line.printable)
            }
        }
    }
}

extension FilterStatusReport {
    /// The name of what decides in JSON: `denied_source`, or `limit`.
    static func label(of verdict: FilterVerdict) -> String {
        switch verdict {
        case .reason(let reason): reason.label
        case .limit: "limit"
        }
    }
}

/// What would become of one packet.
struct ExplainedPacket: Encodable {
    var packet: Int
    /// After the first packet of the file.
    var seconds: Double
    /// `pass` or `drop`, whether the rules are a dry run or not, or `skip` where it is not judged.
    var verdict: String
    /// Whether it would pass: in a dry run all do.
    var passed: Bool?
    var reason: String
    /// The entry of a list or the limit that decides.
    var rule: String?
    /// The limits that it was charged to, and the one that refused it.
    var limits: [String]
    var frame: String
    var bytes: Int

    /// A line for people; `reason` in words.
    func line(_ text: String) -> String {
        var why = text
        if let rule, reason != "limit" { why += ": \(rule)" }
        if reason == "within", !limits.isEmpty { why += ": " + limits.joined(separator: ", ") }
        let micro = Int((seconds * 1e6).rounded())
        let fraction = String(micro % 1_000_000)
        let time = "\(micro / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
        return "\(packet)  \(time)  \(verdict)  \(frame), \(bytes) octets: \(why)"
    }
}

/// What became of all packets.
struct ExplainSummary: Encodable {
    var packets = 0
    var passed = 0
    var dropped = 0
    /// Packets by what decides, and those dropped by limits by their names.
    var reasons: [String: Int] = [:]
    var limits: [String: Int] = [:]
    /// Recorded in part: judged by what there is of them.
    var cut = 0
    /// Without a whole Ethernet header: not judged.
    var tooShort = 0
    /// Longer than the kernel runs a program on: not judged.
    var tooLong = 0

    mutating func add(_ one: ExplainedPacket) {
        packets += 1
        if one.verdict == "pass" { passed += 1 } else { dropped += 1 }
        reasons[one.reason, default: 0] += 1
        if one.reason == "limit", let name = one.rule { limits[name, default: 0] += 1 }
    }

    func lines(isDryRun: Bool) -> [String] {
        var lines = [
            "\(Units.count(packets)) packet\(packets == 1 ? "" : "s"): \(Units.count(passed)) pass, \(Units.count(dropped)) dropped"
                + (isDryRun ? "; in this dry run all pass" : "")
        ]
        for reason in FilterReason.allCases {
            if let count = reasons[reason.label] { lines.append("  \(Units.count(count))  \(reason.text)") }
        }
        for (name, count) in limits.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            lines.append("  \(Units.count(count))  the limit \(name.quoted) has no room")
        }
        if cut > 0 {
            lines.append(
                "\(Units.count(cut)) of them were recorded in part, and are judged and charged as if that were all; record whole "
                    + "packets (tcpdump -s 0)")
        }
        if tooShort > 0 {
            lines.append("\(Units.count(tooShort)) more have no whole Ethernet header, and are not judged")
        }
        if tooLong > 0 {
            lines.append(
                "\(Units.count(tooLong)) more are longer than the kernel runs a program on, and are not judged"
            )
        }
        return lines
    }
}
