public import ApusPorts
import ApusRings
import CDPDK
import CLinux

extension DPDKDriver {
    /// Receives what the device has. See ``PortDriver/receive(into:)``.
    public mutating func receive(into burst: inout Burst) -> Int {
        if _slowPath(joined != UInt(apus_thread_pointer())) { join() }
        if _slowPath(pool.atHand > Self.enough) { giveBack() }
        let first = unsafe burst.beginPlacing()
        let room = Burst.capacity &- first
        if room == 0 { return 0 }
        let mbufs = unsafe mbufs
        let count = Int(unsafe apus_port_receive(port, queue, mbufs, UInt16(truncatingIfNeeded: room)))
        if count == 0 {
            rest()
            return 0
        }
        if _slowPath(isArmed) { wake() }
        var (position, octets, frames) = (0, 0, count)
        let (portNumber, queue) = (portNumber, queue)
        while position < count {
            // Sound: DPDK gave so many, each of a pool of ours, and nobody else has them.
            let mbuf = unsafe mbufs[position].unsafelyUnwrapped
            let header = unsafe Mbuf.header(of: mbuf)
            let flags = unsafe mbuf.pointee.ol_flags
            if _slowPath(unsafe mbuf.pointee.nb_segs != 1 || flags >> 61 != 0) {
                unsafe frames &+= chain(mbuf) &- 1
                unsafe octets &+= Packet.count(of: header)
            } else {
                unsafe octets &+= Int(mbuf.pointee.data_len)
                unsafe header.pointee.length = UInt32(mbuf.pointee.data_len)
            }
            unsafe header.pointee.timestamp = 0
            unsafe header.pointee.offset = UInt32(mbuf.pointee.data_off) &+ UInt32(FramePool.headerSize)
            unsafe header.pointee.port = portNumber
            unsafe header.pointee.queue = queue
            unsafe header.pointee.flags = Self.known(flags)
            unsafe burst.place(Frame(header: header), at: first &+ position)
            position &+= 1
        }
        unsafe burst.endPlacing(at: first &+ count)
        outside &+= frames
        counters.received &+= UInt64(truncatingIfNeeded: count)
        counters.receivedBytes &+= UInt64(truncatingIfNeeded: octets)
        return count
    }

    /// What the device says of the UDP or TCP checksum: right; or, as a virtual one does, that the field is not filled in but
    /// the packet whole. What it says is wrong, or not known, is looked at by who cares.
    @inline(__always)
    private static func known(_ flags: UInt64) -> FrameFlags {
        let both = APUS_MBUF_RX_L4_CKSUM_GOOD | APUS_MBUF_RX_L4_CKSUM_BAD
        if flags & both == APUS_MBUF_RX_L4_CKSUM_GOOD { return .checksumVerified }
        return flags & both == both ? .checksumPartial : []
    }

    /// Writes the headers of a packet in several buffers, of which this is the first, and makes each buffer one that stands
    /// alone for DPDK, as it has to be when it comes home. Gives how many there are.
    @inline(never)
    private func chain(_ first: UnsafeMutablePointer<apus_mbuf>) -> Int {
        var (count, mbuf) = unsafe (1, first)
        unsafe Mbuf.header(of: first).pointee.length = UInt32(first.pointee.data_len)
        while let next = unsafe mbuf.pointee.next {
            let header = unsafe Mbuf.header(of: next)
            unsafe header.pointee.offset = UInt32(next.pointee.data_off) &+ UInt32(FramePool.headerSize)
            unsafe header.pointee.length = UInt32(next.pointee.data_len)
            unsafe Mbuf.header(of: mbuf).pointee.next = unsafe header
            unsafe (mbuf.pointee.next, mbuf.pointee.nb_segs) = (nil, 1)
            unsafe mbuf = next
            count += 1
        }
        unsafe mbuf.pointee.nb_segs = 1
        return count
    }

    /// Nothing came: the frames that other threads gave back go to DPDK, whose device may have run dry, and the device is told
    /// to say when something comes.
    @inline(never)
    private mutating func rest() {
        if pool.atHand == 0 { pool.collect() }
        if interface.hasInterrupts, !isArmed { isArmed = apus_port_arm(port, queue) == 0 }
    }

    /// Packets come: no interrupts until they end.
    @inline(never)
    private mutating func wake() {
        isArmed = false
        apus_port_disarm(port, queue)
    }
}
