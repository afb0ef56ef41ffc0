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

    static let name = "apus_filter_rules"

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
    ///   - mayInline: whether the verifier lets it do without calls.
    init(
        _ rules: FilterRules, numbers: [UInt32], secret: [UInt64], caller: TailCaller, now: UInt64,
        _ inherited: FilterInheritance? = nil, isTrial: Bool = false, mayInline: Bool = Self.mayInline
    ) throws(BPFError) {
        let sets = FilterMaps.sets(for: rules.sourceCapacity)
        let object = try BPFObject(RateLimitProgram.object, name: Self.name)
        let words = try object.prepareMaps(for: rules, sets: sets, inherited)
        var encoding = RulesEncoding(rules, numbers: numbers, sets: sets, secret: secret)
        encoding.setMarks(list: words.listMarks, ban: words.banMarks)
        if mayInline { encoding.leaveOutCalls(of: caller) }
        if isTrial {
            encoding.setTrial()
        } else if let clock = try TickClock.read() {
            encoding.tellTime(by: clock)
        }
        tellsTimeByTicks = encoding.rules.features & APUS_FILTER_TICKS.rawValue != 0
        try object.set(".rodata", to: encoding.rules)
        try object.set(Self.name, calledBy: caller)
        try object.load()
        self.numbers = numbers
        program = try object.program(Self.name)
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

    /// Whether this process may load programs that the verifier wants CAP_PERFMON for.
    static var mayInline: Bool { Capability.missing(of: [.perfmon]).isEmpty }

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
