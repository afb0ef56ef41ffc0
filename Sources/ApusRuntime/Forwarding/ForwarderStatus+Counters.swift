import ApusRTP
import ApusRings
import ApusWire

extension ForwarderStatus {
    /// Adds what one worker has counted.
    mutating func add(_ counters: borrowing RelayCounters) {
        received += counters.received.value
        receivedBytes += counters.receivedBytes.value
        accepted += counters.accepted.value
        copies += counters.copies.value
        sent += counters.sent.value
        sentBytes += counters.sentBytes.value
        waiting += counters.waiting.value
        completedChecksums += counters.completedChecksums.value
        unverifiedChecksums += counters.unverifiedChecksums.value
        for failure in ParseFailure.allCases {
            addDrop(failure.label, counters.parseFailures[Int(failure.rawValue)].value)
        }
        for drop in RelayDrop.allCases { addDrop(drop.label, counters.drops[drop.rawValue].value) }
    }

    private mutating func addDrop(_ name: String, _ count: UInt64) {
        if count > 0 { drops[name, default: 0] += count }
    }
}
