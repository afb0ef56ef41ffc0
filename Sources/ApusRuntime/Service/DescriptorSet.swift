import CLinux
import Glibc

/// Descriptors that are waited for together, as one descriptor that can be waited for in its turn (epoll(7)).
struct DescriptorSet: ~Copyable, Sendable {
    /// Readable while any of the set is ready.
    let descriptor: Int32

    /// What one of the set is ready for.
    struct Readiness {
        var descriptor: Int32
        /// There is something to read, or the end of it.
        var isReadable: Bool
        /// There is room to write.
        var isWritable: Bool
        /// The other side is gone for good.
        var isBroken: Bool
    }

    init() throws(ServiceError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .systemCall("epoll_create1", errno) }
    }

    deinit { close(descriptor) }

    /// Adds a descriptor that is waited for until it is readable.
    func add(_ descriptor: Int32) throws(ServiceError) {
        guard control(EPOLL_CTL_ADD, descriptor, EPOLLIN.rawValue) else {
            throw .systemCall("epoll_ctl", errno)
        }
    }

    /// Waits for a member to be readable, or to be writable, instead of what it was waited for before.
    func wait(for descriptor: Int32, toWrite: Bool) {
        // It is in the set, so this can't fail for anything but want of kernel memory for no new object.
        _ = control(EPOLL_CTL_MOD, descriptor, toWrite ? EPOLLOUT.rawValue : EPOLLIN.rawValue)
    }

    /// Keeps a member whose errors only are of interest.
    func pause(_ descriptor: Int32) { _ = control(EPOLL_CTL_MOD, descriptor, 0) }

    /// Takes a member out.
    func remove(_ descriptor: Int32) { _ = control(EPOLL_CTL_DEL, descriptor, 0) }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: UInt32) -> Bool {
        var event = unsafe epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        // Sound: the kernel copies the event before the call returns.
        return unsafe epoll_ctl(self.descriptor, operation, descriptor, &event) == 0
    }

    /// The members that are ready now, at most 32 of them; the others are found the next time.
    func ready() -> [Readiness] {
        // Sound: the kernel fills in at most as many as there is room for, and says how many.
        let events = unsafe [epoll_event](unsafeUninitializedCapacity: 32) { buffer, count in
            count = max(0, Int(unsafe epoll_wait(descriptor, buffer.baseAddress, 32, 0)))
        }
        return unsafe events.map { event in
            let flags = unsafe event.events
            return unsafe Readiness(
                descriptor: event.data.fd, isReadable: flags & EPOLLIN.rawValue != 0,
                isWritable: flags & EPOLLOUT.rawValue != 0,
                isBroken: flags & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0)
        }
    }
}
