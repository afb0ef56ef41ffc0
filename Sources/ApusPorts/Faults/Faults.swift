import ApusRings

/// What shall go wrong on a way that packets take: probabilities from 0 to 1, and how far.
///
/// Each packet goes through it in this order: lost, or else corrupted, duplicated, and held back by delay
/// or reordering. The default is a perfect way.
public struct Faults: Sendable, Equatable {
    /// How likely a packet is lost.
    public let loss: Double
    /// How likely 1 to ``maximumBitFlips`` bits of a packet are flipped.
    public let corruption: Double
    /// The most bits of a packet that are flipped, 1 or more.
    public let maximumBitFlips: Int
    /// How likely a packet comes twice. The second is a copy in a frame of the port's own pool.
    public let duplication: Double
    /// How likely a packet is held back while later ones pass.
    public let reordering: Double
    /// The most packets that pass one which is held back for reordering, 1 or more.
    public let maximumReorderDistance: Int
    /// How many packets each packet is delayed by: somewhere in this range.
    public let packetDelay: ClosedRange<Int>
    /// How long each packet is delayed, in nanoseconds of the port's clock: somewhere in this range.
    public let delay: ClosedRange<UInt64>
    /// The most packets that are held back at a time, 1 to 1,048,576. One more passes at once, and is counted.
    public let maximumHeld: Int

    /// Describes faults; what is left out does not happen.
    ///
    /// - Precondition: each is in the range that it names; delays begin at 0 or later.
    public init(
        loss: Double = 0, corruption: Double = 0, maximumBitFlips: Int = 3, duplication: Double = 0,
        reordering: Double = 0, maximumReorderDistance: Int = 4, packetDelay: ClosedRange<Int> = 0...0,
        delay: ClosedRange<UInt64> = 0...0, maximumHeld: Int = 256
    ) {
        require(
            [loss, corruption, duplication, reordering].allSatisfy { (0...1).contains($0) },
            "a fault's probability is between 0 and 1")
        require(
            maximumBitFlips > 0 && maximumReorderDistance > 0,
            "1 or more bits are flipped, and 1 or more packets pass one that is reordered")
        require(
            (1...FrameMemory.maximumFrames).contains(maximumHeld),
            "1 to 1048576 packets are held back at a time")
        require(packetDelay.lowerBound >= 0, "a delay is 0 packets or more")
        self.loss = loss
        self.corruption = corruption
        self.maximumBitFlips = maximumBitFlips
        self.duplication = duplication
        self.reordering = reordering
        self.maximumReorderDistance = maximumReorderDistance
        self.packetDelay = packetDelay
        self.delay = delay
        self.maximumHeld = maximumHeld
    }

    /// Nothing goes wrong.
    public static let none = Faults()
}

/// What went wrong on a way, in packets.
///
/// `entered + duplicated == left + lost + held` at every moment.
public struct FaultStatistics: Sendable, Equatable {
    /// Packets that came to the way.
    public var entered: UInt64 = 0
    /// Packets that left it, duplicates among them.
    public var left: UInt64 = 0
    /// Packets dropped on purpose.
    public var lost: UInt64 = 0
    /// Packets in which bits were flipped.
    public var corrupted: UInt64 = 0
    /// Copies made.
    public var duplicated: UInt64 = 0
    /// Copies not made because the pool had no free frame.
    public var duplicationsMissed: UInt64 = 0
    /// Packets held back so that later ones pass.
    public var reordered: UInt64 = 0
    /// Packets held back to come later.
    public var delayed: UInt64 = 0
    /// Packets that passed at once because as many as allowed were held back.
    public var holdsMissed: UInt64 = 0
    /// Packets on the way now.
    public var held: UInt64 = 0
}

/// A generator whose whole future is its seed (SplitMix64, Steele et al., OOPSLA 2014).
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True with a probability from 0 to 1.
    mutating func happens(_ probability: Double) -> Bool {
        probability > 0 && Double(next() >> 11) * 0x1p-53 < probability
    }
}
