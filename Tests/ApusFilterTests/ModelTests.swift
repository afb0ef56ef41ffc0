import ApusConfig
import ApusXDP
import Seeds
import Testing

@testable import ApusFilter

/// The program beside a plain model of the rules, on the same frames at the same times.
@Suite(.serialized) struct ModelTests {
    /// A trial of rules, whose clock the test holds.
    ///
    /// - Parameter mayInline: the program has two forms, one of which takes CAP_PERFMON to load.
    static func program(_ rules: FilterRules, start: UInt64, mayInline: Bool = true) throws -> RulesProgram {
        let numbers = LimitNumbers().replaced(by: rules.limits)
        return try RulesProgram(
            rules, numbers: numbers.inForce, secret: RulesEncoding.knownSecret,
            caller: .alone(takesFragments: true), now: start, isTrial: true, mayInline: mayInline)
    }

    @Test(arguments: 0..<60) func agreesWithTheModel(seed: UInt64) throws {
        var frames = Frames(Seeded(seed &+ 1000))
        try compare(seed: seed, count: 500) { frames.next() }
    }

    /// Real RTP where it is at hand, and frames of every shape, with octets changed, taken out, put in and repeated, or
    /// cut off; and octets that never were a frame.
    @Test(arguments: 60..<80) func agreesWithTheModelOnSpoiledFrames(seed: UInt64) throws {
        var spoiler = Spoiler(Seeded(seed &+ 1000))
        try compare(seed: seed, count: 1000) { spoiler.next() }
    }

    private func compare(seed: UInt64, count: Int, _ next: () -> [UInt8]) throws {
        var random = Seeded(seed)
        let rules = FilterRules(random: &random)
        try rules.validate()
        let start: UInt64 = 5_000_000_000_000
        let program = try Self.program(rules, start: start, mayInline: seed % 2 == 0)
        var model = Model(rules, start: start)
        var now = start
        var undecided = 0
        for number in 0..<count {
            let pace: UInt64 = [1_000_000, 20_000_000, 1000].randomElement(using: &random)!
            now += .random(in: 0...pace, using: &random)
            let frame = next()
            let judged = try program.judge(frame, at: now)
            let expected = model.judge(frame, at: now, program: judged.verdict)
            #expect(judged.passed == (rules.isDryRun || judged.verdict.passes))
            switch expected {
            case .undecided: undecided += 1
            case .verdict(let verdict):
                guard judged.verdict != verdict else { continue }
                Issue.record(
                    "frame \(number) of seed \(seed): \(frame): the program says \(judged.verdict), the model \(verdict); \(rules.text)"
                )
                return
            }
        }
        #expect(undecided < count / 10)
    }
}
