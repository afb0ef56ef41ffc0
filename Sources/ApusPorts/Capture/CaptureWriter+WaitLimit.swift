import Glibc

extension CaptureWriter {
    /// What ends the wait for a reader who takes nothing: a descriptor that has something to read, such as that of
    /// signals, or a time. What the reader goes on taking is written all the same.
    package struct WaitLimit: Sendable {
        /// Its being readable is the end; -1 for none.
        package var descriptor: Int32
        /// The time of CLOCK_MONOTONIC in nanoseconds that is the end; `.max` for none.
        package var deadline: UInt64

        /// A limit of both.
        package init(descriptor: Int32, deadline: UInt64) {
            (self.descriptor, self.deadline) = (descriptor, deadline)
        }

        /// What poll(2) promises of a pipe: PIPE_BUF, one page (pipe(7)).
        static let readyBytes = 4096
        /// How long a reader may take nothing after the end, in milliseconds.
        private static let grace: Int32 = 1000

        /// Waits until `output` takes bytes, or its reader is gone; false if the limit came first.
        func waits(for output: Int32) -> Bool {
            var descriptors = [
                pollfd(fd: output, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            ]
            while true {
                let now = Self.now
                if now >= deadline || descriptors[1].revents != 0 {
                    return unsafe poll(&descriptors, 1, Self.grace) > 0
                }
                let left =
                    deadline == .max ? -1 : Int32(clamping: (deadline - now) / 1_000_000 + 1)
                let ready = unsafe poll(&descriptors, 2, left)
                // What is wrong with the descriptor is for write(2) to say.
                if ready < 0, errno != EINTR { return true }
                if ready > 0, descriptors[0].revents != 0 { return true }
            }
        }

        private static var now: UInt64 {
            var time = timespec()
            unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
            return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        }
    }
}
