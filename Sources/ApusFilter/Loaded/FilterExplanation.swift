public import ApusConfig
import ApusHost
import ApusXDP
import CFilter

/// Says what rules would do with packets: the filter's own program is run on them, with buckets of its own that begin
/// full, so that nothing on the interface is disturbed. Of the rules in force it has the lists as they are, and the bans
/// as they were when it was made: whom it bans it bans for itself.
///
/// Its buckets are in the kernel, so it can't be copied.
public struct FilterExplanation: ~Copyable {
    /// The rules that packets are judged by.
    public let rules: FilterRules
    private let program: RulesProgram
    private let interface: String
    private let start: UInt64

    init(_ current: InForce, interface: String) throws(FilterError) {
        (rules, program, start) = try about(interface) { () throws(BPFError) in
            let now = monotonicTime
            let rules = try current.rules(at: now)
            let program = try RulesProgram(
                rules, numbers: current.state.numbers.inForce, secret: current.state.secret,
                caller: Self.caller, now: now,
                FilterInheritance(maps: current.maps, keepsLists: true, keepsTables: false), isTrial: true)
            return (rules, program, now)
        }
        self.interface = interface
    }

    /// Prepares to judge packets by rules that are not in force: nobody is banned at the start.
    ///
    /// - Parameters:
    ///   - rules: by which to judge.
    ///   - interface: what errors are about.
    public init(of rules: FilterRules, for interface: String) throws(FilterError) {
        try RateLimitFilter.validate(rules, interface)
        let now = monotonicTime
        let numbers = LimitNumbers().replaced(by: rules.limits)
        program = try about(interface) { () throws(BPFError) in
            try RulesProgram(
                rules, numbers: numbers.inForce, secret: RulesEncoding.knownSecret, caller: Self.caller,
                now: now,
                isTrial: true)
        }
        (self.rules, self.interface, start) = (rules, interface, now)
    }

    /// Nobody calls it. With support for several buffers the kernel runs a program on frames longer than a page (Linux 5.18).
    private static var caller: TailCaller {
        .alone(takesFragments: HostFacts.KernelVersion.running.isAtLeast(5, 18))
    }

    /// Judges a frame that comes in `time` nanoseconds after the first, and charges it to buckets, which fill meanwhile.
    ///
    /// - Parameters:
    ///   - frame: from the Ethernet header on, 14 octets at least: the kernel runs no program on less.
    ///   - time: four years at most; less by the time that the machine runs, where that is months.
    public mutating func judge(_ frame: [UInt8], at time: UInt64 = 0) throws(FilterError) -> FilterTrial {
        guard frame.count >= Self.leastFrame else {
            throw FilterError(
                interface,
                .unavailable("a frame has \(Self.leastFrame) octets at least, and this one \(frame.count)"))
        }
        guard start <= Self.lastMoment, time <= Self.lastMoment - start else {
            let day: UInt64 = 86_400_000_000_000
            throw FilterError(
                interface,
                .unavailable(
                    "a packet that comes \(time / day) days after the first can't be judged: buckets are counted for "
                        + "\((Self.lastMoment - min(start, Self.lastMoment)) / day) days from now"))
        }
        return try about(interface) { () throws(BPFError) in try program.judge(frame, at: start + time) }
    }

    /// The last nanosecond after boot at which the time of a bucket can be told from one that is past, four and a half
    /// years: it has 64 bits, one of them a sign, for parts of a nanosecond.
    private static let lastMoment = UInt64(1) << (63 - UInt64(APUS_FILTER_TIME_SHIFT)) - 1

    /// The octets that a frame must have: its Ethernet header.
    public static let leastFrame = 14
}

extension RateLimitFilter {
    /// Prepares to say what the rules in force would do with packets; see ``FilterExplanation``.
    public func explanation() throws(FilterError) -> FilterExplanation {
        try FilterExplanation(current(), interface: interface)
    }
}
