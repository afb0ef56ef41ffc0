import ApusConfig
import CFilter

/// The numbers of limits, which name their buckets: a place among `APUS_FILTER_LIMITS`, and above it how many limits
/// have had that place before, so that nobody takes the buckets of a limit that is gone for those of another.
struct LimitNumbers: Hashable, Sendable {
    /// What a place was given to.
    struct Key: Hashable, Sendable {
        let name: String
        let scope: FilterLimit.Scope
        let service: String

        init(_ limit: FilterLimit) {
            (name, scope) = (limit.name, limit.scope)
            service = limit.service.map { "\($0)" } ?? ""
        }
    }

    /// What the time of a bucket is measured by. By other numbers it means something else: a bucket that was a day ahead
    /// at one packet a second would stay shut for a day at a million.
    struct Amounts: Hashable, Sendable {
        let packets: PacketRate?
        let packetBurst: UInt64?
        let bits: BitRate?
        let octetBurst: UInt64?

        init(_ limit: FilterLimit) {
            (packets, packetBurst) = (limit.packets, limit.effectivePacketBurst)
            (bits, octetBurst) = (limit.bits, limit.effectiveOctetBurst)
        }
    }

    private static let places = UInt32(APUS_FILTER_LIMITS)

    /// Where the bucket and the counters of a limit with this number are.
    static func place(of number: UInt32) -> UInt32 { number % places }

    /// Those of the limits in force, in their order.
    private(set) var inForce: [UInt32] = []
    private var keys: [Key] = []
    private var amounts: [Amounts] = []
    /// The number that each place has had last; nil if none.
    private var last = [UInt32?](repeating: nil, count: Int(places))

    /// No limits yet.
    init() {}

    /// Numbers of limits in force and of places as they were written down.
    init(limits: [FilterLimit], inForce: [UInt32], last: [UInt32?]) {
        (keys, amounts) = (limits.map(Key.init), limits.map(Amounts.init))
        (self.inForce, self.last) = (inForce, last)
    }

    /// The last number of each place, to be written down.
    var lastOfEachPlace: [UInt32?] { last }

    /// The number of a limit in force, also of one that has other rates or bursts.
    func number(of limit: FilterLimit) -> UInt32? { keys.firstIndex(of: Key(limit)).map { inForce[$0] } }

    /// The numbers of other limits that take the place of these. Who stays as it is keeps its number, and who has other
    /// rates or bursts its place, where its counters are.
    func replaced(by limits: [FilterLimit]) -> LimitNumbers {
        var next = self
        (next.keys, next.amounts) = (limits.map(Key.init), limits.map(Amounts.init))
        let known = Dictionary(zip(keys, zip(inForce, amounts)), uniquingKeysWith: { first, _ in first })
        var taken = Set(next.keys.compactMap { known[$0].map { Self.place(of: $0.0) } })
        next.inForce = zip(next.keys, next.amounts).map { key, amounts in
            if let (number, before) = known[key] {
                if before == amounts { return number }
                next.last[Int(Self.place(of: number))] = number &+ Self.places
                return number &+ Self.places
            }
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
