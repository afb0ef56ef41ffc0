import CLinux
import Glibc

/// A thread for one worker, pinned to a core where one is named.
///
/// Signals stay with the control thread: all are blocked here.
package final class WorkerThread: @unchecked Sendable {
    // Sendable: all is set when it is made, and the thread itself reads only its name and its body.
    private var thread = pthread_t()
    private let name: String
    private let body: () -> Void
    /// The error number of a kernel that did not let it on the core that was named; it runs on any then.
    package private(set) var pinFailure: Int32?

    /// Starts a thread that runs `body` once.
    ///
    /// - Parameters:
    ///   - name: what `ps -T` and perf show; 15 bytes of it.
    ///   - cpu: the core to stay on, see ``pinFailure``; `nil` leaves that to the scheduler.
    package init(name: String, cpu: Int?, _ body: sending @escaping () -> Void) throws(ThreadError) {
        self.name = String(name.prefix(15))
        self.body = body
        var started = start(on: cpu)
        if started == EINVAL, cpu != nil {
            pinFailure = started
            started = start(on: nil)
        }
        guard started == 0 else { throw ThreadError(code: started) }
    }

    private func start(on cpu: Int?) -> Int32 {
        // Sound: the new thread takes over the reference that is retained for it here, if there is one.
        let own = unsafe Unmanaged.passRetained(self)
        let code = unsafe apus_start_thread(
            &thread, cpu.map { Int32(clamping: $0) } ?? -1,
            { context in
                unsafe Unmanaged<WorkerThread>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, own.toOpaque())
        if code != 0 { unsafe own.release() }
        return code
    }

    private func run() {
        unsafe apus_name_thread(name)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe _ = pthread_sigmask(SIG_BLOCK, &all, nil)
        body()
    }

    /// Waits until it has ended.
    package func join() { _ = pthread_join(thread, nil) }
}

/// Carries one noncopyable value into a thread's closure, or out of it.
final class Handoff<Value: ~Copyable>: @unchecked Sendable {
    // Sendable: it is filled before the thread starts, and only the thread takes the value.
    private var value: Value?

    init(_ value: consuming Value) { self.value = consume value }

    /// One that is filled later.
    init() { value = nil }

    /// Fills it. Whoever takes the value out must have waited for that: joined the thread.
    func put(_ value: consuming Value) { self.value = consume value }

    /// The value; only once.
    func take() -> Value { value.take()! }
}
