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

/// What a thread does that found nothing to do. It yields, as tests run on fewer cores than threads.
func pause() { _ = sched_yield() }

/// What `#expect` does, also for expressions that have values in them which cannot be copied.
func check(
    _ condition: Bool, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
    if !condition { Issue.record(comment ?? "the check failed", sourceLocation: sourceLocation) }
}
