public import ApusPorts
import ApusRings
import CDPDK
import CLinux

extension DPDKDriver {
    /// Hands packets to the device, from the front of `burst`; those it has no room for stay in it.
    public mutating func transmit(_ burst: inout Burst) -> Int {
        if _slowPath(!pool.isOwnedHere) { join() }
        let wanted = burst.count
        let (mbufs, home) = unsafe (mbufs, pool.home)
        let limit = UInt32(truncatingIfNeeded: interface.longestPacket)
        var octets = 0
        // Sound: the first `wanted` frames of the burst are, and nothing is taken out meanwhile.
        let ready = unsafe burst.withRawFrames { frames in
            var position = 0
            while position < wanted {
                let header = unsafe UnsafeMutablePointer<FrameHeader>(bitPattern: frames[position])
                    .unsafelyUnwrapped
                let length = unsafe header.pointee.length
                if _slowPath(
                    unsafe header.pointee.next != nil
                        || !header.pointee.flags.isDisjoint(with: .unfinished)
                        || header.pointee.pool != home && !FramePool.isForeign(header)
                        || length &- Self.shortest > limit &- Self.shortest)
                {
                    break
                }
                // Sound: a frame of a pool of DPDK's has an mbuf in front of it.
                let mbuf = unsafe Mbuf.of(header)
                let offset = unsafe UInt16(truncatingIfNeeded: header.pointee.offset &- 64)
                let short = UInt16(truncatingIfNeeded: length)
                // What most packets are as they came is looked at and left: looking costs a quarter of the writing.
                var change = unsafe mbuf.pointee.ol_flags
                unsafe change |= UInt64((mbuf.pointee.data_off ^ offset) | (mbuf.pointee.data_len ^ short))
                unsafe change |= UInt64(mbuf.pointee.pkt_len ^ length)
                if change != 0 {
                    unsafe mbuf.pointee.data_off = offset
                    unsafe mbuf.pointee.data_len = short
                    unsafe mbuf.pointee.pkt_len = length
                    unsafe mbuf.pointee.ol_flags = 0
                }
                unsafe mbufs[position] = unsafe mbuf
                octets &+= Int(length)
                position &+= 1
            }
            return position
        }
        if ready == 0 { return wanted == 0 ? 0 : transmitOther(&burst) }
        let taken = Int(unsafe apus_port_transmit(port, queue, mbufs, UInt16(truncatingIfNeeded: ready)))
        if taken < ready {
            var left = taken
            while left < ready {
                unsafe octets &-= Int(mbufs[left].unsafelyUnwrapped.pointee.data_len)
                left &+= 1
            }
        }
        unsafe burst.forgetFirst(taken)
        outside &-= taken
        (hasSent, isHolding) = (true, true)
        counters.sent &+= UInt64(truncatingIfNeeded: taken)
        counters.sentBytes &+= UInt64(truncatingIfNeeded: octets)
        // Behind those was one that is not as most are.
        return taken == ready && ready < wanted ? taken &+ transmit(&burst) : taken
    }

    /// An Ethernet header: what is shorter is no packet, and there are devices that stop at one.
    @inline(__always)
    static var shortest: UInt32 { 14 }

    /// The first packet of a burst, which is in several frames or can't be sent: 1 if it was taken, which it
    /// is too when it is dropped, and what comes of those behind it.
    @inline(never)
    private mutating func transmitOther(_ burst: inout Burst) -> Int {
        let frame = unsafe burst.rawFrame(at: 0)
        if unsafe !frame.header.pointee.flags.isDisjoint(with: .unfinished) {
            if let taken = transmitUnfinished(&burst) { return taken }
            // One in several frames, or that can't be sent at all, for a reason that is told below.
            guard unsafe frame.finish() else { return drop(.sendRefused, from: &burst) }
        }
        let total = unsafe Packet.count(of: frame.header)
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe frame.header
        var (segments, isForeign) = (0, false)
        while let header = unsafe next {
            if unsafe !FramePool.isForeign(header) { isForeign = true }
            segments += 1
            unsafe next = header.pointee.next
        }
        let reason: PortDrop? =
            if isForeign {
                .foreignMemory
            } else if total > interface.longestPacket || segments > 1 && !interface.takesSegments
                || segments > 32
            {
                .tooLong
            } else if total < Int(Self.shortest) {
                .sendRefused
            } else {
                nil
            }
        if let reason { return drop(reason, from: &burst) }
        guard unsafe sendChain(frame, segments, total) else { return 0 }
        unsafe burst.forgetFirst(1)
        return 1 + transmit(&burst)
    }

    /// Drops the first packet of a burst, and sends those behind it.
    mutating func drop(_ reason: PortDrop, from burst: inout Burst) -> Int {
        counters.drops[reason] &+= 1
        unsafe burst.rawFrame(at: 0).release()
        unsafe burst.forgetFirst(1)
        return 1 + transmit(&burst)
    }

    /// Hands the device a packet in several frames. `false`, and it stays ours, when there is no room for it.
    private mutating func sendChain(_ frame: Frame, _ segments: Int, _ total: Int) -> Bool {
        let first = unsafe Mbuf.of(frame.header)
        var next: UnsafeMutablePointer<FrameHeader>? = unsafe frame.header
        while let header = unsafe next {
            let mbuf = unsafe Mbuf.of(header)
            unsafe mbuf.pointee.data_off = UInt16(truncatingIfNeeded: header.pointee.offset &- 64)
            unsafe mbuf.pointee.data_len = UInt16(truncatingIfNeeded: header.pointee.length)
            unsafe next = header.pointee.next
            // In C: of a store here Swift 6.3.1 leaves out all but the last one in a release build.
            unsafe apus_mbuf_join(mbuf, next.map { unsafe Mbuf.of($0) })
        }
        unsafe first.pointee.pkt_len = UInt32(truncatingIfNeeded: total)
        unsafe first.pointee.nb_segs = UInt16(truncatingIfNeeded: segments)
        unsafe first.pointee.ol_flags = 0
        unsafe mbufs[0] = unsafe first
        // DPDK's frames have no successor of ours when they come home.
        unsafe link(first, isOurs: false)
        if unsafe apus_port_transmit(port, queue, mbufs, 1) == 1 {
            outside &-= segments
            (hasSent, isHolding) = (true, true)
            counters.sent &+= 1
            counters.sentBytes &+= UInt64(truncatingIfNeeded: total)
            return true
        }
        unsafe link(first, isOurs: true)
        return false
    }

    /// Has the headers of a packet's frames lead from one to the next, and no longer those of DPDK, or the other way round.
    private func link(_ first: UnsafeMutablePointer<apus_mbuf>, isOurs: Bool) {
        var next: UnsafeMutablePointer<apus_mbuf>? = unsafe first
        while let mbuf = unsafe next {
            unsafe next = mbuf.pointee.next
            unsafe Mbuf.header(of: mbuf).pointee.next =
                unsafe isOurs ? next.map { unsafe Mbuf.header(of: $0) } : nil
            if isOurs { unsafe (mbuf.pointee.next, mbuf.pointee.nb_segs) = (nil, 1) }
        }
    }
}

extension Packet {
    /// The bytes in all segments of the packet that begins with this frame.
    static func count(of first: UnsafeMutablePointer<FrameHeader>) -> Int {
        var (total, next): (Int, UnsafeMutablePointer<FrameHeader>?) = unsafe (0, first)
        while let header = unsafe next {
            unsafe total += Int(header.pointee.length)
            unsafe next = header.pointee.next
        }
        return total
    }
}
