import CLinux
import Glibc
import Synchronization

/// Wakes a worker that waits on descriptors when something was put into a ring of its.
final class Bell: Sendable {
    /// Readable from when it was rung while somebody waited until ``settle()``.
    let descriptor: Int32
    private let isAwaited = Atomic<Bool>(false)

    init() throws(ServiceError) {
        descriptor = eventfd(0, O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .systemCall("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Something was put in. Costs a fence, and a system call if its worker waits.
    func ring() {
        // Either this sees that somebody waits, or who begins to wait sees what was put in.
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        if isAwaited.load(ordering: .relaxed), isAwaited.exchange(false, ordering: .relaxed) {
            _ = eventfd_write(descriptor, 1)
        }
    }

    /// From now on it rings. What was put in before has to be looked for after this.
    func await() {
        isAwaited.store(true, ordering: .relaxed)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
    }

    /// The wait is over.
    func settle() {
        isAwaited.store(false, ordering: .relaxed)
        var count: eventfd_t = 0
        unsafe _ = eventfd_read(descriptor, &count)
    }
}
