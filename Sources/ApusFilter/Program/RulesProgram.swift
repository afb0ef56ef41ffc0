import ApusConfig
import ApusHost
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

    /// The kernel's ticks by which it tells the time, in nanoseconds; nil where it tells it to the nanosecond.
    let tick: UInt64?
    /// Whether it is the one without calls.
    let isForFew: Bool
    /// Whether the kernel guards its accesses to memory, since it was loaded without CAP_PERFMON.
    let isGuarded: Bool

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
        var encoding = RulesEncoding(rules, numbers: numbers, sets: sets, secret: secret)
        if hasPerfmon, caller == .alone(takesFragments: false) { encoding.setOneBuffer() }
        // Without it limits are as good, if dearer; the status says which clock there is.
        let clock = isTrial ? nil : try? TickClock.read(for: encoding.limits)
        if isTrial { encoding.setTrial() }
        if let clock { encoding.tellTime(by: clock) }
        func load(_ name: String, _ other: String) throws(BPFError) -> BPFObject {
            let object = try BPFObject(RateLimitProgram.object, name: name)
            let words = try object.prepareMaps(for: rules, sets: sets, inherited)
            encoding.setMarks(list: words.listMarks, ban: words.banMarks)
            try object.set(".rodata", to: encoding.rules)
            try object.leaveOut(other)
            try object.set(name, calledBy: caller)
            try object.load()
            return object
        }
        let areFew =
            hasPerfmon && encoding.rules.limit_count <= 1
            && encoding.rules.management_count <= Self.mostManagement
        // Another kernel's verifier may refuse it; the status says which there is.
        let few = areFew ? try? load(Self.forFew, Self.forAll) : nil
        let object: BPFObject
        if let few { object = few } else { object = try load(Self.forAll, Self.forFew) }
        (tick, isForFew, isGuarded, self.numbers) = (clock?.tick, few != nil, !hasPerfmon, numbers)
        program = try object.program(few == nil ? Self.forAll : Self.forFew)
        maps = try FilterMaps(of: object)
        trial = isTrial ? try object.map("apus_trials") : nil
        if inherited == nil {
            for number in numbers { try maps.buckets.update(LimitNumbers.place(of: number), .full(at: now)) }
        }
        if inherited?.keepsLists != true {
            try FilterLists(maps, secret: secret).write(rules.entries, now: now)
        }
        let bans = FilterBans(maps.bans)
        if let inherited, !inherited.keepsTables {
            try bans.copy(FilterBans(inherited.maps.bans), now: now)
        }
        if inherited != nil { try bans.mark(in: FilterMarks(maps.banMarks, secret: secret), now: now) }
    }

    /// Whether this process has CAP_PERFMON, or CAP_SYS_ADMIN, which has it in it.
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
