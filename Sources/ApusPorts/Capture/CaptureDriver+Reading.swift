import ApusRings

extension CaptureDriver {
    /// Makes the next packet pending; false when there is none, or no frame for it.
    mutating func readNext() -> Bool {
        while !state.isFinished, let frame = unsafe pool.take() {
            // The packet owns the frame from here on, so it goes back unless it becomes pending.
            var packet = unsafe Packet(adopting: frame)
            switch unsafe reader!.next() {
            case .packet(let timestamp, let bytes, let length):
                state.seenInRound += 1
                if bytes.count < length {
                    state.counters.drops[.truncated] += 1
                } else if unsafe packet.replaceBytes(with: bytes.bytes) {
                    packet.timestamp = timestamp
                    state.pendingTimestamp = timestamp
                    if state.inRound == 0 { state.start = (timestamp, monotonicClock()) }
                    state.inRound += 1
                    pending = consume packet
                    return true
                } else {
                    state.counters.drops[.tooLong] += 1
                }
            case .broken(let cause):
                state.failure = .broken(path: state.input!, packet: state.seenInRound, cause: cause)
                state.isFinished = true
            case .end:
                endRound()
            }
        }
        return false
    }

    private mutating func endRound() {
        if let left = state.roundsLeft { state.roundsLeft = left - 1 }
        // A file of which nothing can be received would be read for ever.
        guard state.roundsLeft != 0, state.inRound > 0 else {
            state.isFinished = true
            return
        }
        state.inRound = 0
        state.seenInRound = 0
        do throws(CaptureError) {
            reader = try CaptureReader(path: state.input!)
        } catch {
            state.failure = error
            state.isFinished = true
        }
    }

    func isDue() -> Bool {
        guard case .recorded(let speed) = state.pacing else { return true }
        return state.due(state.pendingTimestamp, speed: speed) <= monotonicClock()
    }
}
