import CLinux
import Glibc

/// The signals that steer a service, read from a descriptor instead of interrupting whoever runs.
///
/// Make it on the thread that will start the others, before it starts them: a signal is blocked in the threads
/// that come after, and one unblocked thread would be enough for SIGTERM to end the process. SIGINT, SIGTERM
/// and SIGHUP count even where the process was started with them ignored.
public final class SignalDescriptor {
    /// What a signal asks for.
    public enum Request: Sendable, Equatable {
        /// SIGHUP: read the configuration again.
        case reload
        /// SIGTERM or SIGINT, by its number: end.
        case stop(Int32)
    }

    /// Readable when a signal has come.
    public let descriptor: Int32
    private var maskBefore: sigset_t
    private static let stopSignals = [SIGTERM, SIGINT]

    /// Blocks the signals for this thread and those it starts from now on.
    public init() throws(ServiceError) {
        var signals = Self.set(Self.stopSignals + [SIGHUP])
        var before = sigset_t()
        // Sound: the masks are copied in and out before the calls return.
        unsafe _ = pthread_sigmask(SIG_BLOCK, &signals, &before)
        maskBefore = before
        descriptor = unsafe signalfd(
            -1, &signals, Int32(SFD_CLOEXEC) | Int32(SFD_NONBLOCK))
        guard descriptor >= 0 else {
            let code = errno
            unsafe _ = pthread_sigmask(SIG_SETMASK, &before, nil)
            throw .systemCall("signalfd", code)
        }
    }

    /// Back to the mask from before, after signals that nobody has read are thrown away. Must happen on the
    /// thread that made it.
    deinit {
        _ = requests()
        close(descriptor)
        unsafe _ = pthread_sigmask(SIG_SETMASK, &maskBefore, nil)
    }

    /// The signals that have come since the last call; several of a kind count once.
    public func requests() -> [Request] {
        var requests: [Request] = []
        var one = signalfd_siginfo()
        // Sound: the kernel writes whole structures of this size, or nothing.
        while unsafe read(descriptor, &one, MemoryLayout<signalfd_siginfo>.size)
            == MemoryLayout<signalfd_siginfo>.size
        {
            let signal = Int32(bitPattern: one.ssi_signo)
            let request = signal == SIGHUP ? Request.reload : .stop(signal)
            if !requests.contains(request) { requests.append(request) }
        }
        return requests
    }

    /// Runs what must be done before the process may die. SIGTERM and SIGINT are passed over meanwhile, but for no
    /// longer than two seconds; after it they end the process at once, so that a second one gets through when the rest
    /// takes too long.
    ///
    /// One within 200 ms is the first one again in any case: a key that bounced, or timeout(1), which signals its
    /// child and then the whole process group.
    public func deferringStopSignals<Value>(_ body: () -> Value) -> Value {
        apus_defer_stop_signals()
        defer { apus_stop_may_be_cut_short() }
        return body()
    }

    private static func set(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}
