import ApusConfig
import CFilter

/// The numbers of limits, which name their buckets: a place among `APUS_FILTER_LIMITS`, and above it how many limits
/// have had that place before, so that nobody takes the buckets of a limit that is gone for those of another.
struct LimitNumbers: Hashable, Sendable {
    /// What a number was given to. The rate is no part of it: buckets keep their state when it changes.
    struct Key: Hashable, Sendable {
        let name: String
        let scope: RateLimit.Scope
        let service: String

        init(_ limit: RateLimit) {
            (name, scope) = (limit.name, limit.scope)
            service = limit.service.map { "\($0)" } ?? ""
        }
    }

    private static let places = UInt32(APUS_FILTER_LIMITS)

    /// Where the bucket and the counters of a limit with this number are.
    static func place(of number: UInt32) -> UInt32 { number % places }

    /// Those of the limits in force, in their order.
    private(set) var inForce: [UInt32] = []
    private var keys: [Key] = []
    /// The number that each place has had last; nil if none.
    private var last = [UInt32?](repeating: nil, count: Int(places))

    /// No limits yet.
    init() {}

    /// Numbers of limits in force and of places as they were written down.
    init(limits: [RateLimit], inForce: [UInt32], last: [UInt32?]) {
        (keys, self.inForce, self.last) = (limits.map(Key.init), inForce, last)
    }

    /// The last number of each place, to be written down.
    var lastOfEachPlace: [UInt32?] { last }

    /// The numbers of other limits that take the place of these: who stays keeps its number.
    func replaced(by limits: [RateLimit]) -> LimitNumbers {
        var next = self
        next.keys = limits.map(Key.init)
        let known = Dictionary(zip(keys, inForce), uniquingKeysWith: { first, _ in first })
        var taken = Set(next.keys.compactMap { known[$0] }.map(Self.place))
        next.inForce = next.keys.map { key in
            if let number = known[key] { return number }
            // Of those that are free the one whose number is lowest, so that numbers come round as late as can be.
            let place = (0..<Self.places).filter { !taken.contains($0) }
                .min { (last[Int($0)] ?? 0, $0) < (last[Int($1)] ?? 0, $1) }!
            taken.insert(place)
            // Never 0, which is in buckets that were never used.
            let number = (last[Int(place)] ?? place) &+ Self.places
            next.last[Int(place)] = number
            return number
        }
        return next
    }
}
