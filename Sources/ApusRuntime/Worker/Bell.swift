import CLinux
import Glibc
import Synchronization

/// Wakes a thread that waits on descriptors, as something was put into a ring of its. Any thread may ring.
///
/// Who waits seldom says each time that it does, by ``await()``, and ``settle()`` when it is over; who may wait at any
/// time has a bell that is awaited from the start, and calls ``rearm()`` before it looks.
final class Bell: Sendable {
    /// Readable from when it was rung while somebody waited until ``settle()``.
    let descriptor: Int32
    private let isAwaited: Atomic<Bool>

    /// A bell (eventfd(2)).
    ///
    /// - Parameter isAwaited: whether somebody waits from now on.
    init(isAwaited: Bool = false) throws(ServiceError) {
        self.isAwaited = Atomic(isAwaited)
        descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard descriptor >= 0 else { throw .systemCall("eventfd", errno) }
    }

    deinit { close(descriptor) }

    /// Something was put in. Costs a fence, and a system call if somebody waits who was not rung for yet.
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

    /// One wait is over and the next begins: it is not readable but by what comes from now on. What was put in before has to
    /// be looked for after this.
    func rearm() {
        settle()
        self.await()
    }
}
