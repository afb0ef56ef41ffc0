import CLinux
import Glibc

/// Runs `body` on a new thread and waits for it. If it takes longer than `timeout`, the process ends.
func onNewThread(named name: String, timeout: Duration, _ body: @escaping () -> Void) throws {
    let thread = try startThread(body)
    var deadline = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &deadline)
    deadline.tv_sec += Int(timeout.components.seconds) + 1
    let joined = unsafe pthread_timedjoin_np(thread, nil, &deadline)
    precondition(joined == 0, "a closure in the namespace \(name) has not returned in \(timeout)")
}

/// Starts a thread, on one CPU or on any, which somebody has to join.
func startThread(on cpu: Int? = nil, _ body: @escaping () -> Void) throws -> pthread_t {
    let work = unsafe Unmanaged.passRetained(Work(body))
    // The retain of passRetained is given up by the thread, or below when there is none.
    var thread = pthread_t()
    let code = unsafe apus_start_thread(
        &thread, Int32(cpu ?? -1),
        { work in
            unsafe Unmanaged<Work>.fromOpaque(work!).takeRetainedValue().body()
            return nil
        }, work.toOpaque())
    guard code == 0 else {
        unsafe work.release()
        throw LabError.call("starting a thread", code)
    }
    return thread
}

private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
}
