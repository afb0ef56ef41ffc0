public import ApusRings

/// When the packets of a capture file are received.
public enum CapturePacing: Sendable, Equatable {
    /// As fast as the application asks for them.
    case unpaced
    /// At the distances at which they were recorded, divided by `speed`.
    case recorded(speed: Double = 1)
}

/// A capture file as a port: what is in one file is received, what is transmitted is written to another.
///
/// It needs no privilege and no interface. A received packet's timestamp is the recorded one. A packet that
/// was recorded shorter than it was is dropped as ``PortDrop/truncated``, one longer than a frame as
/// ``PortDrop/tooLong``; a file that is broken ends there and ``failure`` says why. When the pool has no
/// free frame, reading waits. A sent packet is written with its own timestamp, or with the present time if
/// it has none; without a file to write to it is dropped as ``PortDrop/sendRefused``. What is written reaches the
/// file by and by: end with ``finish()``, which says whether all of it did.
///
/// ```swift
/// var port = Port(try CaptureDriver(reading: "in.pcap", writing: "out.pcap"))
/// var burst = Burst()
/// while port.receive(into: &burst) > 0 { port.transmit(&burst) }
/// try port.intoDriver().finish()
/// ```
public struct CaptureDriver: PortDriver, ~Copyable {
    // The pool last: members are dropped in this order, and the packet goes home.
    var state: CaptureState
    var reader: CaptureReader?
    private var writer: CaptureWriter?
    var pending: Packet?
    /// Where the frames for what is read come from.
    public var pool: FramePool
    /// The files.
    public let grant: PortGrant

    /// Opens capture files, over frames of its own.
    ///
    /// - Parameters:
    ///   - input: the file to receive from; `nil` to receive nothing.
    ///   - output: the file to write what is transmitted to, not the one that is read; its name ends in `.pcap` or
    ///     `.pcapng`, and what it held is lost.
    ///   - pacing: when packets are received.
    ///   - rounds: how many times the file is read, 1 or more; `nil` for ever.
    ///   - frames: how many frames the port's pool has.
    ///   - frameSize: the size of the frames.
    public init(
        reading input: String? = nil, writing output: String? = nil, pacing: CapturePacing = .unpaced,
        rounds: Int? = 1, frames: Int = 1024, frameSize: FrameSize = .bytes2048
    ) throws(CaptureError) {
        let pool: FramePool
        do throws(MemoryError) {
            let memory = try FrameMemory(frames: frames, frameSize: frameSize)
            pool = try memory.makePool(frames: frames)
        } catch {
            throw .noFrames(error)
        }
        try self.init(reading: input, writing: output, pacing: pacing, rounds: rounds, pool: pool)
    }

    /// Opens capture files, over a pool that is there already.
    ///
    /// - Parameters:
    ///   - input: the file to receive from; `nil` to receive nothing.
    ///   - output: the file to write what is transmitted to, not the one that is read; its name ends in `.pcap` or
    ///     `.pcapng`, and what it held is lost.
    ///   - pacing: when packets are received.
    ///   - rounds: how many times the file is read, 1 or more; `nil` for ever.
    ///   - pool: where the frames for what is read come from.
    public init(
        reading input: String? = nil, writing output: String? = nil, pacing: CapturePacing = .unpaced,
        rounds: Int? = 1, pool: consuming FramePool
    ) throws(CaptureError) {
        if case .recorded(let speed) = pacing {
            require(speed > 0 && speed.isFinite, "the speed of a replay is more than 0")
        }
        require(rounds ?? 1 > 0, "a capture is read once or more")
        state = CaptureState(pacing: pacing, input: input, roundsLeft: rounds)
        reader = if let input { try CaptureReader(path: input) } else { nil }
        // Before the writer, which empties the file.
        if let input, let output, let file = FileIdentity(input), file == FileIdentity(output) {
            throw .sameFile(reading: input, writing: output)
        }
        writer = if let output { try CaptureWriter(path: output) } else { nil }
        state.isFinished = input == nil
        self.pool = pool
        let features = [("read", input), ("write", output)].compactMap { name, path in
            path.map { PortGrant.Feature(name, requested: $0, granted: $0) }
        }
        grant = PortGrant(backend: .capture, interface: input ?? output ?? "-", queue: 0, features: features)
    }
}

// MARK: - How far it is

extension CaptureDriver {
    /// Whether no packet will be received any more: all was read, or the file is broken.
    public var isFinished: Bool { state.isFinished && pending == nil }

    /// Why reading or writing ended early; `nil` while all is well.
    public var failure: CaptureError? { state.failure }

    /// Writes what was transmitted last, and closes the files.
    ///
    /// - Throws: why reading or writing ended early, now or before.
    public consuming func finish() throws(CaptureError) {
        if let writer = writer.take() { try writer.finish() }
        if let failure = state.failure { throw failure }
    }
}

// MARK: - The driver

extension CaptureDriver {
    /// Receives what is due. See ``PortDriver/receive(into:)``.
    public mutating func receive(into burst: inout Burst) -> Int {
        let before = burst.count
        while burst.room > 0, pending != nil || readNext(), isDue(), let packet = pending.take() {
            state.counters.received += 1
            state.counters.receivedBytes += UInt64(packet.count)
            burst.append(packet)
        }
        return burst.count - before
    }

    /// Writes all packets to the file. See ``PortDriver/transmit(_:)``.
    public mutating func transmit(_ burst: inout Burst) -> Int {
        let count = burst.count
        guard var writer = writer.take() else {
            state.counters.drops[.sendRefused] += UInt64(count)
            burst.removeAll()
            return count
        }
        while var packet = burst.popFirst() {
            _ = packet.finish()
            writer.append(
                packet, timestamp: packet.timestamp == 0 ? wallClock() : packet.timestamp, direction: .sent)
            if writer.failure == nil {
                state.counters.sent += 1
                state.counters.sentBytes += UInt64(packet.totalCount)
            } else {
                state.counters.drops[.sendRefused] += 1
            }
        }
        state.failure = state.failure ?? writer.failure
        self.writer = consume writer
        return count
    }

    /// Lets what was written reach the file when traffic pauses.
    public mutating func flush() {
        guard var writer = writer.take() else { return }
        writer.flushWhenIdle()
        state.failure = state.failure ?? writer.failure
        self.writer = consume writer
    }

    /// Always: what is written is copied.
    public func canSend(_ packet: borrowing Packet) -> Bool { true }

    /// One, when the next packet is not due yet.
    public var framesInside: Int { pending == nil ? 0 : 1 }

    /// None: a file is always readable.
    public var readyDescriptor: Int32 { -1 }

    /// As long as a packet can be.
    public var maximumPacketSize: Int { 65_535 }

    /// Counters since it was opened.
    public mutating func statistics() -> PortStatistics { state.counters }
}
