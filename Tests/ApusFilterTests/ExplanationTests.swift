import ApusConfig
import ApusWire
import CFilter
import NetworkLab
import Testing

@testable import ApusFilter

/// What rules would do with packets, asked by who has no filter, and of numbers that nobody would think of.
@Suite(.requires(.root)) struct ExplanationTests {
    private static var rules: FilterRules {
        var rules = FilterRules()
        rules.limits = [FilterLimit(scope: .source, packets: PacketRate(perSecond: 1), packetBurst: 2)]
        return rules
    }

    @Test func timesAreJudgedAsFarAsBucketsCount() throws {
        var explanation = try FilterExplanation(of: Self.rules, for: "nowhere")
        let day: UInt64 = 86_400_000_000_000
        func verdicts(_ source: UInt32, at time: UInt64) throws -> [FilterVerdict] {
            try (0..<3).map { _ in try explanation.judge(frame(from: source), at: time).verdict }
        }
        let all: [FilterVerdict] = [.reason(.within), .reason(.within), .limit(0)]
        // A source that is known, and one that is new there.
        #expect(try verdicts(0x0a00_0001, at: 0) == all)
        #expect(try verdicts(0x0a00_0001, at: 4 * 365 * day) == all)
        #expect(try verdicts(0x0a00_0002, at: 4 * 365 * day) == all)
        for time in [5 * 365 * day, 9 * 365 * day, 1 << 58, .max - monotonicTime, .max] {
            let refusal = #expect(throws: FilterError.self) { try verdicts(0x0a00_0003, at: time) }
            #expect(
                refusal?.description.contains("\(time / day) days after the first can't be judged") == true)
        }
        #expect(try verdicts(0x0a00_0004, at: day) == all)
    }

    @Test func prefixesThatNoAddressHasAreRefused() throws {
        for (text, length) in [
            ("192.0.2.0/24", 200), ("192.0.2.0/24", -200), ("2001:db8::/32", 129), ("::ffff:0:0/96", 400),
        ] {
            var prefix = try #require(AddressPrefix(text))
            prefix.length = length
            var rules = Self.rules
            rules.entries = [FilterEntry(.source(prefix), .deny)]
            let refusal = #expect(throws: FilterError.self) {
                try FilterExplanation(of: rules, for: "nowhere").rules
            }
            #expect(
                refusal?.description.contains("bits, found \(length)") == true,
                "\(refusal?.description ?? "")")
        }
    }

    @Test func noneOrFewerAreTheHeaviestOfNoSources() throws {
        let program = try RulesProgram.running(Self.rules)
        let limits = Dictionary(
            uniqueKeysWithValues: zip(
                LimitNumbers().replaced(by: Self.rules.limits).inForce, Self.rules.limits))
        let before = try SourceTable(program.maps.sources, limits: limits)
        for source in 1...3 as ClosedRange<UInt32> {
            _ = try program.program.run(on: frame(from: source << 24))
        }
        let after = try SourceTable(program.maps.sources, limits: limits)
        for (count, found) in [(-1, 0), (0, 0), (1, 1), (2, 2), (5, 3)] {
            #expect(after.heaviest(count, by: .packets, since: before).count == found)
        }
    }

    /// What is validated has room in the program's data, where the rest would be left out in silence.
    @Test func theProgramHasRoomForWhatRulesMayHave() {
        #expect(FilterRules.mostLimits == Int(APUS_FILTER_LIMITS))
        #expect(FilterRules.mostManagement * FilterRules.mostManagementSources == Int(APUS_FILTER_SERVICES))
    }
}
