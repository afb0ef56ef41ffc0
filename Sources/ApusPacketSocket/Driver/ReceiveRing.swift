import CLinux

/// A packet where the kernel has put it.
@unsafe
struct RingPacket {
    /// The first byte of the link-layer header.
    var data: UnsafeMutableRawPointer
    /// Bytes that are there.
    var captured: UInt32
    /// Bytes that the packet has.
    var length: UInt32
    /// TP_STATUS_ bits.
    var status: UInt32
    var seconds: UInt32
    var nanoseconds: UInt32
    var tagControl: UInt16
    var tagProtocol: UInt16
    /// Whether the kernel has merged several datagrams into it.
    var isMerged: Bool
}

/// Where the driver is in its receive ring, in either layout.
///
/// Blocks are read when the kernel has closed them, not while it fills them: it counts a packet
/// (`num_pkts`) before it has copied it, several cores fill one block at a time, and nothing in it says
/// which packets are complete.
///
/// `current` gives the packet to look at, and `advance` gives its room back to the kernel, so that
/// a driver which finds no free frame leaves the packet where it is.
@unsafe
struct ReceiveRing {
    private let base: UnsafeMutableRawPointer
    /// Blocks or slots.
    private let count: Int
    /// Bytes of one.
    private let stride: Int
    let usesBlocks: Bool
    /// Whether a ``VirtioHeader`` is in front of each packet.
    let knowsMerged: Bool
    private var index = 0
    /// In a block: the packet to look at and how many are left with it.
    private var packet: UnsafeMutableRawPointer
    private var left: UInt32 = 0

    init(base: UnsafeMutableRawPointer, count: Int, stride: Int, usesBlocks: Bool, knowsMerged: Bool) {
        unsafe self.base = base
        unsafe self.count = count
        unsafe self.stride = stride
        unsafe self.usesBlocks = usesBlocks
        unsafe self.knowsMerged = knowsMerged
        unsafe packet = base
    }

    @inline(__always)
    private var here: UnsafeMutableRawPointer { unsafe base + index &* stride }

    @inline(__always)
    private mutating func step() {
        unsafe index &+= 1
        if unsafe index == count { unsafe index = 0 }
    }

    /// Whether a packet is there. With blocks this enters the next one.
    @inline(__always)
    mutating func hasPacket() -> Bool {
        if unsafe usesBlocks { return unsafe left > 0 || enterBlock() }
        return unsafe here.loadStatus() & UInt32(TP_STATUS_USER) != 0
    }

    /// The packet to look at. There must be one.
    @inline(__always)
    var current: RingPacket {
        if unsafe usesBlocks {
            let header = unsafe packet.assumingMemoryBound(to: tpacket3_hdr.self)
            let data = unsafe packet + Int(header.pointee.tp_mac)
            return unsafe RingPacket(
                data: data, captured: header.pointee.tp_snaplen,
                length: header.pointee.tp_len, status: header.pointee.tp_status,
                seconds: header.pointee.tp_sec, nanoseconds: header.pointee.tp_nsec,
                tagControl: UInt16(truncatingIfNeeded: header.pointee.hv1.tp_vlan_tci),
                tagProtocol: header.pointee.hv1.tp_vlan_tpid,
                isMerged: knowsMerged && VirtioHeader.isMerged(data))
        }
        let slot = unsafe here
        // The next slot's header and what follows it: the core's own prefetcher follows a stream, not
        // strides of 2 KiB. Saves a quarter of the time. Behind the last slot it is no fault.
        unsafe apus_prefetch(slot + stride)
        unsafe apus_prefetch(slot + stride + 64)
        unsafe apus_prefetch(slot + stride + 128)
        let header = unsafe slot.assumingMemoryBound(to: tpacket2_hdr.self)
        let data = unsafe slot + Int(header.pointee.tp_mac)
        return unsafe RingPacket(
            data: data, captured: header.pointee.tp_snaplen,
            length: header.pointee.tp_len, status: header.pointee.tp_status,
            seconds: header.pointee.tp_sec, nanoseconds: header.pointee.tp_nsec,
            tagControl: header.pointee.tp_vlan_tci, tagProtocol: header.pointee.tp_vlan_tpid,
            isMerged: knowsMerged && VirtioHeader.isMerged(data))
    }

    /// Is done with the current packet.
    @inline(__always)
    mutating func advance() {
        if unsafe usesBlocks {
            unsafe left &-= 1
            if unsafe left == 0 { return unsafe leaveBlock() }
            unsafe packet += Int(packet.assumingMemoryBound(to: tpacket3_hdr.self).pointee.tp_next_offset)
            return
        }
        unsafe here.storeStatus(UInt32(TP_STATUS_KERNEL))
        unsafe step()
    }

    /// Where a block's status lies: `hdr.bh1.block_status` of `struct tpacket_block_desc`.
    static var blockStatusOffset: Int { 8 }

    @inline(__always)
    private var blockStatus: UnsafeMutableRawPointer { unsafe here + Self.blockStatusOffset }

    @inline(__always)
    private mutating func enterBlock() -> Bool {
        let block = unsafe here
        guard unsafe blockStatus.loadStatus() & UInt32(TP_STATUS_USER) != 0 else { return false }
        let header = unsafe block.assumingMemoryBound(to: tpacket_block_desc.self)
        unsafe left = header.pointee.hdr.bh1.num_pkts
        unsafe packet = block + Int(header.pointee.hdr.bh1.offset_to_first_pkt)
        if unsafe left > 0 { return true }
        // The kernel closes no empty block today; if one comes it goes straight back.
        unsafe leaveBlock()
        return false
    }

    @inline(__always)
    private mutating func leaveBlock() {
        unsafe blockStatus.storeStatus(UInt32(TP_STATUS_KERNEL))
        unsafe step()
    }
}
