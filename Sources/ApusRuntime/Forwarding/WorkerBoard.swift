import ApusPorts
import ApusRTP
import ApusRings
import Synchronization

/// What a worker and the control thread share: counters that one writes and the other reads, and
/// the words that end it.
final class WorkerBoard: Sendable {
    let counters: RelayCounters
    let stop = Atomic<Bool>(false)
    /// When it came round last, in nanoseconds of the monotonic clock: written when nothing came, and every 64 rounds. 0
    /// before the first time.
    let beat = Counter()
    /// Whether it stops to rest only, while its ports change: what waits goes on waiting then.
    let rests = Atomic<Bool>(false)
    /// The number of the interface whose ports it is to empty before it rests; -1 for none.
    let leaving = Atomic<Int>(-1)

    init(slots: Int) { counters = RelayCounters(slots: slots) }
}

/// The figures of the ports that a worker has between two rests.
final class PortBoard: Sendable {
    let ports: FixedArray<PortCounters>

    init(ports count: Int) { ports = FixedArray(count: count) { _ in PortCounters() } }
}

/// ``PortStatistics`` that another thread can read.
struct PortCounters: ~Copyable, Sendable {
    let received = Counter()
    let receivedBytes = Counter()
    let sent = Counter()
    let sentBytes = Counter()
    let pending = Counter()
    let drops = FixedArray(count: PortDrop.allCases.count) { _ in Counter() }

    func publish(_ statistics: PortStatistics) {
        received.set(statistics.received)
        receivedBytes.set(statistics.receivedBytes)
        sent.set(statistics.sent)
        sentBytes.set(statistics.sentBytes)
        pending.set(statistics.pending)
        for reason in PortDrop.allCases { drops[reason.rawValue].set(statistics.drops[reason]) }
    }

    var statistics: PortStatistics {
        var statistics = PortStatistics()
        statistics.received = received.value
        statistics.receivedBytes = receivedBytes.value
        statistics.sent = sent.value
        statistics.sentBytes = sentBytes.value
        statistics.pending = pending.value
        for reason in PortDrop.allCases { statistics.drops[reason] = drops[reason.rawValue].value }
        return statistics
    }
}
