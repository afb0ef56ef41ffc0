import ApusPorts
import ApusRTP
import ApusRings
import ApusWire
import Glibc
import Synchronization

/// What a worker does beside forwarding, now and then.
extension ForwardWorker where Driver: ~Copyable {
    /// Waits for the first orders: until then packets stay in the rings, since none could be told apart.
    @inline(never)
    mutating func awaitOrders(_ counters: borrowing RelayCounters, _ stop: borrowing Atomic<Bool>) {
        while !takeOrders(counters), !stop.load(ordering: .relaxed) { usleep(200) }
    }

    /// Takes up new orders, if there are any, which it tells. Costs a look at the ring when there are none.
    @inline(__always)
    mutating func takeOrders(_ counters: borrowing RelayCounters) -> Bool {
        var hasTaken = false
        while let orders = inbox.dequeue() {
            take(orders, counters)
            hasTaken = true
        }
        return hasTaken
    }

    @inline(never)
    private mutating func take(_ new: consuming Orders, _ counters: borrowing RelayCounters) {
        var orders = new
        hasOrders = true
        orders.table = relay.adopt(orders.table.take()!, counters: counters)
        swap(&orders.interfaces, &macAddresses)
        // Back to the control thread, which frees it; should it not keep up, that is done here.
        _ = outbox.enqueue(orders)
        retryWaiting(Clock.monotonic, counters)
    }

    /// Gives up what waited too long.
    mutating func attend(_ now: UInt64, _ counters: borrowing RelayCounters) {
        if let deadline = waiting.nextDeadline, deadline <= now { retryWaiting(now, counters) }
    }

    /// Sends those whose next hop is known now, and drops those whose time is over.
    private mutating func retryWaiting(_ now: UInt64, _ counters: borrowing RelayCounters) {
        for _ in 0..<waiting.count {
            guard let entry = waiting.popFirst() else { break }
            retry(entry, now, counters)
        }
        counters.waiting.set(UInt64(waiting.count))
    }

    private mutating func retry(
        _ waiter: consuming WaitingQueue.Entry, _ now: UInt64, _ counters: borrowing RelayCounters
    ) {
        var entry = waiter
        let slot = entry.accepted.slot
        guard relay.table.generation(ofSlot: slot) == entry.generation,
            let way = relay.table.way(to: entry.destination, ofSlot: slot)
        else { return counters.count(.streamRemoved) }
        if case .unresolved(let neighbor) = relay.table.destinations[way].path {
            if entry.deadline <= now {
                counters.streams[slot].dropped.add()
                counters.count(.unresolved)
            } else {
                entry.neighbor = neighbor
                waiting.append(entry)
            }
            return
        }
        let accepted = entry.accepted
        // It has been counted as a copy when it came.
        let sent = send(entry.packet, accepted, on: way, counters)
        counters.streams[slot].sent.add(sent.packets)
        sent.count(in: counters)
    }

    /// How long a worker may take what an interface that is gone has left, in nanoseconds: all the others wait for it.
    static var drainTime: UInt64 { 5_000_000 }

    /// Takes what an interface that is gone has left in its rings, before a rest; nothing when there is none (-1).
    ///
    /// What has come in by other interfaces stays in their rings, however much that is. As all workers and the control
    /// thread wait for the slowest, it ends after ``drainTime`` and one burst; what is left then goes with the ring.
    mutating func drain(
        _ interface: Int, _ counters: borrowing RelayCounters, for time: UInt64 = drainTime
    ) {
        let end = Clock.monotonic &+ time
        for port in ports.indices where interfaceOfPort[port] == interface {
            while Clock.monotonic < end, ports[port].receive(into: &incoming) > 0 {
                forwardIncoming(from: port, counters)
                for other in ports.indices { send(by: other, counters) }
            }
        }
    }

    /// The last round: sends what is left, for a bounded time, and drops what can't be sent.
    mutating func finish(_ counters: borrowing RelayCounters) {
        for port in ports.indices {
            var tries = 0
            while !outgoing[port].isEmpty, tries < 100 {
                send(by: port, counters)
                tries += 1
            }
            relay.loseUnsent(&outgoing[port], counters)
            ports[port].flush()
        }
        while let entry = waiting.popFirst() {
            counters.streams[entry.accepted.slot].dropped.add()
            counters.count(.unresolved)
        }
        counters.waiting.set(0)
    }
}

extension Relay {
    /// Drops packets that were counted as sent when they were queued. Costs one look at each way of the table, however
    /// many packets there are: workers may be at rest for as long.
    func loseUnsent(_ packets: inout Burst, _ counters: borrowing RelayCounters) {
        guard !packets.isEmpty else { return }
        // Nothing in a packet says which stream it is of, but its new headers do, as far as streams don't send from
        // one port to one destination; then it is the first of them.
        var unsent: [Headers: UInt64] = [:]
        while let packet = packets.popFirst() {
            counters.sent.set(counters.sent.value &- 1)
            counters.sentBytes.set(
                counters.sentBytes.value &- UInt64(truncatingIfNeeded: packet.totalCount))
            counters.count(.transmitRingFull)
            guard let headers = try? FlowHeaders(checking: packet.bytes) else { continue }
            unsent[Headers(headers.source.port, headers.destination), default: 0] += 1
        }
        for slot in counters.streams.indices {
            for way in table.ways(ofSlot: slot) {
                if unsent.isEmpty { return }
                guard case .ready(_, let own, _) = table.destinations[way].path,
                    let count = unsent.removeValue(
                        forKey: Headers(own.sourcePort, table.destinations[way].endpoint))
                else { continue }
                counters.streams[slot].sent.set(counters.streams[slot].sent.value &- count)
                counters.streams[slot].dropped.add(count)
            }
        }
    }

    /// What is known of the stream of a packet that was made ready to be sent.
    private struct Headers: Hashable {
        let sourcePort: UInt16
        let destination: Endpoint

        init(_ sourcePort: UInt16, _ destination: Endpoint) {
            (self.sourcePort, self.destination) = (sourcePort, destination)
        }
    }
}
