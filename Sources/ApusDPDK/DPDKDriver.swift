public import ApusPorts
public import ApusRings
import CDPDK
import CLinux
import Glibc

/// One queue of a device of DPDK's as a port. ``DPDKInterface`` makes it.
///
/// Nothing is copied: a received packet lies where the device put it, and is sent from there by any port of DPDK's. Its frame
/// goes home to DPDK's pool when it was sent or dropped.
///
/// Cost: a call of the driver's for each burst; for each packet the line of the frame's header is written, and each way some
/// ten instructions between the two headers.
@safe
public struct DPDKDriver: CountingDriver, ~Copyable, @unchecked Sendable {
    // Sendable: the pointers are to memory that `interface` and `memory` keep, and what follows them needs exclusive access.
    /// Frames that were dropped here, for the next to be made; the others are in DPDK's own pool.
    public var pool: FramePool
    let interface: DPDKInterface
    let memory: MbufMemory
    let port: UInt16
    let queue: UInt16
    let portNumber: UInt16
    /// A burst on its way from or to DPDK.
    @unsafe let mbufs: UnsafeMutablePointer<UnsafeMutablePointer<apus_mbuf>?>
    /// Frames that are not DPDK's at the moment: what came from it, less what it got. That may be frames of other queues too, so
    /// only the sum over all queues is a number of frames.
    var outside: Int
    var counters = PortStatistics()
    let before: apus_port_counters
    /// Packets of any queue that the device has said it has not sent; and those of this queue among them.
    private var (told, unsent) = (0 as UInt64, 0 as UInt64)
    /// The flags of received packets that are no ordinary ones.
    let unusual: UInt64
    /// Whether more is wanted of received packets than their bytes.
    let describes: Bool
    var offloads: Offloads
    /// Whether the device may hold frames that it has sent, and whether some were handed to it since the last ``flush()``.
    var (isHolding, hasSent) = (false, false)
    /// Whether the device was told to say when packets come, and whether nobody has looked since.
    var (isArmed, isLookDue) = (false, false)
    /// The most packets of a call of ``receive(into:)``.
    var limit = Burst.capacity

    init(interface: DPDKInterface, queue: Int, memory: MbufMemory, pool: consuming FramePool) {
        self.pool = pool
        self.interface = interface
        self.memory = memory
        outside = memory.outside.load(ordering: .relaxed)
        (port, self.queue, portNumber) = (interface.port, UInt16(queue), interface.portNumber)
        offloads = interface.offloads
        unusual = APUS_MBUF_ELSEWHERE | (offloads.stripsTags ? 0 : APUS_MBUF_RX_VLAN_STRIPPED)
        describes = offloads.describes
        unsafe mbufs = .allocate(capacity: Burst.capacity)
        unsafe mbufs.initialize(repeating: nil, count: Burst.capacity)
        var first = apus_port_counters()
        unsafe _ = apus_port_counters(interface.port, &first)
        before = first
    }

    deinit {
        if isArmed { apus_port_disarm(port, queue) }
        unsafe mbufs.deallocate()
        memory.outside.store(outside, ordering: .relaxed)
        interface.closed(Int(queue))
    }

    /// Lets a call of ``receive(into:)`` take so many packets at most, 1 to 64, as if no more had come yet.
    @_spi(Benchmarks)
    public mutating func limitBursts(to count: Int) {
        precondition((1...Burst.capacity).contains(count), "a burst has 1 to 64 packets")
        limit = count
    }

    /// How many dropped frames may be at hand before they go back to DPDK, and how many do then. The pool is a cache of DPDK's
    /// pool, as DPDK's threads have one: what is dropped here is what a copy is made of next.
    static var enough: Int { 256 }

    /// Frames that are DPDK's: free in its pool, on their way, or waiting to be received. It is the sum over all queues that is
    /// exact: a frame that is sent by another queue's port counts there.
    public var framesInside: Int { pool.capacity - outside }

    /// Readable when packets came after ``mayWait()``; -1 where the device does not tell.
    public var readyDescriptor: Int32 {
        interface.event == APUS_EVENT_NONE ? -1 : apus_port_interrupt_descriptor(port, queue)
    }

    /// Has the device tell of the packets that come from now on, where it has to be told to: `false` until its owner has looked
    /// once more for what came before, of which it does not tell. It is told no longer when packets are received.
    public mutating func mayWait() -> Bool {
        guard interface.event == APUS_EVENT_COUNTER else { return true }
        if isLookDue { return false }
        // It may have told of what was received already, and tells of nothing more then.
        if isArmed, !apus_port_clear_event(port, queue) { return true }
        isArmed = apus_port_arm(port, queue) == 0
        isLookDue = isArmed
        return !isLookDue
    }

    /// The MTU, the Ethernet header and two VLAN tags.
    public var maximumPacketSize: Int { interface.longestPacket }

    /// What was asked for and granted.
    public var grant: PortGrant {
        PortGrant(
            backend: .dpdk, interface: interface.name, queue: Int(queue),
            features: interface.features + [
                PortGrant.Feature(
                    "pages", requested: pool.memory.grant.requested == .never ? "normal" : "2 MiB",
                    granted: pool.memory.grant.pages.rawValue, reason: pool.memory.grant.reason)
            ] + [pool.memory.grant.nodeFeature].compactMap(\.self))
    }

    /// Whether all its frames are buffers of DPDK's.
    public func canSend(_ packet: borrowing Packet) -> Bool {
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe packet.rawFrame.header
        while let header = unsafe next {
            guard unsafe FramePool.isForeign(header) else { return false }
            unsafe next = header.pointee.next
        }
        return true
    }

    /// A free frame of ``pool``, of which some come from DPDK when it has none.
    @inline(__always)
    public mutating func takeFrame() -> Frame? {
        if let frame = unsafe pool.take() { return unsafe frame }
        return unsafe refill() ? pool.take() : nil
    }

    /// Takes frames from DPDK's pool. `false` when it has none either.
    @inline(never)
    private mutating func refill() -> Bool {
        if !pool.isOwnedHere { join() }
        var count: UInt32 = 32
        while unsafe apus_pool_take(memory.pool, mbufs, count) != 0 {
            count /= 2
            if count == 0 { return false }
        }
        for i in 0..<Int(count) {
            // Sound: they were just taken, and their headers are as `MbufMemory.makePool` made them.
            unsafe Frame(header: Mbuf.header(of: mbufs[i]!)).release()
        }
        outside &+= Int(count)
        return true
    }

    /// Gives DPDK frames that were dropped here, so that its device has some to receive into.
    @inline(never)
    mutating func giveBack() {
        while pool.atHand > Self.enough / 2 {
            var count = 0
            let mbufs = unsafe mbufs
            _ = unsafe pool.takeRaw(Burst.capacity) { frame in
                unsafe mbufs[count] = Mbuf.of(frame.header)
                count &+= 1
            }
            unsafe apus_pool_give(memory.pool, mbufs, UInt32(count))
            outside &-= count
        }
    }

    /// Makes this thread the one that uses the port: what is dropped on it is at hand at once, and DPDK knows it and gives it
    /// caches of its own in its pools. Where all numbers of DPDK's are taken it works without those.
    @inline(never)
    mutating func join() {
        pool.adopt()
        _ = apus_eal_join()
    }

    /// What the device has taken leaves by itself; when nothing was sent since the last call, it gives back the frames that it
    /// still holds of those before, as else it would with the next packet only.
    public mutating func flush() {
        if hasSent {
            hasSent = false
        } else if isHolding {
            isHolding = false
            apus_port_clean_up(port, queue)
        }
    }

    /// What it has counted itself: packets that the device has not sent after all are among those that are sent.
    public func counted() -> PortStatistics { counters }

    /// Counters since the port was opened; those of the device are for all its queues, and are shown by the first. But what it
    /// has not sent after all each queue takes upon itself, up to what it has handed to the device, the first to ask first.
    public mutating func statistics() -> PortStatistics {
        var result = counters
        var now = apus_port_counters()
        if queue == 0, unsafe apus_port_counters(port, &now) == 0 {
            result.drops[.receiveRingFull] &+= now.missed &- before.missed
            result.drops[.device] &+= now.rx_errors &- before.rx_errors
            result.drops[.poolEmpty] &+= now.no_mbuf &- before.no_mbuf
            // Taken, and not sent after all: net_af_packet tells of it that way, when the interface is down for one.
            let errors = interface.countsAttempts ? told : now.tx_errors &- before.tx_errors
            interface.unsent.add(errors &- told, ordering: .relaxed)
            told = errors
        }
        // Which queue it was the device does not tell: none can have more of them than it has sent.
        unsent &+= interface.takeUnsent(atMost: result.sent &- unsent)
        result.sent &-= unsent
        result.drops[.sendRefused] &+= unsent
        return result
    }
}
