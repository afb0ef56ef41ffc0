import Apus

/// What has changed from one status to the next, a second.
struct ForwarderRates {
    /// Packets and bits a second.
    struct Rate: Equatable {
        var packets = 0.0
        var bits = 0.0
    }

    private(set) var received = Rate()
    private(set) var sent = Rate()
    private(set) var dropped = 0.0
    /// By reason.
    private(set) var drops: [String: Double] = [:]
    /// What arrived for each stream, in the order of the status.
    private(set) var streams: [Rate]
    /// What each port received and sent, in the order of the status.
    private(set) var ports: [(received: Rate, sent: Rate)]

    /// The rates between two statuses; zero if there is no earlier one, or no time has passed.
    init(from old: ForwarderStatus?, to new: ForwarderStatus) {
        streams = Array(repeating: Rate(), count: new.streams.count)
        ports = Array(repeating: (Rate(), Rate()), count: new.ports.count)
        guard let old, new.uptime > old.uptime else { return }
        let time = new.uptime - old.uptime
        // A count that fell began anew, as that of a stream which was taken out and put back.
        func change(_ old: UInt64, _ new: UInt64) -> Double { Double(new >= old ? new - old : new) / time }
        func rate(_ oldPackets: UInt64, _ packets: UInt64, _ oldBytes: UInt64, _ bytes: UInt64) -> Rate {
            Rate(packets: change(oldPackets, packets), bits: 8 * change(oldBytes, bytes))
        }
        received = rate(old.received, new.received, old.receivedBytes, new.receivedBytes)
        sent = rate(old.sent, new.sent, old.sentBytes, new.sentBytes)
        for (reason, count) in new.drops { drops[reason] = change(old.drops[reason] ?? 0, count) }
        dropped = drops.values.reduce(0, +)
        // Nearly always in the same order; looked up by name only where a reload has changed that.
        var places: [String: Int]?
        for (index, stream) in new.streams.enumerated() {
            var earlier = index < old.streams.count && old.streams[index].name == stream.name ? index : nil
            if earlier == nil {
                if places == nil { places = Self.places(of: old) }
                earlier = places?[stream.name]
            }
            let before = earlier.map { old.streams[$0].figures } ?? StreamFigures()
            streams[index] = rate(
                before.packets, stream.figures.packets, before.bytes, stream.figures.bytes)
        }
        for (index, port) in new.ports.enumerated() where index < old.ports.count {
            let before = old.ports[index]
            guard before.interface == port.interface, before.queue == port.queue,
                before.backend == port.backend
            else { continue }
            ports[index] = (
                rate(before.received, port.received, before.receivedBytes, port.receivedBytes),
                rate(before.sent, port.sent, before.sentBytes, port.sentBytes)
            )
        }
    }

    private static func places(of status: ForwarderStatus) -> [String: Int] {
        var places: [String: Int] = [:]
        places.reserveCapacity(status.streams.count)
        for (index, stream) in status.streams.enumerated() { places[stream.name] = index }
        return places
    }
}

extension StreamFigures {
    /// RTP packets that are missing of those expected (RFC 3550 A.3), from 0 to 1; nil where none was measured.
    var lossFraction: Double? {
        let others = notRTP + rtcp + unmeasured + duplicates
        let measured = packets > others ? packets - others : 0
        return measured + lost > 0 && ssrc != nil ? Double(lost) / Double(measured + lost) : nil
    }
}
