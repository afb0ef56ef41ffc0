import ApusConfig
import ApusXDP
import Seeds
import Testing

@testable import ApusFilter

/// The program beside a plain model of the rules, on the same frames at the same times.
@Suite(.serialized) struct ModelTests {
    /// A trial of rules, whose clock the test holds.
    ///
    /// - Parameter hasPerfmon: false for the program that is loaded without CAP_PERFMON.
    static func program(_ rules: FilterRules, start: UInt64, hasPerfmon: Bool = true) throws -> RulesProgram {
        let numbers = LimitNumbers().replaced(by: rules.limits)
        return try RulesProgram(
            rules, numbers: numbers.inForce, secret: RulesEncoding.knownSecret,
            caller: .alone(takesFragments: true), now: start, isTrial: true, hasPerfmon: hasPerfmon)
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
        var rules = FilterRules(random: &random)
        // Few rules have a program of their own.
        if seed % 3 == 0 { rules.limits = Array(rules.limits.prefix(1)) }
        try rules.validate()
        let start: UInt64 = 5_000_000_000_000
        let programs = try [true, false].map { try Self.program(rules, start: start, hasPerfmon: $0) }
        var model = Model(rules, start: start)
        var now = start
        var undecided = 0
        for number in 0..<count {
            let pace: UInt64 = [1_000_000, 20_000_000, 1000].randomElement(using: &random)!
            now += .random(in: 0...pace, using: &random)
            let frame = next()
            let judged = try programs.map { try $0.judge(frame, at: now) }
            let expected = model.judge(frame, at: now, program: judged[0].verdict)
            #expect(judged[0].passed == (rules.isDryRun || judged[0].verdict.passes))
            #expect(judged[0] == judged[1], "frame \(number) of seed \(seed): \(frame); \(rules.text)")
            switch expected {
            case .undecided: undecided += 1
            case .verdict(let verdict):
                guard judged[0].verdict != verdict else { continue }
                Issue.record(
                    "frame \(number) of seed \(seed): \(frame): the program says \(judged[0].verdict), the model \(verdict); \(rules.text)"
                )
                return
            }
        }
        #expect(undecided < count / 10)
    }
}
