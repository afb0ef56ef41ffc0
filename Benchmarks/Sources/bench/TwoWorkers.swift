import ApusBench
import Synchronization

// What a second worker adds: two forwarders of Scale.swift, each on a core of its own with ports, pools and streams of its
// own, beside one. Nothing is shared, as in the forwarder itself, so what is lost of a factor of two is what cores share:
// the last cache, memory, and the speed of the clock.

/// Two workers at once beside one, each with so many streams that the counters and tables of all fit the nearer caches.
func twoWorkers(_ partner: Partner) -> Comparison {
    let streams = 64
    return Comparison("scale/workers-2", per: "packet", cores: 2) {
        let both = (try scaled(streams: streams), try Elsewhere(partner) { try scaled(streams: streams) })
        return Competitor("Apus") { both.1.round(beside: both.0) }
    } peer: {
        let one = try scaled(streams: streams)
        return Competitor("1 worker") { one.round() }
    }
}

/// A forwarder that is made, used and freed on the partner's thread, as each worker's memory belongs to its thread.
private final class Elsewhere {
    private let partner: Partner
    private var forwarder: Relayed?
    /// How often one of the two was ready to begin.
    private let arrivals = Atomic<Int>(0)

    init(_ partner: Partner, _ make: @escaping () throws -> Relayed) throws {
        self.partner = partner
        var made: Result<Relayed, any Error>?
        partner.during({ made = Result(catching: make) }, {})
        forwarder = try made!.get()
        made = nil
    }

    deinit { partner.during({ [box = Box(forwarder.take())] in box.forwarder = nil }, {}) }

    /// Some backlogs, one after the other, as in ``BackloggedForwarder/round(fanOut:)``: both fill their rings, wait for each
    /// other and then forward. The time is that of the slower one.
    func round(beside own: Relayed) -> (count: Int, nanoseconds: Double) {
        let (size, backlogs) = (256, 4)
        let (there, before) = (forwarder!, own.sent + forwarder!.sent)
        var (count, time) = (0, 0.0)
        for _ in 0..<backlogs {
            let target = arrivals.load(ordering: .relaxed) + 2
            var (theirs, ours) = ((count: 0, nanoseconds: 0.0), (count: 0, nanoseconds: 0.0))
            partner.during({ theirs = self.backlog(there, size, target) }) {
                ours = backlog(own, size, target)
            }
            count += theirs.count + ours.count
            time += max(theirs.nanoseconds, ours.nanoseconds)
        }
        // The partner keeps its last job, and that what it uses.
        partner.during({}, {})
        precondition(
            count == 2 * size * backlogs && own.sent + there.sent - before == count, "packets were lost")
        return (count, time)
    }

    /// One of the two's part. It begins when the other one is ready too.
    private func backlog(
        _ forwarder: Relayed, _ size: Int, _ target: Int
    ) -> (count: Int, nanoseconds: Double) {
        forwarder.fill(size)
        arrivals.add(1, ordering: .acquiringAndReleasing)
        while arrivals.load(ordering: .acquiring) < target {}
        var count = 0
        let time = stopwatch.measure { count = forwarder.work(size) }.nanoseconds
        forwarder.drain()
        return (count, time)
    }
}

/// What goes on the thread that empties it.
private final class Box {
    var forwarder: Relayed?
    init(_ forwarder: consuming Relayed?) { self.forwarder = forwarder }
}
