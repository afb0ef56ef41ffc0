import ApusConfig
import ApusWire
import ApusXDP
import NetworkLab
import Seeds
import Testing

@testable import ApusFilter

/// What makes sense as rules the kernel's verifier accepts as a program.
@Suite(.serialized, .requires(.root)) struct VerifierTests {
    /// Loads rules as a program, in each way that it is loaded.
    private func load(_ rules: FilterRules, _ callers: [TailCaller], isTrial: Bool = false) throws {
        try rules.validate()
        for caller in callers {
            for hasPerfmon in [false, true] {
                do throws(BPFError) {
                    _ = try RulesProgram(
                        rules, numbers: LimitNumbers().replaced(by: rules.limits).inForce,
                        secret: [1, 2, 3, 4, 5, 6, 7, 8], caller: caller, now: monotonicTime,
                        isTrial: isTrial, hasPerfmon: hasPerfmon)
                } catch {
                    Issue.record("\(caller), trial \(isTrial), \(hasPerfmon): \(error); \(rules.text)")
                    throw error
                }
            }
        }
    }

    private static let callers: [TailCaller] =
        [.dispatched, .alone(takesFragments: false), .alone(takesFragments: true)]

    /// Who has CAP_PERFMON has the program without calls for few rules, and only for those.
    @Test func fewRulesHaveAProgramWithoutCalls() throws {
        for (limits, management, hasPerfmon, name) in [
            (0, 0, true, "apus_filter_few"), (1, 16, true, "apus_filter_few"),
            (2, 0, true, "apus_filter_rul"), (1, 32, true, "apus_filter_rul"),
            (1, 16, false, "apus_filter_rul"),
        ] {
            let rules = try Self.all(limits, .source, management: management)
            let program = try RulesProgram(
                rules, numbers: LimitNumbers().replaced(by: rules.limits).inForce,
                secret: RulesEncoding.knownSecret, caller: .alone(takesFragments: false), now: monotonicTime,
                hasPerfmon: hasPerfmon)
            #expect(program.program.name == name, "\(limits) \(management) \(hasPerfmon)")
        }
    }

    @Test func rulesOfAnySeedAreLoaded() throws {
        for seed in 100..<124 as Range<UInt64> {
            var random = Seeded(seed)
            let rules = FilterRules(random: &random)
            try load(rules, [Self.callers[Int(seed % 3)]], isTrial: seed % 4 == 0)
        }
    }

    /// Everything at once that rules can have.
    private static func all(
        _ limits: Int, _ scope: FilterLimit.Scope, management: Int
    ) throws -> FilterRules {
        var rules = FilterRules()
        rules.policy = .deny
        rules.notIP = .deny
        rules.limitsNeighbors = true
        rules.isDryRun = true
        rules.management = (0..<FilterRules.mostManagement).map { number in
            let sources = (0..<management / FilterRules.mostManagement).map {
                AddressPrefix("10.\(number).\($0).0/24")!
            }
            return ManagementService(try! FilterService("tcp/\(1000 + number)"), from: sources)
        }
        rules.entries = [
            FilterEntry(.source(AddressPrefix("198.51.100.7/32")!), .deny),
            FilterEntry(.source(AddressPrefix("2001:db8::/32")!), .allow, isLimited: true),
            FilterEntry(.port(PortRange(.udp, 5004)), .allow),
            FilterEntry(.sourcePort(PortRange(.udp, 11211)), .deny), FilterEntry(.ipProtocol(47), .allow),
        ]
        rules.limits = try (0..<limits).map { number in
            var limit = FilterLimit(
                name: "limit \(number)", scope: scope,
                service: try FilterService(
                    "\(number % 2 == 0 ? "192.0.2.0/24" : "2001:db8::/64") udp/\(number + 1)"),
                packets: PacketRate(perSecond: 1000), bits: BitRate(perSecond: 1e6))
            if scope == .source {
                limit.ban = .init(over: 2, for: FilterDuration(nanoseconds: 1_000_000_000))
            }
            return limit
        }
        return rules
    }

    /// With as many services of management as there can be, and as many as don't need calls; with one limit, too, as it is
    /// not called.
    @Test(arguments: [FilterLimit.Scope.all, .source, .prefix, .sourcePort], [(32, 256), (32, 16), (1, 16)])
    func thirtyTwoLimitsAndEverythingElseAreLoaded(
        _ scope: FilterLimit.Scope, _ count: (limits: Int, management: Int)
    ) throws {
        var rules = try Self.all(count.limits, scope, management: count.management)
        rules.fragments = scope == .source ? .deny : scope == .prefix ? .allow : .limit
        let caller = Self.callers[scope == .all ? 0 : scope == .source ? 1 : 2]
        try load(rules, [caller], isTrial: scope == .all)
    }

    /// Each kind of entry, bans, neighbors, the policies: one bit each. Of the 512 sets those that no two features are
    /// strangers in: each by itself, each missing, and some by seed.
    @Test func setsOfFeaturesAreLoaded() throws {
        let full = try Self.all(2, .source, management: 16)
        var random = Seeded(9)
        let sets =
            [0, 511] + (0..<9).flatMap { [1 << $0, 511 ^ 1 << $0] }
            + (0..<8).map { _ in Int.random(in: 0..<512, using: &random) }
        for bits in sets {
            var rules = full
            func has(_ bit: Int) -> Bool { bits & 1 << bit != 0 }
            rules.entries = full.entries.enumerated().filter { has($0.offset) }.map(\.element)
            if !has(5) { for i in rules.limits.indices { rules.limits[i].ban = nil } }
            rules.limitsNeighbors = has(6)
            rules.policy = has(7) ? .deny : .allow
            rules.isDryRun = has(8)
            rules.fragments = [.limit, .allow, .deny][bits % 3]
            rules.malformed = has(0) ? .deny : .allow
            rules.notIP = has(7) ? .deny : .allow
            try load(rules, [Self.callers[bits % 3]])
        }
    }

    /// Texts of rules in which values are those of other rules, or the least and the most: what can be read is loaded.
    @Test func whatCanBeReadIsLoaded() throws {
        /// The words of a text, of which those that end with a colon are keys.
        func words(_ seed: UInt64) -> [String] {
            var random = Seeded(seed)
            return FilterRules(random: &random).text.split(separator: " ", omittingEmptySubsequences: false)
                .map(String.init)
        }
        var values: [String: [String]] = [
            "rate:": ["\"0.001/s\"", "\"1000Mpps\"", "\"8bit\"", "\"1Tbit\"", "[\"1/m\"", "\"64kbit\"]"],
            "burst:": ["1", "1514", "\"1514octets\"", "\"1GiB\""], "for:": ["\"1ms\"", "\"365d\""],
            "over:": ["1000", "1.01"], "service:": ["\"protocol/0\"", "\"port/1-65535\"", "\"::/0\""],
        ]
        for seed in 2000..<2030 as Range<UInt64> {
            let words = words(seed)
            for (key, value) in zip(words, words.dropFirst()) where key.last == ":" {
                values[key, default: []].append(value.filter { $0 != "," && $0 != "\n" })
            }
        }
        var loaded = 0
        for seed in 1000..<1040 as Range<UInt64> {
            var (random, text) = (Seeded(seed), words(seed))
            let places = text.indices.dropLast().filter { text[$0].last == ":" && values[text[$0]] != nil }
            for place in places.shuffled(using: &random).prefix(3) {
                let end = text[place + 1].filter { $0 == "," || $0 == "\n" }
                text[place + 1] = values[text[place]]!.randomElement(using: &random)! + end
            }
            guard let rules = try? FilterRules(parsing: text.joined(separator: " "), name: "seed \(seed)")
            else { continue }
            loaded += 1
            try load(rules, [Self.callers[Int(seed % 3)]])
        }
        #expect(loaded >= 15, "\(loaded) of 40 texts could be read")
        print("\(loaded) of 40 texts could be read")
    }
}
