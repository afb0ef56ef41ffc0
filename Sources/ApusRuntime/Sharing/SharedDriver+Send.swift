import ApusPorts
import ApusRings

extension SharedDriver where Own: ~Copyable {
    /// Whose turn it is, among workers of which one has the queue.
    struct Turns {
        /// The number of the worker that has a burst sent next.
        var next = 0
        /// Whether the queue had no room for all that others passed.
        var isShort = false
        /// While it has none: how many packets who has the queue may send until the others are next; below 0 what it sent beyond
        /// that, as there was room.
        var allowance = 0
        /// And whether it has some that it could not send.
        var isWanting = false
    }

    mutating func transmit(_ burst: inout Burst) -> Int {
        guard own != nil else { return links[sender].pass(&burst) }
        if _slowPath(turns.isShort) { return transmitInTurn(&burst) }
        return own!.transmit(&burst)
    }

    /// Sends this worker's own packets when there is more to send than there is room for: a burst when it is its turn, and
    /// else what there is room for behind those whose turn it is.
    @inline(never)
    private mutating func transmitInTurn(_ burst: inout Burst) -> Int {
        turns.isWanting = true
        while turns.isShort, turns.allowance <= 0 {
            sendPassed()
            guard turns.isShort, returning.isEmpty else { break }
            // It stopped there.
            turns.allowance &+= Burst.capacity
            turns.next = following(worker)
        }
        let taken = own!.transmit(&burst)
        turns.allowance &-= taken
        turns.isWanting = !burst.isEmpty
        return taken
    }

    mutating func flush() {
        if own == nil { return }
        // Its turn lasts as long as there was no room for it, but no longer than it asks for more.
        if !(turns.isWanting && turns.allowance > 0) { sendPassed() }
        turns.isWanting = false
        own!.flush()
    }

    /// Sends what the other workers have passed, by turns of a burst each, so that nobody who sends more than the queue takes
    /// keeps the others from it; up to the turn of this worker where it has something to send as well.
    private mutating func sendPassed() {
        turns.isShort = true
        guard sendReturning() else { return }
        // No more than what is there now, however much follows.
        var left = 0
        for link in links.indices { left &+= links[link].passedCount }
        while left > 0 {
            if turns.isWanting, turns.next == worker { return }
            left &-= links[turns.next].takePassed(into: &returning, atMost: left)
            turns.next = following(turns.next)
            guard sendReturning() else { return }
        }
        (turns.isShort, turns.allowance) = (false, 0)
    }

    private func following(_ worker: Int) -> Int { worker &+ 1 == links.count ? 0 : worker &+ 1 }

    /// Sends what was taken to be sent for others. `false` when the queue does not take all of it for now.
    private mutating func sendReturning() -> Bool {
        if returning.isEmpty { return true }
        // It may lie in frames of another interface.
        _ = own!.transmitCopying(&returning)
        return returning.isEmpty
    }

    /// Whether a port can send it is for the one to say that has the queue.
    func canSend(_ packet: borrowing Packet) -> Bool {
        switch own {
        case .some(let port): port.driver.canSend(packet)
        case .none: true
        }
    }
}
