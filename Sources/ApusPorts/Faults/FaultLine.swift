import ApusRings

/// One direction of a ``FaultyDriver``: packets go in, and come out lost, changed, doubled or late.
@usableFromInline
struct FaultLine: ~Copyable, Sendable {
    let faults: Faults
    private var random: SplitMix64
    /// What came out and waits to be taken.
    @usableFromInline var ready = Burst()
    /// Waiting for packets to pass.
    private var byCount: HeldPackets
    /// Waiting for time to pass.
    private var byTime: HeldPackets
    private(set) var counters = FaultStatistics()
    /// Frames that the held packets lie in.
    private var heldFrames = 0

    init(_ faults: Faults, seed: UInt64) {
        self.faults = faults
        random = SplitMix64(seed: seed)
        byCount = HeldPackets(capacity: faults.maximumHeld)
        byTime = HeldPackets(capacity: faults.maximumHeld)
    }

    /// Frames in it, those of packets ready to be taken included.
    var frames: Int { heldFrames + ready.frameCount }

    /// What happened, as of now.
    var statistics: FaultStatistics {
        var statistics = counters
        statistics.held = UInt64(byCount.count + byTime.count + ready.count)
        statistics.left -= UInt64(ready.count)
        return statistics
    }

    /// Whether the next packet, its duplicate and one that it lets pass can come out.
    @usableFromInline var canAccept: Bool { ready.room >= 3 }

    /// Lets one packet in, at `now`. The line must be able to accept it.
    @usableFromInline
    mutating func accept(_ packet: consuming Packet, now: UInt64, pool: inout FramePool) {
        counters.entered += 1
        if random.happens(faults.loss) {
            counters.lost += 1
        } else {
            if random.happens(faults.corruption) { corrupt(&packet) }
            if random.happens(faults.duplication) {
                if let copy = packet.copy(into: &pool) {
                    counters.duplicated += 1
                    hold(copy, now: now)
                } else {
                    counters.duplicationsMissed += 1
                }
            }
            hold(packet, now: now)
        }
        release(now: now)
    }

    /// Makes those ready whose turn has come, as many as there is room for.
    @usableFromInline
    mutating func release(now: UInt64) {
        while ready.room > 0, let packet = byTime.takeDue(at: now) { letGo(packet) }
        while ready.room > 0, let packet = byCount.takeDue(at: counters.entered) { letGo(packet) }
    }

    /// Makes those ready that wait for later packets, as if these had come.
    mutating func releaseReordered() {
        while ready.room > 0, let packet = byCount.takeDue(at: .max) { letGo(packet) }
    }

    private mutating func letGo(_ packet: consuming Packet) {
        heldFrames -= packet.segmentCount
        pass(packet)
    }

    private mutating func pass(_ packet: consuming Packet) {
        counters.left += 1
        ready.append(packet)
    }

    /// Keeps a packet that is to come late, and passes any other.
    private mutating func hold(_ packet: consuming Packet, now: UInt64) {
        let late = faults.delay.upperBound == 0 ? 0 : UInt64.random(in: faults.delay, using: &random)
        var behind =
            faults.packetDelay.upperBound == 0
            ? 0 : UInt64(Int.random(in: faults.packetDelay, using: &random))
        if random.happens(faults.reordering) {
            behind += UInt64(Int.random(in: 1...faults.maximumReorderDistance, using: &random))
            counters.reordered += 1
        }
        guard late > 0 || behind > 0 else { return pass(packet) }
        if late > 0 ? byTime.isFull : byCount.isFull {
            counters.holdsMissed += 1
            return pass(packet)
        }
        heldFrames += packet.segmentCount
        if late > 0 {
            counters.delayed += 1
            byTime.insert(packet, due: now &+ late)
        } else {
            if faults.packetDelay.upperBound > 0 { counters.delayed += 1 }
            byCount.insert(packet, due: counters.entered &+ behind)
        }
    }

    private mutating func corrupt(_ packet: inout Packet) {
        guard packet.count > 0 else { return }
        counters.corrupted += 1
        let size = packet.count
        var bytes = packet.mutableBytes
        for _ in 0..<Int.random(in: 1...min(faults.maximumBitFlips, size * 8), using: &random) {
            let bit = Int.random(in: 0..<size * 8, using: &random)
            // Sound: bit / 8 is below the size of the span.
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: bit / 8, as: UInt8.self)
            bytes.storeBytes(of: byte ^ (1 << UInt8(bit % 8)), toByteOffset: bit / 8, as: UInt8.self)
        }
    }
}

extension Burst {
    /// Frames that its packets lie in.
    var frameCount: Int {
        var frames = 0
        for position in 0..<count { frames += self[position].segmentCount }
        return frames
    }
}
