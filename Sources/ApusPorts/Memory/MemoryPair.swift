public import ApusRings

/// Two ports joined in memory: what one transmits, the other receives.
///
/// No packet is copied: its frame crosses in a single-producer single-consumer ring and goes home to its
/// pool when the receiving side drops it or sends it back. Take the pair apart to use one end on another
/// thread:
///
/// ```swift
/// let pair = try MemoryPair()
/// var here = pair.first
/// let there = pair.second   // move it to its thread
/// ```
///
/// A port whose other side is gone goes on; its transmit ring just fills.
@frozen
public struct MemoryPair: ~Copyable {
    /// One end.
    public var first: Port<MemoryDriver>
    /// The other end.
    public var second: Port<MemoryDriver>

    /// Makes two joined ports with a pool each.
    ///
    /// - Parameters:
    ///   - frames: how many frames each of the two pools has, 1 to 524,288.
    ///   - frameSize: the size of the frames.
    ///   - ringCapacity: how many packets may be on their way in each direction, 1 to 2³⁰; it is rounded up to
    ///     a power of two.
    ///   - hugePages: whether the frames shall lie in huge pages.
    public init(
        frames: Int = 1024, frameSize: FrameSize = .bytes2048, ringCapacity: Int = 256,
        hugePages: HugePages = .preferred
    ) throws(MemoryError) {
        let most = FrameMemory.maximumFrames / 2
        guard (1...most).contains(frames) else { throw .badFrameCount(frames, maximum: most) }
        let memory = try FrameMemory(frames: 2 * frames, frameSize: frameSize, hugePages: hugePages)
        try self.init(
            first: memory.makePool(frames: frames), second: memory.makePool(frames: frames),
            ringCapacity: ringCapacity)
    }

    /// Joins two ports over pools that are there already.
    ///
    /// - Parameters:
    ///   - first: the pool of the one port.
    ///   - second: the pool of the other port.
    ///   - ringCapacity: how many packets may be on their way in each direction, 1 to 2³⁰; it is rounded up to
    ///     a power of two.
    public init(first: consuming FramePool, second: consuming FramePool, ringCapacity: Int = 256) {
        let toSecond = SPSCRing<Packet>(minimumCapacity: ringCapacity)
        let toFirst = SPSCRing<Packet>(minimumCapacity: ringCapacity)
        let (secondExtra, firstExtra) = (ExtraSegments(), ExtraSegments())
        let capacity = toSecond.capacity
        self.first = Port(
            MemoryDriver(
                pool: first, outgoing: toSecond.producer, incoming: toFirst.consumer,
                outgoingExtra: secondExtra, incomingExtra: firstExtra,
                grant: MemoryDriver.grant("memory:first", asked: ringCapacity, got: capacity)))
        self.second = Port(
            MemoryDriver(
                pool: second, outgoing: toFirst.producer, incoming: toSecond.consumer,
                outgoingExtra: firstExtra, incomingExtra: secondExtra,
                grant: MemoryDriver.grant("memory:second", asked: ringCapacity, got: capacity)))
    }
}
