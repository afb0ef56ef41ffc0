public import ApusPorts
public import ApusRings
import CLinux
import Glibc

/// A packet socket (AF_PACKET) as a port: one worker's share of one interface.
///
/// ``PacketSocketInterface`` makes it. It needs no driver support and no privilege but CAP_NET_RAW.
///
/// Each received packet is copied from the kernel's ring to a frame of the port's own pool, and the
/// ring's room goes back at once: an application that holds packets can't stall the ring, and what it
/// holds is never overwritten. Each sent packet is copied to a slot of the port's, and its frame goes
/// back at once. One copy in, one copy out; no frame stays inside, so ``framesInside`` is always 0.
///
/// When the pool has no free frame, packets stay in the ring until there is one; should the ring
/// fill up meanwhile, the kernel's drops are counted as `receive_ring_full`.
///
/// The kernel's own stack sees every packet too: this is a tap. The caller keeps it from answering.
///
/// Cost: a copy for each packet each way; one sendmmsg(2) a burst in ``flush()``; receiving makes no
/// system call, but for two `getsockopt` in 256 calls that find nothing, and one recvfrom(2) for a packet of merged
/// datagrams that is longer than a slot of the ring.
@safe
public struct PacketSocketDriver: PortDriver, ~Copyable, @unchecked Sendable {
    // Sendable: the rings' pointers are into mappings that `queue` keeps for as long as this lives, the driver alone
    // follows them, and what does so needs exclusive access to it.
    /// The frames that received packets come in.
    public var pool: FramePool
    // Owns the sockets and the mappings; the data path has its own pointers into them.
    let queue: PacketSocketQueue
    /// What was asked for and granted when the interface was opened.
    public let grant: PortGrant
    let receiveSocket: Int32
    let transmitSocket: Int32
    @unsafe let copyBuffer: UnsafeMutableRawPointer?
    @unsafe var receiveRing: ReceiveRing
    @unsafe var transmitRing: TransmitRing
    var patience = Patience()
    /// The longest packet the interface sends, a 802.1Q tag not counted.
    var longestSent: Int
    let portNumber: UInt16
    let queueNumber: UInt16
    var counters = PortStatistics()
    var emptyPolls: UInt32 = 0
    /// What is being parted of the packet at the front of the receive ring.
    @unsafe var merged: MergedDatagrams?
    /// Packets that had been taken out of the ring when it was last seen to be empty.
    var takenWhenEmpty: UInt64 = .max

    /// Whether the interface was deleted, or moved to another namespace: the port receives and sends
    /// nothing any more, and has to be opened anew.
    ///
    /// Noticed within 256 calls of ``receive(into:)`` that find nothing.
    public internal(set) var isDetached = false

    /// How often the interface went down while the port was open. Traffic goes on by itself when it
    /// is up again.
    public internal(set) var timesDown: UInt64 = 0

    init(queue: PacketSocketQueue, pool: consuming FramePool, grant: PortGrant, portNumber: UInt16) {
        self.pool = pool
        self.queue = queue
        self.grant = grant
        self.portNumber = portNumber
        queueNumber = UInt16(truncatingIfNeeded: queue.worker)
        receiveSocket = queue.receiveSocket
        transmitSocket = queue.transmitSocket
        unsafe copyBuffer = queue.copyBuffer
        unsafe receiveRing = queue.makeReceiveRing()
        unsafe transmitRing = queue.makeTransmitRing()
        longestSent = queue.longestSent
    }

    deinit { queue.close() }

    /// The longest packet that fits a frame of the pool, in whose place somebody may have put another.
    var longestReceived: Int { pool.memory.frameSize.capacity }

    /// 0: packets are copied between frames and the kernel's rings.
    public var framesInside: Int { 0 }

    /// The receiving socket.
    public var readyDescriptor: Int32 { receiveSocket }

    /// The interface's MTU and the Ethernet header. Packets with an 802.1Q tag may be 4 bytes longer.
    public var maximumPacketSize: Int { longestSent }

    /// Always `true`: sending copies.
    public func canSend(_ packet: borrowing Packet) -> Bool { true }

    /// Counters since the interface was opened, the kernel's drops among them. One system call.
    public mutating func statistics() -> PortStatistics {
        takeDrops()
        counters.pending = UInt64(unsafe transmitRing.pending)
        return counters
    }
}
