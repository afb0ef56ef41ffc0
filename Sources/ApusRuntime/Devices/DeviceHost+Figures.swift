import ApusEndHost
import ApusRings
import ApusWire

/// What it has done, as a status has it.
extension DeviceHost {
    var figures: ForwarderStatus.Device {
        ForwarderStatus.Device(
            interface: name, mac: "\(mac)", mtu: mtu, node: node, addresses: host.addresses.map { "\($0)" },
            isLinkUp: link.report?.isUp,
            linkMegabits: link.report?.isUp == true ? link.report?.megabits : nil,
            isFullDuplex: link.report?.isUp == true ? link.report?.isFullDuplex : nil,
            linkChanges: link.changes, handed: sum { $0.handed.value },
            received: Self.counts(EndHostMessage.self, \.label, counters.messages),
            noted: counters.noted.value, reported: counters.reported.value, believed: believedReports,
            sent: Self.counts(EndHostFrame.self, \.label, counters.sent),
            // The worker writes the second later, and of what it has written of the first.
            transmitted: sum {
                let refused = $0.refused.value
                return $0.sent.value &- refused
            }, drops: drops,
            conflicts: counters.conflicts.value, neighbors: neighbors, neighborEvents: neighborEvents,
            narrowPaths: narrowPaths)
    }

    private func sum(_ count: (DeviceSide.Counters) -> UInt64) -> UInt64 {
        ends.indices.reduce(0) { $0 + count(ends[$1].counters) }
    }

    private var drops: [String: UInt64] {
        var drops = Self.counts(EndHostDrop.self, \.label, counters.drops)
        for failure in ParseFailure.allCases {
            drops.add(failure.label, counters.parseFailures[Int(failure.rawValue)].value)
        }
        drops.add(DeviceDrop.otherHost.rawValue, othersMessages)
        drops.add(DeviceDrop.stopped.rawValue, stoppedMessages)
        for end in ends.indices {
            let side = ends[end].counters
            drops.add(DeviceDrop.hostQueueFull.rawValue, side.dropped.value)
            drops.add(DeviceDrop.answerQueueFull.rawValue, side.unqueued.value)
            drops.add(DeviceDrop.notSent.rawValue, side.unsent.value + side.refused.value)
        }
        return drops
    }

    private var neighbors: [String: UInt64] {
        var neighbors: [String: UInt64] = [:]
        for state in NeighborStatus.State.allCases {
            neighbors.add(state.rawValue, UInt64(host.neighborCount(state)))
        }
        return neighbors
    }

    private var neighborEvents: [String: UInt64] {
        var events: [String: UInt64] = [:]
        events.add("failed", counters.neighborsFailed.value)
        events.add("moved", counters.neighborsMoved.value)
        events.add("evicted", counters.neighborsEvicted.value)
        events.add("refused", counters.neighborsRefused.value)
        return events
    }

    private static func counts<Kind: CaseIterable & RawRepresentable<Int>>(
        _: Kind.Type, _ label: (Kind) -> String, _ counters: borrowing FixedArray<Counter>
    ) -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        for kind in Kind.allCases { counts.add(label(kind), counters[kind.rawValue].value) }
        return counts
    }
}

extension ForwarderStatus.Device {
    /// The keys of ``neighborEvents``.
    static let neighborEventNames = ["failed", "moved", "evicted", "refused"]
}

extension [String: UInt64] {
    /// Adds a count that is not zero.
    fileprivate mutating func add(_ name: String, _ count: UInt64) {
        if count > 0 { self[name, default: 0] += count }
    }
}
