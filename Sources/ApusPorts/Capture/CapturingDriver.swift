public import ApusRings

/// A driver round another one that writes all packets received and sent to a capture file.
///
/// What a driver did not take is not written. A received packet is written with its timestamp, or with the
/// present time if it has none; a sent one with the present time.
/// End with ``finish()``, which says whether all of it is in the file.
/// Cost: a copy of each packet, and a system call every hundreds of packets.
@frozen
public struct CapturingDriver<Base: PortDriver & ~Copyable>: PortDriver, ~Copyable {
    /// The file.
    public private(set) var writer: CaptureWriter
    /// The driver that moves the packets.
    public var base: Base

    /// Puts a capture round a driver.
    ///
    /// - Parameters:
    ///   - base: the driver that moves the packets.
    ///   - path: the file to write, which ends in `.pcap` or `.pcapng`.
    public init(_ base: consuming Base, writing path: String) throws(CaptureError) {
        writer = try CaptureWriter(path: path, interface: base.grant.interface)
        self.base = base
    }

    /// Writes what was captured last and closes the file, and gives the base driver back.
    ///
    /// - Throws: why writing ended early, now or before; the base driver is closed then.
    @discardableResult
    public consuming func finish() throws(CaptureError) -> Base {
        try writer.finish()
        return base
    }

    /// Receives from the base driver, and writes what was received.
    public mutating func receive(into burst: inout Burst) -> Int {
        let before = burst.count
        let count = base.receive(into: &burst)
        guard count > 0 else { return 0 }
        var now: UInt64 = 0
        for position in before..<burst.count {
            if burst[position].timestamp == 0, now == 0 { now = wallClock() }
            writer.append(
                burst[position],
                timestamp: burst[position].timestamp == 0 ? now : burst[position].timestamp,
                direction: .received)
        }
        return count
    }

    /// Writes what the base driver takes.
    public mutating func transmit(_ burst: inout Burst) -> Int {
        // Written before, as a packet that was taken is gone, and taken back if it was not.
        let now = wallClock()
        var marks = InlineArray<65, CaptureWriter.Mark>(repeating: writer.reserve(burst))
        for position in 0..<burst.count {
            writer.append(unreserved: burst[position], timestamp: now, direction: .sent)
            marks[position + 1] = writer.mark
        }
        let taken = base.transmit(&burst)
        writer.rewind(to: marks[taken])
        return taken
    }

    /// Flushes the base driver, and lets what was written reach the file when traffic pauses.
    public mutating func flush() {
        base.flush()
        writer.flushWhenIdle()
    }

    /// Where the base driver's frames come from.
    public var pool: FramePool {
        _read { yield base.pool }
        _modify { yield &base.pool }
    }

    /// A free frame of the base driver's.
    public mutating func takeFrame() -> Frame? { unsafe base.takeFrame() }

    /// Whether the base driver's owner may wait.
    public mutating func mayWait() -> Bool { base.mayWait() }

    /// Whether the base driver can send it.
    public func canSend(_ packet: borrowing Packet) -> Bool { base.canSend(packet) }

    /// The frames inside the base driver.
    public var framesInside: Int { base.framesInside }

    /// The base driver's.
    public var readyDescriptor: Int32 { base.readyDescriptor }

    /// The base driver's.
    public var maximumPacketSize: Int { base.maximumPacketSize }

    /// The base driver's.
    public var grant: PortGrant { base.grant }

    /// The base driver's counters.
    public mutating func statistics() -> PortStatistics { base.statistics() }
}
