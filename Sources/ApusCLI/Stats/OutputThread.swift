import ApusRuntime
import Glibc
import Synchronization

/// Writes on a thread of its own, so that a terminal that was stopped, or a pipe that nobody empties, does not
/// hold up whoever has something to say.
///
/// Of what can't be written in time, messages are kept up to a limit, and of views the last one only.
final class OutputThread {
    /// Messages that wait at most; more are lost.
    static let mostMessages = 256

    /// What there is to write.
    enum Job: Sendable {
        /// Lines for the log.
        case message(String)
        /// A line of output.
        case line(String)
        /// The live view.
        case view([String])
    }

    private let mailbox: Mailbox
    private let thread: WorkerThread

    /// Writes to both from now on; nobody else should.
    init(output: Output, log: Output) throws(ThreadError) {
        let mailbox = Mailbox()
        let writer = Handover(JobWriter(output: output, log: log))
        self.mailbox = mailbox
        thread = try WorkerThread(name: "apus-output", cpu: nil) {
            var writer = writer.value
            while let job = mailbox.take() {
                let (isClosed, failure) = writer.write(job)
                mailbox.done(isClosed: isClosed, failure: failure)
            }
        }
    }

    /// Whether nobody reads the output any more.
    var isClosed: Bool { mailbox.state.withLock { $0.isClosed } }

    /// The error number for which the output could not be written; 0 if its reader has gone, or nothing failed.
    var failure: Int32 { mailbox.state.withLock { $0.failure } }

    /// Writes it after what was given before, a view in place of one that is not written yet.
    func write(_ job: Job) { mailbox.put(job) }

    /// Writes what is left, and ends. Gives up, and leaves the thread where it hangs, after `limit`.
    ///
    /// - Returns: whether it was written, or lost to a reader that has gone.
    @discardableResult
    func finish(within limit: Duration = .seconds(2)) -> Bool {
        mailbox.end()
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if mailbox.state.withLock({ $0.isIdle }) {
                thread.join()
                return true
            }
            usleep(1000)
        }
        return false
    }
}

/// Carries the outputs to the thread, which has them for itself from then on.
private struct Handover: @unchecked Sendable {
    // Sendable: who makes it keeps no output, and only the thread takes the value.
    let value: JobWriter

    init(_ value: JobWriter) { self.value = value }
}

/// What the thread does.
private struct JobWriter {
    let output: Output
    let log: Output
    private var live: LiveView

    init(output: Output, log: Output) {
        (self.output, self.log) = (output, log)
        live = LiveView(on: output)
    }

    /// Returns whether nobody reads the output any more, and the error number where that has another reason.
    mutating func write(_ job: OutputThread.Job) -> (isClosed: Bool, failure: Int32) {
        switch job {
        case .message(let text):
            // Both may be the same terminal; the view comes back beneath the message.
            if log.isTerminal { live.clear() }
            log.line(text)
        case .line(let text): output.line(text)
        case .view(let lines): live.show(lines, plain: "")
        }
        return (output.isClosed, output.failure)
    }
}

/// The jobs on their way to the thread.
@safe
private final class Mailbox: @unchecked Sendable {
    // Sendable: the state has a lock, and a semaphore, whose address is constant, is for any thread.
    struct State {
        fileprivate var jobs: [OutputThread.Job] = []
        fileprivate var view: OutputThread.Job?
        fileprivate var isBusy = false
        fileprivate var isOver = false
        var isClosed = false
        var failure: Int32 = 0
        var isIdle: Bool { jobs.isEmpty && view == nil && !isBusy }
    }

    let state = Mutex(State())
    // Counts what there is to look for, at least.
    private let wake: UnsafeMutablePointer<sem_t>

    init() {
        unsafe wake = .allocate(capacity: 1)
        unsafe wake.initialize(to: sem_t())
        unsafe sem_init(wake, 0, 0)
    }

    func put(_ job: OutputThread.Job) {
        state.withLock {
            if case .view = job {
                $0.view = job
            } else if $0.jobs.count < OutputThread.mostMessages {
                $0.jobs.append(job)
            }
        }
        unsafe sem_post(wake)
    }

    func end() {
        state.withLock { $0.isOver = true }
        unsafe sem_post(wake)
    }

    /// Waits for a job; nil when there are no more.
    func take() -> OutputThread.Job? {
        while true {
            let (job, isOver) = state.withLock { state -> (OutputThread.Job?, Bool) in
                var job: OutputThread.Job?
                if state.jobs.isEmpty {
                    (job, state.view) = (state.view, nil)
                } else {
                    job = state.jobs.removeFirst()
                }
                state.isBusy = job != nil
                return (job, state.isOver)
            }
            if job != nil || isOver { return job }
            // Sound: the semaphore lives as long as this object, which the thread holds.
            unsafe sem_wait(wake)
        }
    }

    func done(isClosed: Bool, failure: Int32) {
        state.withLock {
            $0.isBusy = false
            ($0.isClosed, $0.failure) = (isClosed, failure)
        }
    }

    deinit {
        unsafe sem_destroy(wake)
        unsafe wake.deallocate()
    }
}
