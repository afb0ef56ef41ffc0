public import ApusRings

/// How much something is wanted.
public enum XDPWish: String, Sendable, Hashable {
    /// Take it where it can be had, and say so where not.
    case preferred
    /// Fail without it.
    case required
    /// Do without it.
    case never
}

/// What is wanted of an interface opened with AF_XDP.
public struct XDPOptions: Sendable, Hashable {
    /// The modes to try.
    public enum Mode: String, Sendable, Hashable {
        /// Native, then generic.
        case best
        /// Native, or fail.
        case native
        /// Generic, also where the driver could do better.
        case generic
    }

    /// Where the XDP program shall run.
    public var mode = Mode.best
    /// Whether the device shall write into our frames itself. Needs native mode.
    public var zeroCopy = XDPWish.preferred
    /// Whether packets may lie in several frames: XDP_USE_SG, Linux 6.6 and later. Without it, packets that
    /// don't fit into one frame are dropped by the kernel and counted.
    public var multiBuffer = XDPWish.preferred
    /// Whether the kernel tells when it has to be woken, which saves system calls: XDP_USE_NEED_WAKEUP.
    public var needWakeup = true
    /// Drive the queues from the polling thread instead of by interrupts.
    public var busyPoll: BusyPoll?

    /// Entries of each RX ring, a power of two.
    public var receiveRing = 2048
    /// Entries of each TX ring, a power of two.
    public var transmitRing = 2048
    /// Entries of each fill ring, a power of two. The kernel documents that it should be at least as large
    /// as the device's RX ring and ours together.
    public var fillRing = 4096
    /// Entries of each completion ring, a power of two.
    public var completionRing = 2048
    /// Frames of each queue's pool. Half of them, or as many as fit in the fill ring, are given to the
    /// kernel to receive into.
    public var framesPerQueue = 8192

    /// The size of frames, when the interface makes its own memory.
    public var frameSize = FrameSize.bytes2048
    /// Huge pages, when the interface makes its own memory.
    public var hugePages = HugePages.preferred
    /// The NUMA nodes of the queues' frames, one after the other: queue q has number q % count. Where none is named it is
    /// that of the opening thread.
    public var nodes: [Int] = []

    /// The node of the frames of a queue, see ``nodes``.
    public func node(ofQueue queue: Int) -> Int? { nodes.isEmpty ? nil : nodes[queue % nodes.count] }

    /// Busy polling: SO_PREFER_BUSY_POLL, SO_BUSY_POLL and SO_BUSY_POLL_BUDGET of socket(7).
    public struct BusyPoll: Sendable, Hashable {
        /// How long one system call may poll the device, in microseconds.
        public var microseconds: Int
        /// Packets handled at most in one system call.
        public var budget: Int

        /// The kernel's documentation suggests 20 microseconds and 64 packets. It takes effect when
        /// `napi_defer_hard_irqs` and `gro_flush_timeout` of the interface in sysfs are set too.
        public init(microseconds: Int = 20, budget: Int = 64) {
            (self.microseconds, self.budget) = (microseconds, budget)
        }
    }

    /// The best that can be had, with rings for 10 Gbit/s.
    public init() {}

    /// Rings that fit those of a memory that is shared, which are the same for all sockets over it.
    func check(_ interface: String, against memory: XDPMemory) throws(XDPError) {
        for (name, size, limit) in [
            ("fillRing", fillRing, memory.fillRing),
            ("completionRing", completionRing, memory.completionRing),
        ] where size > limit {
            throw XDPError(
                interface,
                .badSize(
                    "\(name) is \(size), and the memory it is opened with has rings of \(limit); make that with "
                        + "larger ones"))
        }
    }

    /// Ring sizes that the kernel takes.
    func check(_ interface: String) throws(XDPError) {
        for (name, size) in [
            ("receiveRing", receiveRing), ("transmitRing", transmitRing), ("fillRing", fillRing),
            ("completionRing", completionRing),
        ] where size < 1 || size > 1 << 20 || size & (size - 1) != 0 {
            throw XDPError(
                interface, .badSize("\(name) is \(size), but must be a power of two up to \(1 << 20)"))
        }
        guard framesPerQueue >= 2 else {
            throw XDPError(interface, .badSize("framesPerQueue is \(framesPerQueue), but must be at least 2"))
        }
    }
}
