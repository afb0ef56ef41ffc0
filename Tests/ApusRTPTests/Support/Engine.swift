import ApusRTP
import ApusRings
import ApusWire
import Testing

/// A relay with its counters.
struct Engine: ~Copyable {
    var relay: Relay
    let counters: RelayCounters

    init(_ plan: ForwardingPlan, slots: Int = 4, sources: Int = 4) {
        relay = Relay(slots: slots, sourcesPerStream: sources)
        counters = RelayCounters(slots: slots)
        adopt(plan, slots: slots)
    }

    mutating func adopt(_ plan: ForwardingPlan, slots: Int = 4) {
        _ = relay.adopt(ForwardingTable(plan, slots: slots), counters: counters)
    }

    /// Gives it a frame; any changes to `arrival` are the caller's.
    mutating func accept(
        _ frame: [UInt8], at time: UInt64 = 1_700_000_000_000_000_000, verified: Bool = false,
        partial: Bool = false
    ) -> Relay.Accepted? {
        relay.accept(
            frame.raw,
            Relay.Arrival(
                interface: Traffic.relay, isChecksumVerified: verified, isChecksumPartial: partial, time: time
            ),
            counters: counters)
    }

    func count(_ failure: ParseFailure) -> UInt64 { counters.parseFailures[Int(failure.rawValue)].value }
    func count(_ drop: RelayDrop) -> UInt64 { counters.drops[drop.rawValue].value }

    /// All packets refused, for whatever reason.
    var refused: UInt64 {
        ParseFailure.allCases.reduce(0) { $0 + count($1) } + RelayDrop.allCases.reduce(0) { $0 + count($1) }
    }

    func figures(_ slot: Int = 0) -> StreamFigures { StreamFigures(counters.streams[slot]) }
}

extension ForwardingPlan {
    /// A stream in slot 0 at each of the endpoints, in the next slots, that goes to one unresolved place.
    static func listening(
        _ endpoints: Endpoint..., generation: UInt64 = 1, hopLimit: UInt8? = nil, isRTP: Bool = true
    ) -> ForwardingPlan {
        let destination = Destination(Endpoint("203.0.113.1:6000")!, path: .unresolved(neighbor: 0))
        return ForwardingPlan(
            streams: endpoints.enumerated().map { slot, endpoint in
                Stream(
                    slot: slot, generation: generation, listen: endpoint, hopLimit: hopLimit, isRTP: isRTP,
                    destinations: [destination])
            },
            ownAddresses: [Traffic.v4.address, Traffic.v6.address])
    }
}

/// What an engine gave, which must be something. (`#require` can't call what is not copyable.)
func present<Value>(_ value: Value?, at location: SourceLocation = #_sourceLocation) throws -> Value {
    try #require(value, sourceLocation: location)
}
