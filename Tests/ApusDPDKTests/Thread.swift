import Glibc

/// A noncopyable value in a place that can be handed round.
final class Box<Value: ~Copyable>: @unchecked Sendable {
    // Sendable: the tests hand it from one thread to one other.
    private var value: Value?
    init(_ value: consuming Value) { self.value = consume value }
    func take() -> Value { value.take()! }
}

/// A thread that owns a value, and gives back a result.
final class Thread<Value: Sendable, Result: Sendable>: @unchecked Sendable {
    // Sendable: `join` waits for the thread before it reads the result.
    private var thread = pthread_t()
    private var value: Value?
    private var result: Result?
    private let body: @Sendable (Value) -> Result

    init(_ value: Value, _ body: @escaping @Sendable (Value) -> Result) {
        (self.value, self.body) = (value, body)
        unsafe pthread_create(
            &thread, nil,
            { context in
                // Sound: the retain below is this thread's.
                unsafe Unmanaged<Run>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            },
            Unmanaged.passRetained(Run { [self] in result = body(self.value.take()!) }).toOpaque())
    }

    /// Waits for the thread's end.
    func join() -> Result {
        _ = pthread_join(thread, nil)
        return result!
    }
}

/// What a thread runs, without type parameters, which a C function can't have.
private final class Run: @unchecked Sendable {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
}
