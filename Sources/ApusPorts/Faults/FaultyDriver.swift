public import ApusRings

/// A driver round another one on whose ways packets are lost, reordered, doubled, changed and delayed.
///
/// For tests, and for trying an application on a bad network. The same seed, packets and times give the
/// same faults. Time is passed in, by ``now``; it is never read.
///
/// ```swift
/// let pair = try MemoryPair()
/// var bad = Port(FaultyDriver(pair.first.driver, sending: Faults(loss: 0.01), seed: 7))
/// ```
///
/// A lost packet is counted as ``PortDrop/injectedLoss``. Cost: some tens of nanoseconds a packet.
@frozen
public struct FaultyDriver<Base: PortDriver & ~Copyable>: PortDriver, ~Copyable {
    @usableFromInline var sendingLine: FaultLine
    @usableFromInline var receivingLine: FaultLine
    @usableFromInline var incoming = Burst()
    @usableFromInline var received: UInt64 = 0
    @usableFromInline var receivedBytes: UInt64 = 0

    /// The time, in nanoseconds from any beginning, by which delays are measured. It must not go back.
    public var now: UInt64 = 0

    // The last member, as they are dropped in this order: what is held back goes home to a pool of it.
    /// The driver that moves the packets.
    public var base: Base

    /// Puts faults round a driver.
    ///
    /// - Parameters:
    ///   - base: the driver that moves the packets.
    ///   - sending: what goes wrong with packets that are transmitted.
    ///   - receiving: what goes wrong with packets that are received.
    ///   - seed: what decides when.
    public init(
        _ base: consuming Base, sending: Faults = .none, receiving: Faults = .none, seed: UInt64
    ) {
        self.base = base
        sendingLine = FaultLine(sending, seed: seed)
        receivingLine = FaultLine(receiving, seed: ~seed)
    }

    /// What went wrong with packets that were transmitted.
    public var sendingFaults: FaultStatistics { sendingLine.statistics }

    /// What went wrong with packets that came in.
    public var receivingFaults: FaultStatistics { receivingLine.statistics }

    /// Lets those packets pass that are held back until later ones come, as if these had.
    ///
    /// For the end of a test: what was reordered behind the last packet would wait for ever.
    public mutating func releaseReordered() {
        sendingLine.releaseReordered()
        receivingLine.releaseReordered()
    }

    /// Receives what came out of the faults, of at most one burst of the base driver.
    @inlinable
    public mutating func receive(into burst: inout Burst) -> Int {
        let before = burst.count
        receivingLine.release(now: now)
        takeReady(into: &burst)
        // Once only, so that a call ends also when all is lost and more keeps coming.
        if incoming.isEmpty { _ = base.receive(into: &incoming) }
        while burst.room > 0, !incoming.isEmpty {
            while receivingLine.canAccept, let packet = incoming.popFirst() {
                receivingLine.accept(packet, now: now, pool: &base.pool)
            }
            takeReady(into: &burst)
        }
        return burst.count &- before
    }

    /// Hands over to the application what came out of the faults.
    @inlinable
    mutating func takeReady(into burst: inout Burst) {
        while burst.room > 0, let packet = receivingLine.ready.popFirst() {
            received &+= 1
            receivedBytes &+= UInt64(truncatingIfNeeded: packet.totalCount)
            burst.append(packet)
        }
    }

    /// Takes what the faults have room for, and passes on what came out of them.
    @inlinable
    public mutating func transmit(_ burst: inout Burst) -> Int {
        let before = burst.count
        repeat {
            while sendingLine.canAccept, let packet = burst.popFirst() {
                sendingLine.accept(packet, now: now, pool: &base.pool)
            }
        } while pushReady() && !burst.isEmpty
        return before &- burst.count
    }

    /// Hands over to the base driver what is ready; whether it took anything.
    @inlinable
    mutating func pushReady() -> Bool {
        var taken = 0
        while !sendingLine.ready.isEmpty {
            let count = base.transmit(&sendingLine.ready)
            if count == 0 { break }
            taken &+= count
            // Those whose turn has come but who found no room.
            sendingLine.release(now: now)
        }
        return taken > 0
    }

    /// Passes on what has become due, and flushes the base driver.
    @inlinable
    public mutating func flush() {
        sendingLine.release(now: now)
        _ = pushReady()
        base.flush()
    }

    /// Where the base driver's frames come from.
    @inlinable
    public var pool: FramePool {
        _read { yield base.pool }
        _modify { yield &base.pool }
    }

    /// A free frame of the base driver's.
    @inlinable
    public mutating func takeFrame() -> Frame? { unsafe base.takeFrame() }

    /// Whether the base driver's owner may wait.
    @inlinable
    public mutating func mayWait() -> Bool { base.mayWait() }

    /// Whether the base driver can send it.
    @inlinable
    public func canSend(_ packet: borrowing Packet) -> Bool { base.canSend(packet) }

    /// The frames inside the base driver and those held back here.
    public var framesInside: Int {
        base.framesInside + sendingLine.frames + receivingLine.frames + incoming.frameCount
    }

    /// The base driver's.
    @inlinable
    public var readyDescriptor: Int32 { base.readyDescriptor }

    /// The base driver's.
    public var maximumPacketSize: Int { base.maximumPacketSize }

    /// The base driver's.
    public var grant: PortGrant { base.grant }

    /// The base driver's counters, but received is what came out of the faults, and pending is also what they hold
    /// back of what is sent. Loss is among the drops.
    public mutating func statistics() -> PortStatistics {
        var statistics = base.statistics()
        statistics.received = received
        statistics.receivedBytes = receivedBytes
        statistics.pending += sendingLine.statistics.held
        statistics.drops[.injectedLoss] += sendingLine.counters.lost + receivingLine.counters.lost
        return statistics
    }
}
