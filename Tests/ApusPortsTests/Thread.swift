import Glibc

/// A thread that owns a noncopyable state, and gives back a result.
final class Thread<State: ~Copyable & Sendable, Result: Sendable>: @unchecked Sendable {
    private var thread = pthread_t()
    private var state: State?
    private var result: Result?
    private let body: @Sendable (consuming State) -> Result

    init(_ state: consuming State, _ body: @escaping @Sendable (consuming State) -> Result) {
        self.state = consume state
        self.body = body
        unsafe pthread_create(
            &thread, nil,
            { context in
                // Sound: the retain below is this thread's; `join` waits for it before it reads the result.
                let thread = unsafe Unmanaged<AnyRun>.fromOpaque(context!).takeRetainedValue()
                thread.run()
                return nil
            },
            Unmanaged<AnyRun>.passRetained(AnyRun { [self] in result = body(self.state.take()!) }).toOpaque())
    }

    /// Waits for the thread's end.
    func join() -> Result {
        _ = pthread_join(thread, nil)
        return result!
    }
}

/// What a thread runs, without type parameters, which a C function can't have.
private final class AnyRun: @unchecked Sendable {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}
