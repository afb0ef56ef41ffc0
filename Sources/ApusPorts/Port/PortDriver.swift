public import ApusRings
import CLinux
import Glibc

/// One queue of one interface: what a backend implements.
///
/// Small on purpose. A driver belongs to one thread at a time; it is a noncopyable value that
/// the generic ``Port`` specialises over, so nothing is dispatched at run time on the data path.
///
/// A frame is in exactly one place: a pool, a driver, a ring, or a burst or packet. Each driver
/// keeps count of what it holds, see ``framesInside``.
public protocol PortDriver: ~Copyable, Sendable {
    /// Receives what is there, at most what `burst` has room for, without waiting.
    ///
    /// - Returns: how many packets were appended; 0 when none were there.
    mutating func receive(into burst: inout Burst) -> Int

    /// Sends from the front of `burst`; what the driver has no room for stays in it, in order.
    ///
    /// A packet that can never be sent (too long for the interface, a frame of a memory the
    /// device can't reach) is dropped and counted, and is among those taken. What is left to be done to a packet
    /// (`FrameFlags.unfinished`) is done, by the device or in software; only ``MemoryDriver`` passes it on as it is.
    /// - Returns: how many packets were taken.
    mutating func transmit(_ burst: inout Burst) -> Int

    /// Makes sure that what was taken leaves, also when nothing further is sent: wakes the kernel
    /// where the backend needs it, and takes back frames that have left. Call it once a loop.
    mutating func flush()

    /// Where the frames of received packets, and of those to be sent, come from.
    var pool: FramePool { get set }

    /// A free frame of ``pool``, without data or metadata; `nil` when it has none.
    ///
    /// There is a default. A driver whose pool is a stored property implements it by `pool.take()`, `@inlinable`:
    /// then no accessor of the protocol, which is a coroutine, is called for each packet.
    mutating func takeFrame() -> Frame?

    /// Whether the frames of `packet` can be sent without copying them.
    func canSend(_ packet: borrowing Packet) -> Bool

    /// Frames of its own pool and of others that are inside the driver: filled, queued, on their way.
    var framesInside: Int { get }

    /// A file descriptor that poll(2) reports readable when packets can be received; -1 when the
    /// driver has none and must be polled.
    var readyDescriptor: Int32 { get }

    /// Whether its owner may wait on ``readyDescriptor`` now: asked right before, so that a driver that is not the kernel's
    /// can have the descriptor told from then on. `false` when something came meanwhile, or may have: then its owner
    /// receives, and if that gives nothing asks again.
    ///
    /// There is a default, for drivers whose descriptor always tells.
    mutating func mayWait() -> Bool

    /// The longest packet it sends, link-layer header included, in bytes.
    var maximumPacketSize: Int { get }

    /// What was asked for and granted when it was opened.
    var grant: PortGrant { get }

    /// Counters since it was opened. May ask the kernel, so not for every burst.
    mutating func statistics() -> PortStatistics
}

/// A driver that counts what its device takes, and is told by that later of packets that it has not sent after all.
public protocol CountingDriver: PortDriver, ~Copyable {
    /// What it has counted itself, which costs a copy: packets that the device has not sent after all are still among those
    /// that are sent. In ``PortDriver/statistics()`` they are ``PortDrop/sendRefused``.
    func counted() -> PortStatistics
}

extension PortDriver where Self: ~Copyable {
    /// Flushes, and again every millisecond as long as something is left, until `deadline` (CLOCK_MONOTONIC, ns) at most.
    package mutating func flush(by deadline: UInt64, while isLeft: (inout Self) -> Bool) {
        flush()
        while isLeft(&self), apus_clock(CLOCK_MONOTONIC) < deadline {
            usleep(1000)
            flush()
        }
    }

    /// Flushes until nothing is pending, or until `deadline`, and gives the figures after that. What is pending all the
    /// same is counted as refused: for a port that is about to be closed, and with which it is lost.
    package mutating func finishSending(by deadline: UInt64) -> PortStatistics {
        flush(by: deadline) { $0.statistics().pending > 0 }
        var statistics = self.statistics()
        statistics.drops[.sendRefused] &+= statistics.pending
        statistics.pending = 0
        return statistics
    }

    /// A free frame of ``pool``, without data or metadata; `nil` when it has none.
    @inlinable
    public mutating func takeFrame() -> Frame? { unsafe pool.take() }

    /// Always.
    @inlinable
    public mutating func mayWait() -> Bool { true }
}
