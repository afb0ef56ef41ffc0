import CLinux
import Glibc

/// A thread for one worker, pinned to a core where one is named.
///
/// Signals stay with the control thread: all are blocked here.
package final class WorkerThread: @unchecked Sendable {
    private var thread = pthread_t()
    private let name: String
    private let cpu: Int?
    private let body: () -> Void

    /// Starts a thread that runs `body` once.
    ///
    /// - Parameters:
    ///   - name: what `ps -T` and perf show; 15 bytes of it.
    ///   - cpu: the core to stay on; `nil` leaves that to the scheduler.
    package init(name: String, cpu: Int?, _ body: sending @escaping () -> Void) {
        self.name = String(name.prefix(15))
        self.cpu = cpu
        self.body = body
        // Sound: the new thread takes over the reference that is retained for it here.
        let started = unsafe pthread_create(
            &thread, nil,
            { context in
                unsafe Unmanaged<WorkerThread>.fromOpaque(context!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(self).toOpaque())
        precondition(started == 0, "no thread could be started: \(started)")
    }

    private func run() {
        unsafe apus_name_thread(name)
        var all = sigset_t()
        unsafe sigfillset(&all)
        unsafe _ = pthread_sigmask(SIG_BLOCK, &all, nil)
        // The core was checked when the workers were planned; a failure here leaves the scheduler free.
        if let cpu { _ = apus_pin_thread(Int32(cpu)) }
        body()
    }

    /// Waits until it has ended.
    package func join() { _ = pthread_join(thread, nil) }
}

/// Carries one noncopyable value into a thread's closure.
final class Handoff<Value: ~Copyable>: @unchecked Sendable {
    private var value: Value?

    init(_ value: consuming Value) { self.value = consume value }

    /// The value; only once.
    func take() -> Value { value.take()! }
}
