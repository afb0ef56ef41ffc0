import ApusRings
import Glibc

/// A port: one queue of one interface, over any driver.
///
/// ```swift
/// var burst = Burst()
/// while running {
///     // What the port had no room for last time is still in the burst, answered already.
///     if burst.isEmpty {
///         if port.receive(into: &burst) == 0 { port.wait(milliseconds: 100) }
///         burst.keep { packet in answer(&packet) }
///     }
///     port.transmit(&burst)
///     port.flush()
/// }
/// ```
///
/// It belongs to one thread at a time. To give it to another after using it, ``handOver()`` first.
///
/// Foundation on Linux has a class of this name. Who imports both says once in the module which is meant,
/// `typealias Port = Apus.Port`, or writes `Apus.Port`.
@frozen
public struct Port<Driver: PortDriver & ~Copyable>: ~Copyable {
    /// The driver, for what is special to it.
    public var driver: Driver
    /// Packets that had to be copied and fit no frames of the pool.
    @usableFromInline var uncopyable: UInt64 = 0

    /// A port over that driver, which it owns.
    @inlinable
    public init(_ driver: consuming Driver) { self.driver = driver }

    /// Receives what is there, at most what `burst` has room for, without waiting.
    ///
    /// - Returns: how many packets were appended.
    @inlinable
    @discardableResult
    public mutating func receive(into burst: inout Burst) -> Int { driver.receive(into: &burst) }

    /// Sends from the front of `burst`; what there is no room for stays in it, in order.
    ///
    /// - Returns: how many packets were taken.
    @inlinable @inline(__always)
    @discardableResult
    public mutating func transmit(_ burst: inout Burst) -> Int {
        if burst.isEmpty { return 0 }
        return driver.transmit(&burst)
    }

    /// Makes sure that what was taken leaves. Call it once a loop.
    @inlinable
    public mutating func flush() { driver.flush() }

    /// An empty packet of this port's own pool; `nil` when it has no free frame.
    @inlinable
    public mutating func makePacket() -> Packet? {
        guard let frame = unsafe driver.takeFrame() else { return nil }
        return unsafe Packet(adopting: frame)
    }

    /// A copy of a packet in frames of this port's own pool; `nil` when it has too few free, or the packet
    /// does not fit them.
    @inlinable @inline(never)
    public mutating func copy(of packet: borrowing Packet) -> Packet? {
        // Not inlined into its callers: in a large one the closure would be called through a pointer.
        unsafe packet.copy { unsafe driver.takeFrame() }
    }

    /// Sends packets that may lie in a memory this port can't send from: each of those is copied
    /// to a frame of its own pool first.
    ///
    /// When the pool has no free frame for one, it and those behind it stay in the burst. One that fits no frames
    /// of the pool, however many are free, is dropped and counted as ``PortDrop/tooLong``.
    /// - Returns: how many packets were taken, those that were dropped among them.
    @inlinable
    public mutating func transmitCopying(_ burst: inout Burst) -> Int {
        var (position, dropped) = (0, 0)
        while position < burst.count {
            if !driver.canSend(burst[position]) {
                guard let copy = copy(of: burst[position]) else {
                    if canEverCopy(burst[position]) { break }
                    burst.remove(at: position)
                    uncopyable &+= 1
                    dropped &+= 1
                    continue
                }
                burst[position] = copy
            }
            position += 1
        }
        guard position < burst.count else {
            return dropped &+ (position == 0 ? 0 : driver.transmit(&burst))
        }
        var sendable = Burst()
        for _ in 0..<position { sendable.append(burst.popFirst()!) }
        let taken = position == 0 ? 0 : driver.transmit(&sendable)
        // What was not taken goes back in front of the rest.
        while let packet = burst.popFirst() { sendable.append(packet) }
        burst = sendable
        return dropped &+ taken
    }

    /// Whether a copy of the packet fits the frames of the pool when all of them are free.
    @usableFromInline @inline(never)
    mutating func canEverCopy(_ packet: borrowing Packet) -> Bool {
        let longest = driver.pool.memory.frameCapacity
        var fits = packet.segmentCount <= driver.pool.capacity
        packet.forEachSegment { fits = fits && $0.byteCount <= longest }
        return fits
    }

    /// Waits until packets can be received, a signal arrives or the time is over. For who has just received nothing: it returns
    /// at once where the driver wants to be looked at once more before (``PortDriver/mayWait()``).
    ///
    /// A driver without a descriptor to wait for is waited for in steps of at most a millisecond.
    public mutating func wait(milliseconds: Int32) {
        guard driver.mayWait() else { return }
        var descriptor = pollfd(fd: driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
        if descriptor.fd < 0 {
            usleep(UInt32(max(0, min(milliseconds, 1))) * 1000)
        } else {
            unsafe _ = poll(&descriptor, 1, milliseconds)
        }
    }

    /// What was asked for and granted when it was opened.
    public var grant: PortGrant { driver.grant }

    /// Counters since it was opened. May ask the kernel, so not for every burst.
    public mutating func statistics() -> PortStatistics {
        var statistics = driver.statistics()
        statistics.drops[.tooLong] += uncopyable
        return statistics
    }

    /// Lets go of the thread that uses it, so that another may. Call it on that thread.
    public mutating func handOver() { driver.pool.handOver() }
}

extension Port: Sendable where Driver: ~Copyable {}
