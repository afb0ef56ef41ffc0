public import ApusConfig
import ApusXDP
import CFilter

/// Says what the rules in force would do with packets: the filter's own program is run on them, with the same lists and
/// bans, and with buckets of its own that begin full, so that nothing on the interface is disturbed.
public struct FilterExplanation {
    /// The rules in force.
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
                caller: current.state.caller, now: now,
                FilterInheritance(maps: current.maps, keepsLists: true, keepsTables: false), isTrial: true)
            return (rules, program, now)
        }
        self.interface = interface
    }

    /// Judges a frame that comes in `time` nanoseconds after the first; buckets fill meanwhile.
    ///
    /// - Parameter frame: from the Ethernet header on, 14 octets at least: the kernel runs no program on less.
    public func judge(_ frame: [UInt8], at time: UInt64 = 0) throws(FilterError) -> FilterTrial {
        guard frame.count >= Self.leastFrame else {
            throw FilterError(
                interface,
                .unavailable("a frame has \(Self.leastFrame) octets at least, and this one \(frame.count)"))
        }
        return try about(interface) { () throws(BPFError) in
            try program.judge(frame, at: start.addingReportingOverflow(time).partialValue)
        }
    }

    /// The octets that a frame must have: its Ethernet header.
    public static let leastFrame = 14
}

extension RateLimitFilter {
    /// Prepares to say what the rules in force would do with packets; see ``FilterExplanation``.
    public func explanation() throws(FilterError) -> FilterExplanation {
        try FilterExplanation(current(), interface: interface)
    }
}
