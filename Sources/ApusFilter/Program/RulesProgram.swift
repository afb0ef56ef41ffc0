import ApusConfig
import ApusHost
import ApusWire
import ApusXDP
import CFilter
import Glibc

/// A rules program: loaded with its maps, and put into force by a write to the slot that the entry program jumps by.
struct RulesProgram {
    /// The program.
    let program: BPFProgram
    /// Its maps.
    let maps: FilterMaps
    /// Where a trial gets its time and says what was judged; nil otherwise.
    let trial: BPFMap<UInt32, apus_trial>?

    /// Whether it tells the time by the kernel's ticks.
    let tellsTimeByTicks: Bool

    private let numbers: [UInt32]

    /// The program for any rules, and the one for few, which has no calls.
    private static let (forAll, forFew) = ("apus_filter_rules", "apus_filter_few")
    /// Services of management that few rules have, one for each prefix they are managed from: the verifier looks at each for
    /// each way through the headers.
    private static let mostManagement: UInt32 = 16

    /// Loads a program; the kernel's verifier has accepted it then.
    ///
    /// - Parameters:
    ///   - rules: that have been validated.
    ///   - numbers: of their limits.
    ///   - secret: of the table of sources.
    ///   - caller: how the entry program sits on its interface.
    ///   - now: nanoseconds of CLOCK_MONOTONIC, when entries with a lifetime begin theirs.
    ///   - inherited: what it takes over.
    ///   - isTrial: whether it takes its time from a map and says there what was judged.
    ///   - hasPerfmon: whether the verifier accepts what takes CAP_PERFMON to load, which is faster.
    init(
        _ rules: FilterRules, numbers: [UInt32], secret: [UInt64], caller: TailCaller, now: UInt64,
        _ inherited: FilterInheritance? = nil, isTrial: Bool = false, hasPerfmon: Bool = Self.hasPerfmon
    ) throws(BPFError) {
        let sets = FilterMaps.sets(for: rules.sourceCapacity)
        let object = try BPFObject(RateLimitProgram.object, name: Self.forAll)
        let words = try object.prepareMaps(for: rules, sets: sets, inherited)
        var encoding = RulesEncoding(rules, numbers: numbers, sets: sets, secret: secret)
        encoding.setMarks(list: words.listMarks, ban: words.banMarks)
        if hasPerfmon, caller == .alone(takesFragments: false) { encoding.setOneBuffer() }
        if isTrial {
            encoding.setTrial()
        } else if let clock = try TickClock.read() {
            encoding.tellTime(by: clock)
        }
        tellsTimeByTicks = encoding.rules.features & APUS_FILTER_TICKS.rawValue != 0
        try object.set(".rodata", to: encoding.rules)
        let areFew =
            encoding.rules.limit_count <= 1 && encoding.rules.management_count <= Self.mostManagement
        let (name, other) =
            hasPerfmon && areFew ? (Self.forFew, Self.forAll) : (Self.forAll, Self.forFew)
        try object.leaveOut(other)
        try object.set(name, calledBy: caller)
        try object.load()
        self.numbers = numbers
        program = try object.program(name)
        maps = try FilterMaps(of: object)
        trial = isTrial ? try object.map("apus_trials") : nil
        if inherited == nil {
            for number in numbers { try maps.buckets.update(LimitNumbers.place(of: number), .full(at: now)) }
        }
        if inherited?.keepsLists != true {
            try FilterLists(maps, secret: secret).write(rules.entries, now: now)
        }
        if let inherited, !inherited.keepsTables {
            let banned = try FilterBans(maps.bans).copy(FilterBans(inherited.maps.bans), now: now)
            try FilterMarks(maps.banMarks, secret: secret).set(
                banned.map { AddressPrefix($0.address, length: $0.address.bitCount) })
        }
    }

    static var hasPerfmon: Bool { Capability.missing(of: [.perfmon]).isEmpty }

    /// Judges a frame as of a time, in nanoseconds.
    ///
    /// - Precondition: it is a trial.
    func judge(_ frame: [UInt8], at now: UInt64) throws(BPFError) -> FilterTrial {
        try trial!.update(0, apus_trial(now: now, reason: .max, applied: 0))
        let run = try program.run(on: frame)
        guard let result = try trial!.value(of: 0),
            let verdict = FilterVerdict(result.reason, numbers: numbers)
        else {
            throw BPFError("judging a packet", code: EINVAL, detail: "the program gave no reason")
        }
        return FilterTrial(
            verdict: verdict, passed: run.verdict == FilterTrial.pass,
            limits: (0..<Int(APUS_FILTER_LIMITS)).filter { result.applied & 1 << UInt32($0) != 0 })
    }
}

/// What the program said of a packet that it was run on.
public struct FilterTrial: Hashable, Sendable {
    /// Why it would pass or be dropped.
    public let verdict: FilterVerdict
    /// Whether it passed: in a dry run all do.
    public let passed: Bool
    /// The limits that had to do with it, in their order, by their places in the rules: all that it passed, and the one
    /// that refused it.
    public let limits: [Int]

    /// XDP_PASS of linux/bpf.h.
    static let pass: UInt32 = 2
}

extension apus_bucket {
    /// A bucket that is full since a moment, in nanoseconds.
    static func full(at now: UInt64) -> Self {
        var bucket = Self()
        (bucket.packet_time, bucket.octet_time) = (
            now << UInt64(APUS_FILTER_TIME_SHIFT), now << UInt64(APUS_FILTER_TIME_SHIFT)
        )
        return bucket
    }
}
