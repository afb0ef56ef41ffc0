/// Which reloads a log is told of: one at once, and those of the second after it together. Anybody who may use the
/// control socket can ask for thousands, and each has two lines.
struct ReloadLog {
    /// Reloads that were not told of.
    struct Joined {
        var count = 0
        /// Who asked for the last, and what came of it.
        var asker: ForwarderService.Asker
        var outcome: ForwarderService.Event
        /// Why the last that failed did, if one did and that was not the last of all.
        var failure: ForwarderService.Event?
    }

    private static let interval: UInt64 = 1_000_000_000
    private var quietUntil: UInt64 = 0
    private var joined: Joined?

    /// Whether a reload that begins `now`, in nanoseconds, is told of; ``join(_:_:)`` has the outcome of others.
    mutating func tells(_ now: UInt64) -> Bool {
        guard now >= quietUntil, joined == nil else { return false }
        quietUntil = now &+ Self.interval
        return true
    }

    /// Keeps one for later.
    mutating func join(_ asker: ForwarderService.Asker, _ outcome: ForwarderService.Event) {
        var failure = joined?.failure
        if case .reloadFailed? = joined?.outcome { failure = joined?.outcome }
        if case .reloadFailed = outcome { failure = nil }
        joined = Joined(
            count: (joined?.count ?? 0) + 1, asker: asker, outcome: outcome, failure: failure)
    }

    /// Those kept, once the second is over.
    mutating func take(_ now: UInt64) -> Joined? {
        guard now >= quietUntil, let taken = joined else { return nil }
        joined = nil
        quietUntil = now &+ Self.interval
        return taken
    }
}
