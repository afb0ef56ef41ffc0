public import ApusPorts
import ApusRings
import CDPDK
import CLinux

extension DPDKDriver {
    /// Receives what the device has. See ``PortDriver/receive(into:)``.
    public mutating func receive(into burst: inout Burst) -> Int {
        if _slowPath(!pool.isOwnedHere) { join() }
        if _slowPath(pool.atHand > Self.enough) { giveBack() }
        let first = unsafe burst.beginPlacing()
        let room = min(Burst.capacity &- first, limit)
        if room == 0 { return 0 }
        let mbufs = unsafe mbufs
        var count = Int(unsafe apus_port_receive(port, queue, mbufs, UInt16(truncatingIfNeeded: room)))
        if count == 0 {
            // The frames that other threads gave back go to DPDK, whose device may have run dry.
            pool.collect()
            isLookDue = false
            return 0
        }
        if _slowPath(isArmed) { wake() }
        var (octets, frames) = (0, count)
        var (next, place) = unsafe (mbufs, first)
        let end = unsafe mbufs + count
        let (portNumber, queue, unusual) = (portNumber, queue, unusual)
        while unsafe next != end {
            // Sound: DPDK gave so many, each of a pool of ours, and nobody else has them.
            var mbuf = unsafe next.pointee.unsafelyUnwrapped
            unsafe next += 1
            let flags = unsafe mbuf.pointee.ol_flags
            if _slowPath(unsafe mbuf.pointee.nb_segs != 1 || flags & unusual != 0) {
                let (own, count) = unsafe takeUnusual(mbuf)
                frames &+= count &- 1
                if count == 0 { continue }
                unsafe mbuf = own
                unsafe octets &+= Packet.count(of: Mbuf.header(of: mbuf))
            } else {
                unsafe octets &+= Int(mbuf.pointee.data_len)
                unsafe Mbuf.header(of: mbuf).pointee.length = UInt32(mbuf.pointee.data_len)
            }
            let header = unsafe Mbuf.header(of: mbuf)
            unsafe header.pointee.timestamp = 0
            unsafe header.pointee.offset = UInt32(mbuf.pointee.data_off) &+ UInt32(FramePool.headerSize)
            unsafe header.pointee.port = portNumber
            unsafe header.pointee.queue = queue
            unsafe header.pointee.flags = Self.known(flags)
            // There is room for as many as were asked for.
            unsafe burst.place(Frame(header: header), unchecked: place)
            place &+= 1
        }
        unsafe burst.endPlacing(at: place)
        if _slowPath(describes) { octets &-= describe(&burst, from: first) }
        count = place &- first
        outside &+= frames
        counters.received &+= UInt64(truncatingIfNeeded: count)
        counters.receivedBytes &+= UInt64(truncatingIfNeeded: octets)
        return count
    }

    /// A packet in several buffers; one whose data the driver has put elsewhere, which is copied; or one whose tag the device has
    /// taken off unasked, which is put back. Gives the number of its frames; 0 when it is dropped, for want of a frame to copy
    /// it to.
    @inline(never)
    private mutating func takeUnusual(
        _ mbuf: UnsafeMutablePointer<apus_mbuf>
    ) -> (UnsafeMutablePointer<apus_mbuf>, frames: Int) {
        var part: UnsafeMutablePointer<apus_mbuf>? = unsafe mbuf
        while let one = unsafe part {
            if unsafe one.pointee.ol_flags & APUS_MBUF_ELSEWHERE != 0 {
                // Sound: the packet is this driver's alone.
                guard let own = unsafe apus_mbuf_own(mbuf, memory.pool) else {
                    counters.drops[.poolEmpty] &+= 1
                    return unsafe (mbuf, 0)
                }
                return unsafe (own, chain(restored(own)))
            }
            unsafe part = one.pointee.next
        }
        return unsafe (mbuf, chain(restored(mbuf)))
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

    /// Packets come: no interrupts until its owner is about to wait again.
    @inline(never)
    private mutating func wake() {
        (isArmed, isLookDue) = (false, false)
        apus_port_disarm(port, queue)
        _ = apus_port_clear_event(port, queue)
    }
}
