import Apus

/// `apus filter limit`.
extension FilterCommand {
    private static let name = Option(
        long: "name", value: .init(name: "NAME", completion: .filterWords(.limits)),
        help: "What it is called in statistics, 1 to 64 characters.", defaultText: "its scope and service")
    private static let each = Option(
        long: "each", short: "e",
        value: .init(
            name: "WHAT", completion: .words(["source", "prefix", "sourcePort", "all"])),
        help:
            "What has a bucket of its own, as in a file: each source address, each source prefix, each source address and the "
            + "port that it sends to, or all packets together. Instead of prefix, the lengths of prefixes of IPv4 and of IPv6, "
            + "such as /22,/56; prefix is /24,/64.",
        defaultText: "all")
    private static let source = Option(
        long: "source", short: "s", value: .init(name: "any|/24[,/64]"),
        help:
            "Another way to say it: any is --each source, and lengths of prefixes are as there.")
    private static let eachPort = Option(
        long: "each-port",
        help: "Another way to say --each sourcePort, with --source any.")
    private static let service = Option(
        long: "service", value: .init(name: "SERVICE", completion: .filterWords(.services)),
        help:
            "The packets it applies to, by where they go, such as udp/5004, icmp, 192.0.2.0/24 or '192.0.2.1 tcp/80-90'.",
        defaultText: "all packets")
    private static let rate = Option(
        long: "rate", short: "r", value: .init(name: "RATE"),
        help:
            "Packets a second, a minute, an hour or a day, such as 1000pps, 30/m, 20/h or 100/d, or bits a second, such as 50Mbit; one of each at most.",
        repeats: true)
    private static let burst = Option(
        long: "burst", short: "b", value: .init(name: "BURST"),
        help: "What may come at once: packets, such as 200, or octets, such as 64KiB; one of each at most.",
        repeats: true, defaultText: "a tenth of a second's worth, at least 10 packets or 15140 octets")
    private static let banOver = Option(
        long: "ban-over", value: .init(name: "TIMES"),
        help: "With --each source: ban a source that offers more than so many times the rate.")
    private static let banFor = Option(
        long: "ban-for", value: .init(name: "TIME"), help: "How long it is banned, such as 10m or 1h30m.")

    static let limit = Command(
        name: "limit",
        summary: "add a limit, or change the one of its name",
        discussion: [
            "The limit is tried behind those there are, or in the place of the one of its name, whose buckets it keeps if "
                + "scope and service are the same. A packet passes if all limits that apply to it have room, and is charged "
                + "to none otherwise. Two limits may be for the same packets, a fast and a slow one, by names of their own."
        ],
        usage: [
            "IF --rate RATE [--rate RATE] [--burst BURST…] [--each WHAT] "
                + "[--service SERVICE] [--name NAME] [--ban-over TIMES --ban-for TIME]"
        ],
        options: [rate, burst, each, source, eachPort, service, name, banOver, banFor],
        arguments: [interface],
        examples: [
            Example(
                purpose:
                    "At most 1000 packets a second of each source to a port, and a ban for who offers ten times that",
                line:
                    "sudo apus filter limit eth0 --each source --service udp/5004 --rate 1000pps --ban-over 10 --ban-for 10m"
            ),
            Example(
                purpose: "At most 50 Mbit/s of each /24 of IPv4 and each /56 of IPv6",
                line: "sudo apus filter limit eth0 --each /24,/56 --rate 50Mbit --burst 1MB"),
        ],
        run: { invocation throws(ExitFailure) in
            let interface = try invocation.kernelInterface()
            let limit = try limit(invocation)
            try make([.set(limit)], on: interface, invocation)
        })

    private static func limit(_ invocation: Invocation) throws(ExitFailure) -> FilterLimit {
        let scope = try scope(invocation)
        let service = try invocation.value(service, as: FilterService.self)
        var limit = FilterLimit(name: invocation.text(name), scope: scope, service: service)
        guard invocation.has(rate) else {
            throw ExitFailure(.usage, "--rate is missing: expected \(FilterRate.expectation)")
        }
        for rate in try invocation.values(rate, as: FilterRate.self) {
            switch rate {
            case .packets(let rate):
                if limit.packets != nil { throw twice("--rate", "rate of packets") }
                limit.packets = rate
            case .bits(let rate):
                if limit.bits != nil { throw twice("--rate", "rate of bits") }
                limit.bits = rate
            }
        }
        for burst in try invocation.values(burst, as: FilterBurst.self) {
            switch burst {
            case .packets(let count):
                if limit.packetBurst != nil { throw twice("--burst", "burst of packets") }
                limit.packetBurst = count
            case .octets(let count):
                if limit.octetBurst != nil { throw twice("--burst", "burst of octets") }
                limit.octetBurst = count
            }
        }
        limit.ban = try ban(invocation)
        if limit.ban != nil, scope != .source {
            throw ExitFailure(
                .usage,
                "--ban-over: only a limit on each source bans, as the others do not know whose packets were too many; "
                    + "write --each source")
        }
        return limit
    }

    private static func twice(_ option: String, _ what: String) -> ExitFailure {
        ExitFailure(.usage, "\(option): a limit has one \(what)")
    }

    private static func scope(_ invocation: Invocation) throws(ExitFailure) -> FilterLimit.Scope {
        let isEachPort = invocation.has(eachPort)
        if let word = invocation.text(each) {
            guard !isEachPort, !invocation.has(source) else {
                throw ExitFailure(
                    .usage, "--each says all there is to say; leave --source and --each-port out")
            }
            return try scope(word)
        }
        guard let text = invocation.text(source) else {
            guard !isEachPort else {
                throw ExitFailure(.usage, "--each-port: is for each source; write --source any beside it")
            }
            return .all
        }
        if text == "any" { return isEachPort ? .sourcePort : .source }
        guard !isEachPort else {
            throw ExitFailure(
                .usage, "--each-port: is for each source address, and not for each prefix; write --source any"
            )
        }
        guard let prefix = prefix(text) else {
            throw ExitFailure(
                .usage,
                "--source: expected any, or the lengths of prefixes of IPv4 and IPv6, such as /24 or /24,/64, found \(text.quoted)"
            )
        }
        return prefix
    }

    /// The words of a file, and the lengths of prefixes.
    private static func scope(_ word: String) throws(ExitFailure) -> FilterLimit.Scope {
        switch word {
        case "source": return .source
        case "sourcePort": return .sourcePort
        case "all": return .all
        case "prefix": return .prefix
        default:
            if let prefix = prefix(word) { return prefix }
            let near =
                nearestName(to: word, among: ["source", "prefix", "sourcePort", "all"])
                ?? (word == "any" ? "source" : nil)
            throw ExitFailure(
                .usage,
                "--each: expected source, prefix, sourcePort or all, or the lengths of prefixes of IPv4 and IPv6, such as "
                    + "/22,/56, found \(word.quoted)" + (near.map { "; did you mean \($0)?" } ?? ""))
        }
    }

    private static func prefix(_ text: String) -> FilterLimit.Scope? {
        func length(_ part: Substring?, _ most: UInt8) -> UInt8? {
            guard let part, part.first == "/",
                part.dropFirst().utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let bits = UInt8(part.dropFirst()), bits <= most
            else { return nil }
            return bits
        }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= 2, let ipv4 = length(parts[0], 32),
            let ipv6 = parts.count == 1 ? 64 : length(parts[1], 128)
        else { return nil }
        return .prefix(ipv4: ipv4, ipv6: ipv6)
    }

    private static func ban(_ invocation: Invocation) throws(ExitFailure) -> FilterLimit.Ban? {
        let time = try invocation.value(banFor, as: FilterDuration.self)
        guard let text = invocation.text(banOver) else {
            guard time == nil else {
                throw ExitFailure(.usage, "--ban-for: for whom? write --ban-over TIMES beside it, such as 10")
            }
            return nil
        }
        let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2e }
        guard isPlain, let factor = Double(text), factor >= 1.01, factor <= 1000 else {
            throw ExitFailure(
                .usage,
                "--ban-over: expected how many times the rate is too much, from 1.01 to 1000, found \(text.quoted)"
            )
        }
        guard let time else {
            throw ExitFailure(.usage, "--ban-over: for how long? write --ban-for TIME beside it, such as 10m")
        }
        return .init(over: factor, for: time)
    }
}
