import Foundation
import Testing

/// A thread that was handed a noncopyable state, and what it returned.
final class Running<State: ~Copyable & Sendable, Result: ~Copyable & Sendable>: @unchecked Sendable {
    private var state: State?
    private var result: Result?
    private let done = DispatchSemaphore(value: 0)

    /// Starts a thread that owns `state`.
    init(_ state: consuming State, _ body: @escaping @Sendable (consuming State) -> Result) {
        self.state = consume state
        // The thread is the only one to touch the state; the semaphore orders its result before our read.
        let thread = Thread { [self] in
            result = body(self.state.take()!)
            done.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }

    /// Waits for the thread's end.
    func join() -> Result {
        done.wait()
        return result.take()!
    }
}

/// A generator whose whole future is its seed (SplitMix64).
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}

/// What a thread does that found nothing to do. It yields, as tests run on fewer cores than threads.
func pause() { _ = sched_yield() }

/// What `#expect` does, also for expressions that have values in them which cannot be copied.
func check(
    _ condition: Bool, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
    if !condition { Issue.record(comment ?? "the check failed", sourceLocation: sourceLocation) }
}
