import ApusConfig

/// Figures of one moment, which all answers made of them share.
final class StatusSnapshot {
    let status: ForwarderStatus

    init(_ status: ForwarderStatus) { self.status = status }
}

/// The figures for whoever asks, counted together at most ten times a second: asking often costs little.
///
/// An answer that a slow client takes holds the figures it is made of, which for 10,000 streams are some
/// megabytes. So there are never more than ``mostSnapshots`` of them: who asks while slow clients hold that many
/// shares the newest, whose `uptime` tells its age. Answers have half a minute, so it is no older than that.
final class StatusCache {
    /// The most figures that are kept at a time, those for the next who asks among them.
    static let mostSnapshots = 4

    private struct Kept { weak var snapshot: StatusSnapshot? }

    private var forwarder: (any ServedForwarder)?
    private var latest = StatusSnapshot(ForwarderStatus())
    private var time: UInt64 = 0
    /// Those that are held by the cache or by answers, the oldest first.
    private var kept: [Kept] = []
    private let interval: UInt64

    /// - Parameter interval: how long figures are good for, in nanoseconds.
    init(interval: UInt64 = 100_000_000) { self.interval = interval }

    /// From now on the figures are those of `forwarder`.
    func serve(_ forwarder: (any ServedForwarder)?) {
        self.forwarder = forwarder
        time = 0
    }

    /// How many figures there are in memory.
    var snapshots: Int { kept.count { $0.snapshot != nil } }

    /// The figures: at most 100 ms old, unless slow clients hold as many as there may be.
    var snapshot: StatusSnapshot {
        let now = Clock.monotonic
        guard let forwarder, time == 0 || now &- time >= interval else { return latest }
        kept.removeAll { $0.snapshot == nil }
        // Nobody's but the cache's: it goes before the next one comes.
        if kept.count == Self.mostSnapshots, isKnownUniquelyReferenced(&latest) {
            latest = StatusSnapshot(ForwarderStatus())
            kept.removeAll { $0.snapshot == nil }
        }
        guard kept.count < Self.mostSnapshots else { return latest }
        latest = StatusSnapshot(forwarder.status())
        kept.append(Kept(snapshot: latest))
        time = now
        return latest
    }

    /// See ``snapshot``.
    var status: ForwarderStatus { snapshot.status }
}
